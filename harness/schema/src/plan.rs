//! What will be measured, decided before anything is started.

use serde::{Deserialize, Serialize};

use crate::Model;

/// A whole run: cells, and the order in which each block visits them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Load before each measurement that is not counted.
    pub warm_up_ns: u64,
    /// Length of each measurement.
    pub measure_ns: u64,
    /// Which CPUs serve and which load.
    pub cores: CorePlan,
    /// What is compared.
    pub cells: Vec<Cell>,
    /// For each block, indices into `cells` in the order of measurement. Every block holds every
    /// cell once.
    pub blocks: Vec<Vec<usize>>,
}

/// How much time a run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Under 20 s of measuring: does everything work?
    Smoke,
    /// Under 3 minutes of measuring: the default.
    Quick,
    /// About 30 minutes.
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
    /// Unique within a plan, fit for a file name, as in `cluster-w2-hello`.
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
    /// What each request asks for.
    pub workload: Workload,
    /// Connections of the closed loop, all threads together.
    pub connections: u32,
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
        }
    }

    /// A short name fit for a cell id: `hello`, `cpu200`, `wait5000`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Hello => "hello".to_owned(),
            Self::Cpu { us } => format!("cpu{us}"),
            Self::Wait { us } => format!("wait{us}"),
            Self::Block { us } => format!("block{us}"),
        }
    }
}
