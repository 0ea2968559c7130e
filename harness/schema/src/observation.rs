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
    /// Index into [`crate::Plan::blocks`].
    pub block: u32,
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
    /// What did not go as it should when the server was asked to end, after the window; absent
    /// where all did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
}

/// What a process tree used in the window, and what it holds at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeUsage {
    /// CPU time of all processes, with children that ended in the window.
    pub cpu: CpuTime,
    /// Times a thread gave up the CPU to wait.
    pub voluntary_switches: u64,
    /// Times the kernel took the CPU from a thread.
    pub involuntary_switches: u64,
    /// Proportional set size: shared pages counted once over the processes sharing them. Absent
    /// where the kernel refuses it.
    pub pss_bytes: Option<u64>,
    /// Processes at the end of the window.
    pub processes: u32,
    /// Threads at the end of the window, all processes together.
    pub threads: u32,
}
