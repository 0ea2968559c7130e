//! What one launch of one server gave.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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

/// The load generator's account of one window.
///
/// `offered = completed + errors + timeouts + unfinished`, always. A request that was under way
/// when the window opened counts as offered in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadResult {
    /// Length of the window as the generator's clock saw it.
    pub elapsed_ns: u64,
    /// Requests that were to be answered in the window.
    pub offered: u64,
    /// Correct answers.
    pub completed: u64,
    /// Wrong answers and broken connections.
    pub errors: u64,
    /// Requests given up.
    pub timeouts: u64,
    /// Requests under way when the window closed.
    pub unfinished: u64,
    /// The errors by kind, with the first of each in words.
    pub error_kinds: Vec<ErrorCount>,
    /// Connections opened in the window (the first ones are opened before it).
    pub connections_opened: u64,
    /// Bytes of answers, heads included.
    pub received_bytes: u64,
    /// From the first byte sent until the last byte of the answer, for completed requests; absent
    /// where none completed.
    pub latency: Option<LatencyQuantiles>,
    /// Correct answers by worker id, as the body named it.
    pub requests_by_worker: BTreeMap<u64, u64>,
    /// Generator threads.
    pub generator_threads: u32,
    /// CPU time of the generator's threads in the window.
    pub generator_cpu: CpuTime,
}

/// One kind of error, how often, and the first one in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorCount {
    /// What kind.
    pub kind: ErrorKind,
    /// How often.
    pub count: u64,
    /// The first: what was expected and what came.
    pub first: String,
}

/// Why a request counts as an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// No connection could be made.
    Connect,
    /// The connection ended or broke before the answer was whole.
    Disconnect,
    /// The bytes are not an HTTP/1.1 answer.
    Protocol,
    /// A status other than 200.
    Status,
    /// A body other than the one expected.
    Body,
}

/// Exact within the histogram's three significant digits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyQuantiles {
    /// Least.
    pub min_ns: u64,
    /// Arithmetic mean.
    pub mean_ns: f64,
    /// Median.
    pub p50_ns: u64,
    /// 90th percentile.
    pub p90_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// 99.9th percentile.
    pub p999_ns: u64,
    /// Greatest.
    pub max_ns: u64,
}

/// CPU time, as the kernel accounts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuTime {
    /// In user mode.
    pub user_ns: u64,
    /// In the kernel.
    pub system_ns: u64,
}

impl CpuTime {
    /// User and system together.
    #[must_use]
    pub const fn total_ns(self) -> u64 {
        self.user_ns + self.system_ns
    }
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
