//! What was asked of the load generator, and its account of one window.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `counters load --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadReport {
    /// [`crate::SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// The command as typed, program name first.
    pub command: Vec<String>,
    /// What was asked for.
    pub url: String,
    /// When the load began, since the Unix epoch.
    pub started_unix_ns: u64,
    /// Every self-check passed, and nobody cut the window short.
    pub valid: bool,
    /// The window was cut short by a signal; the figures are those of what was left of it.
    pub interrupted: bool,
    /// When requests were due.
    pub pace: Pace,
    /// How long a connection lives.
    pub reuse: Reuse,
    /// Connections, all threads together.
    pub connections: u32,
    /// CPUs of the generator, one thread each.
    pub cpus: Vec<u32>,
    /// Load before the window that was not counted.
    pub warm_up_ns: u64,
    /// Length of the window that was asked for.
    pub measure_ns: u64,
    /// How long a request was waited for.
    pub timeout_ns: u64,
    /// What was counted.
    pub result: LoadResult,
    /// The generator's doubts about itself, and whether they were dispelled.
    pub checks: Vec<Check>,
}

/// When requests are due.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// Each connection asks again once it is answered: the server sets the pace.
    ClosedLoop {
        /// Time between an answer and the next request on its connection.
        think_ns: u64,
    },
    /// Requests are due at times drawn beforehand, whatever the server does.
    OpenLoop(OpenLoop),
}

/// The arrivals of an open loop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenLoop {
    /// Requests per second as the window opens, and before it.
    pub from_per_s: f64,
    /// Requests per second as the window closes; between, the rate goes in a straight line.
    pub to_per_s: f64,
    /// How they scatter.
    pub arrivals: Arrivals,
    /// Draws them.
    pub seed: u64,
}

/// How arrivals scatter around their rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrivals {
    /// Independently of each other: exponential gaps.
    Poisson,
    /// Evenly.
    Constant,
}

impl Arrivals {
    /// The name used on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Poisson => "poisson",
            Self::Constant => "constant",
        }
    }
}

/// How long a connection lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reuse {
    /// For as many requests as the server lets it.
    KeepAlive,
    /// For one request.
    NewConnection,
}

/// The load generator's account of one window.
///
/// `offered = completed + errors + timeouts + unfinished`, always. A request that was under way
/// when the window opened counts as offered in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadResult {
    /// Length of the window as the generator's clock saw it.
    pub elapsed_ns: u64,
    /// Requests that were due in the window, or under way as it opened.
    pub offered: u64,
    /// Correct answers.
    pub completed: u64,
    /// Wrong answers and broken connections.
    pub errors: u64,
    /// Requests given up: unanswered for the timeout, counted from when they were due; or for the whole
    /// of the window and three times as long as any that was answered in it.
    pub timeouts: u64,
    /// Other requests due or under way when the window closed.
    pub unfinished: u64,
    /// The errors by kind, with the first of each in words.
    pub error_kinds: Vec<ErrorCount>,
    /// Connections opened in the window (the first ones are opened before it).
    pub connections_opened: u64,
    /// Bytes of answers, heads included.
    pub received_bytes: u64,
    /// Bytes that came while no request was under way.
    pub unsolicited_bytes: u64,
    /// From when a request was due until the last byte of its answer. Requests that never completed
    /// take part with the time they had waited in vain. Absent where none completed.
    pub response: Option<LatencyQuantiles>,
    /// From the first byte written until the last byte of the answer, of completed requests: what
    /// tools that do not look at when requests were due report as latency.
    pub service: Option<LatencyQuantiles>,
    /// From when the generator had a request in hand until its first byte was written: for want of a
    /// free connection, or while one was made. Of completed requests.
    pub connection_wait: Option<LatencyQuantiles>,
    /// From when a request was due until the generator had it in hand, of completed requests: the
    /// generator's own delay.
    pub lateness: Option<LatencyQuantiles>,
    /// Correct answers by worker id, as the body named it.
    pub requests_by_worker: BTreeMap<u64, u64>,
    /// Connections by the worker id of their first answer in the window.
    pub connections_by_worker: BTreeMap<u64, u64>,
    /// Answers that came from another worker than the first answer on their connection.
    pub answers_by_another_worker: u64,
    /// Connections with a request under way, on average over the window, counted from one request to
    /// the next and not from the latencies.
    pub mean_busy_connections: f64,
    /// The part of it that completed requests account for, with the time they had been under way before
    /// the window opened: by Little's law, throughput times mean service time.
    pub mean_busy_completed: f64,
    /// The arrivals against their model; absent in a closed loop.
    pub arrivals: Option<ArrivalFigures>,
    /// Generator threads.
    pub generator_threads: u32,
    /// CPU time of the generator's threads in the window.
    pub generator_cpu: CpuTime,
    /// Part of that CPU time spent waiting awake for the next request to be due: readiness, not work.
    pub awake_ns: u64,
    /// Share of the window that the busiest generator thread worked, waiting awake not counted.
    pub generator_busiest: f64,
    /// Time the generator's threads could have run but something else had their CPU. Absent where
    /// the kernel does not tell.
    pub generator_run_queue_wait_ns: Option<u64>,
    /// Time a hypervisor kept the generator's CPUs from this machine although there was work. Absent
    /// where the kernel does not tell.
    pub generator_stolen_ns: Option<u64>,
    /// How often the generator read the clock.
    pub clock_reads: u64,
    /// How the generator spoke to the kernel: `epoll` or `io-uring`.
    pub transport: String,
}

/// How the arrivals of an open loop look beside their model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArrivalFigures {
    /// Arrivals that the model expects in the window.
    pub expected: f64,
    /// Arrivals in it.
    pub came: u64,
    /// For Poisson arrivals: chi-square of the gaps between due times against the exponential
    /// distribution, over twenty classes of equal chance (19 degrees of freedom).
    pub gap_chi_square: Option<f64>,
    /// Squared deviations of the number of requests taken in hand in each bin of time from the
    /// number expected, over that number, on average over the bins: 1 for Poisson arrivals, near 0
    /// for constant ones. Absent where there were too few.
    pub dispersion: Option<f64>,
    /// Bins behind it.
    pub bins: u64,
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

impl ErrorKind {
    /// In words, as on disk.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Disconnect => "disconnect",
            Self::Protocol => "protocol",
            Self::Status => "status",
            Self::Body => "body",
        }
    }
}

/// Exact within the histogram's three significant digits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyQuantiles {
    /// Least.
    pub min_ns: u64,
    /// Arithmetic mean, of completed requests alone.
    pub mean_ns: f64,
    /// Median.
    pub p50_ns: u64,
    /// 90th percentile.
    pub p90_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// 99.9th percentile.
    pub p999_ns: u64,
    /// Greatest that was seen, whether the request completed or was waited for in vain.
    pub max_ns: u64,
    /// From this quantile on (0.5, 0.9, 0.99, 0.999, or 1 for the greatest) the figures are lower
    /// bounds: they reach into requests that never completed. Absent where all are exact.
    pub bounds_from: Option<f64>,
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

/// One doubt of the generator about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// A short name, as in `generator-cpu`.
    pub name: String,
    /// Whether the figure is within its limit.
    pub passed: bool,
    /// What was measured; absent where it could not be.
    pub figure: Option<f64>,
    /// What it may be at most (or at least, as the sentence says).
    pub limit: Option<f64>,
    /// Both, in a sentence.
    pub sentence: String,
}
