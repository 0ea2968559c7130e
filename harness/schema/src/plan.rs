//! What will be measured, decided before anything is started.

use serde::{Deserialize, Serialize};

use crate::{Model, Reuse};

/// A whole run: cells, and the experiments that visit them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`crate::SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// Draws the order within each block; the same seed and cells give the same plan.
    pub seed: u64,
    /// The preset that was asked for.
    pub preset: Preset,
    /// The command as typed, program name first.
    pub command: Vec<String>,
    /// When the plan was made, since the Unix epoch.
    pub created_unix_ns: u64,
    /// Which CPUs serve and which load, and what a core is.
    pub cores: CorePlan,
    /// What is compared.
    pub cells: Vec<Cell>,
    /// One after another, headline first. Cells are compared within one experiment only.
    pub experiments: Vec<ExperimentPlan>,
}

/// Cells that answer one question, and how often each is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperimentPlan {
    /// As `counters list` prints it.
    pub name: String,
    /// Load before each measurement that is not counted.
    pub warm_up_ns: u64,
    /// What is launched and measured together.
    pub sets: Vec<CellSet>,
    /// For each block, indices into `sets` in the order of measurement. Every block holds every set
    /// once; a set that is done is passed over.
    pub blocks: Vec<Vec<usize>>,
    /// When it is enough.
    pub stop: StopRule,
}

impl ExperimentPlan {
    /// Load before each measurement of `set`, whose cells are among `cells`.
    #[must_use]
    pub fn warm_up_ns_of(&self, set: &CellSet, cells: &[Cell]) -> u64 {
        let own = set.cells.iter().filter_map(|&cell| cells[cell].warm_up_ns);
        own.fold(self.warm_up_ns, u64::max)
    }
}

/// Cells that are launched, loaded and measured at the same time. On real cores it is one cell; on
/// emulated ones all that are compared, each worker in a slot of its own, so that what disturbs one
/// disturbs all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellSet {
    /// Indices into [`Plan::cells`].
    pub cells: Vec<usize>,
    /// Length of each measurement; with slots, a whole number of their periods.
    pub measure_ns: u64,
    /// The quota of each worker where cores are emulated.
    pub slots: Option<SlotPlan>,
}

/// How much CPU time each emulated core has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotPlan {
    /// CPU time in each period.
    pub quota_ns: u64,
    /// Length of a period.
    pub period_ns: u64,
}

/// When an experiment has been repeated often enough. It looks at the width of intervals, never at
/// where they lie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StopRule {
    /// Blocks before the widths are looked at.
    pub least_blocks: u32,
    /// Half the width of a throughput ratio's interval, over the ratio, that is narrow enough.
    pub half_width: f64,
    /// The ratios that must be as narrow.
    pub targets: Vec<Target>,
    /// Time for all blocks together; a block begun is finished.
    pub budget_ns: u64,
}

/// Two cells whose throughput ratio is wanted, as indices into [`Plan::cells`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Below the line.
    pub reference: usize,
    /// Above it.
    pub subject: usize,
}

/// One line of `stops.jsonl`: why an experiment ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// [`crate::SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// [`ExperimentPlan::name`].
    pub experiment: String,
    /// Why.
    pub reason: StopReason,
    /// Blocks that were made whole.
    pub blocks: u32,
    /// The widest half-width among its targets; absent where there were too few blocks for one.
    pub widest: Option<f64>,
}

/// Why no further block was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// Every target's interval is narrow enough.
    Target,
    /// The time is spent.
    Budget,
    /// All planned blocks were made.
    Blocks,
    /// The user wanted to leave.
    Interrupted,
}

/// How much time a run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Under 20 s of measuring: does everything work?
    Smoke,
    /// Under 5 minutes: the default.
    Quick,
    /// About an hour.
    Full,
}

impl Preset {
    /// The name used on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Quick => "quick",
            Self::Full => "full",
        }
    }
}

