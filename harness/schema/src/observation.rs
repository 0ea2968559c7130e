//! What one launch of one server gave.

use serde::{Deserialize, Serialize};

use crate::{CpuTime, LoadResult};

/// One line of `observations.jsonl`: one cell in one block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// [`crate::SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// [`crate::Cell::id`].
    pub cell: String,
    /// Index into [`crate::ExperimentPlan::blocks`] of the cell's experiment.
    pub block: u32,
    /// 0, and 1 where the first trial was marked and made again. All cells of a set share it.
    pub attempt: u32,
    /// Which of the launches at the same time, from 0 up to [`crate::Cell::copies`].
    pub copy: u32,
    /// When the launch began, since the Unix epoch.
    pub started_unix_ns: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// A launch that failed is an observation too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// Load was driven and counted for the whole window.
    Measured(Box<Measured>),
    /// The launch or the load failed.
    Failed(Failure),
    /// It was never tried: a program is not on this machine.
    NotMeasured {
        /// What is missing, as in `node not found`.
        reason: String,
        /// What to do about it, as in `install it with: apt-get install nodejs`.
        cure: String,
    },
}

/// What failed, when, and what the server said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// How far the trial had come.
    pub stage: Stage,
    /// One sentence: what failed, the value seen, what to do.
    pub reason: String,
    /// The last lines the server wrote to stderr; empty if none.
    pub stderr: String,
}

/// The steps of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Starting the process.
    Launch,
    /// Waiting until every worker accepts connections.
    Ready,
    /// Load that is not counted.
    WarmUp,
    /// Load that is counted.
    Load,
}

impl Stage {
    /// In words, to stand after "failed at".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Launch => "launch",
            Self::Ready => "ready",
            Self::WarmUp => "warm-up",
            Self::Load => "load",
        }
    }
}

/// A whole trial: what the client saw and what the server used, over the same window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// From the start of the process until it was ready.
    pub ready_after_ns: u64,
    /// What the load generator saw.
    pub load: LoadResult,
    /// What the server's process tree used in the window.
    pub server: TreeUsage,
    /// What each worker's slot gave, in the order of workers; empty where cores are not emulated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<SlotUsage>,
    /// What disturbed the window.
    pub noise: Noise,
    /// What followed the window, where the cell asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Then>,
    /// Who answered the connections that were made one after the other before the load, by worker id;
    /// empty where the cell asks for none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wake_order: Vec<u64>,
    /// What did not go as it should when the server was asked to end, after the window; absent
    /// where all did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
}

/// An open loop at a share of the capacity that the window before it showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Then {
    /// The share, in percent.
    pub percent: u32,
    /// Arrivals per second, Poisson.
    pub rate_per_s: f64,
    /// What the load generator saw.
    pub load: LoadResult,
}

/// What a process tree used in the window, and what it holds at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeUsage {
    /// CPU time of all processes, with children that ended in the window.
    pub cpu: CpuTime,
    /// Times a thread gave up the CPU to wait. The kernel forgets the switches of threads that have
    /// ended, so this says nothing where workers come and go with connections.
    pub voluntary_switches: u64,
    /// Times the kernel took the CPU from a thread, as far as above.
    pub involuntary_switches: u64,
    /// Proportional set size: shared pages counted once over the processes sharing them. Absent
    /// where the kernel refuses it.
    pub pss_bytes: Option<u64>,
    /// Processes at the end of the window.
    pub processes: u32,
    /// Threads at the end of the window, all processes together.
    pub threads: u32,
}

/// What an emulated core gave in the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotUsage {
    /// The CPU it is a share of.
    pub cpu: u32,
    /// CPU time that its worker had.
    pub given_ns: u64,
    /// CPU time that its worker could have had: quota times the window's length over the period.
    pub quota_ns: u64,
    /// Periods that ended in the window. Those in which the worker did not run are not among them.
    pub periods: u64,
    /// Periods at whose end the worker had used up its quota.
    pub throttled_periods: u64,
    /// Time it was kept from running for that.
    pub throttled_ns: u64,
}

/// What else went on, on the CPUs of the server, in the window. Absent where the kernel does not tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// Time a hypervisor kept these CPUs from this machine although there was work.
    pub stolen_ns: Option<u64>,
    /// CPU time of these CPUs that went to programs other than the servers under measurement.
    pub foreign_ns: Option<u64>,
    /// Time the server's threads could have run but waited for a CPU. Where several share one, they
    /// wait for each other.
    pub run_queue_wait_ns: Option<u64>,
    /// Limits that were broken. A trial with any is made again, and kept.
    pub marks: Vec<Mark>,
}

/// A limit that a trial broke.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// What is limited.
    pub kind: MarkKind,
    /// A share of the time, 0 to 1.
    pub figure: f64,
    /// What it may be at most.
    pub limit: f64,
}

/// What disturbs a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkKind {
    /// A hypervisor took the server's CPUs, as a share of the window.
    Stolen,
    /// Other programs used the server's CPUs, as a share of the window.
    ForeignCpu,
    /// The generator could have run, but something else had its CPU, as a share of the window.
    GeneratorKeptWaiting,
    /// The window had opened before the server's CPU time was read, as a share of the window.
    ReadLate,
}

impl MarkKind {
    /// In words, after "because".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stolen => "a hypervisor took the server's CPUs",
            Self::ForeignCpu => "other programs used the server's CPUs",
            Self::GeneratorKeptWaiting => "other programs used the generator's CPUs",
            Self::ReadLate => "the server's CPU time was read late",
        }
    }
}