/// Which CPUs serve and which load. Numbers are the kernel's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorePlan {
    /// CPUs that servers are bound to.
    pub server_cpus: Vec<u32>,
    /// CPUs that the load generator is bound to, one thread each.
    pub generator_cpus: Vec<u32>,
    /// True where the two sets could not be kept apart (one CPU in all).
    pub overlapping: bool,
    /// What a core is where throughput is measured by number of cores.
    pub kind: Cores,
    /// How many there are at most.
    pub cores: u32,
    /// Why cores are of that kind, in a sentence.
    pub reason: String,
}

/// What the workers of a cell run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cores {
    /// They share the CPUs of the cell, however many they are.
    Shared,
    /// As many CPUs as workers, for this server alone.
    Real,
    /// A slot for each worker: a share of a CPU, by quota.
    Emulated,
}

impl Cores {
    /// In words, to stand before "core".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Real => "real",
            Self::Emulated => "emulated",
        }
    }
}

/// Who wrote a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// One of this project's binaries.
    Own,
    /// A program nobody here wrote, run as it comes.
    Guest,
}

/// One thing to measure: a server, a number of workers, a workload, a load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Unique within a plan, fit for a file name, as in `scaling-cluster-w2-hello`.
    pub id: String,
    /// The experiment it belongs to.
    pub experiment: String,
    /// The server's name, as `counters list` prints it.
    pub server: String,
    /// Own or guest.
    pub origin: Origin,
    /// Its place in the grid.
    pub model: Model,
    /// How many workers serve.
    pub workers: u32,
    /// What the workers run on.
    pub cores: Cores,
    /// CPUs the server is bound to.
    pub cpus: Vec<u32>,
    /// How many launches of it are measured at the same time, whose figures are averaged. One worker
    /// has a small share of a CPU where cores are emulated, and sees few moments of the machine.
    pub copies: u32,
    /// What each request asks for.
    pub workload: Workload,
    /// Connections, all threads together; with a new one for each request, how many at once.
    pub connections: u32,
    /// How long a connection lives.
    pub reuse: Reuse,
    /// Arrivals per second of an open loop (Poisson); a closed loop where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_s: Option<u32>,
    /// Load before the window, where that is longer than the experiment's: for a server that compiles while
    /// it runs. A set is warmed up as long as the longest of its cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up_ns: Option<u64>,
    /// After the window, an open loop (Poisson) over the same server, at this percentage of the
    /// requests per second that it served in the window: latency with room to spare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then_percent: Option<u32>,
    /// Before the load, so many connections one after the other, each for one request, to see whom the
    /// kernel or the acceptor wakes: [`crate::Measured::wake_order`].
    #[serde(default)]
    pub wakes: u32,
    /// Path and query of the request, of a server that knows no workloads and whose bodies are its own;
    /// absent where the workload says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl Cell {
    /// Path and query of the request.
    #[must_use]
    pub fn target(&self) -> String {
        match &self.path {
            Some(path) => path.clone(),
            None => self.workload.target(),
        }
    }
}

/// What a request asks the handler to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Answer at once.
    Hello,
    /// Burn this much CPU time of the worker's thread.
    Cpu {
        /// Microseconds of CPU time.
        us: u32,
    },
    /// Wait as the style waits (timer or sleep).
    Wait {
        /// Microseconds.
        us: u32,
    },
    /// Block the worker, whatever its style.
    Block {
        /// Microseconds.
        us: u32,
    },
    /// Answer at once, with a body of this length: the greeting, and dots up to the last byte.
    Bytes {
        /// Length of the body.
        n: u32,
    },
}

impl Workload {
    /// Path and query of the request.
    #[must_use]
    pub fn target(self) -> String {
        match self {
            Self::Hello => "/".to_owned(),
            Self::Cpu { us } => format!("/cpu?us={us}"),
            Self::Wait { us } => format!("/wait?us={us}"),
            Self::Block { us } => format!("/block?us={us}"),
            Self::Bytes { n } => format!("/bytes?n={n}"),
        }
    }

    /// A short name fit for a cell id: `hello`, `cpu200`, `wait5000`, `bytes4000`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Hello => "hello".to_owned(),
            Self::Cpu { us } => format!("cpu{us}"),
            Self::Wait { us } => format!("wait{us}"),
            Self::Block { us } => format!("block{us}"),
            Self::Bytes { n } => format!("bytes{n}"),
        }
    }
}
