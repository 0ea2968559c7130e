//! What the judge makes of the observations.

mod balance;
mod grid;
mod handoff;
mod stevens;

pub use self::{
    balance::{Balance, BalanceCell, Order, Spread, WakeOrder},
    grid::{BesideGuest, Grid, GridRow, PolicyCost, Reference, Standing},
    handoff::HandoffShare,
    stevens::{Conclusion, Design, DesignFigures, Stands, Stevens},
};
use serde::{Deserialize, Serialize};

use crate::{Calibration, Cores, Primitives, Workload};

/// `verdicts.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdicts {
    /// [`crate::SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// Nothing breaks the rules of measurement: every trial is whole, no answer was wrong.
    pub valid: bool,
    /// The main questions, answered; those that this run did not ask are left out.
    pub headlines: Vec<Headline>,
    /// One row for each cell with at least one measured trial.
    pub estimates: Vec<Estimates>,
    /// Cells set against each other.
    pub comparisons: Vec<Comparison>,
    /// Throughput by number of cores, one curve for each server and workload.
    pub scaling: Vec<ScalingCurve>,
    /// The model grid; absent where it was not asked for.
    pub grid: Option<Grid>,
    /// Stevens' designs; absent where they were not asked for.
    pub stevens: Option<Stevens>,
    /// How evenly workers answered; absent where that was not asked for.
    pub balance: Option<Balance>,
    /// How true emulated cores are to real ones; absent where none were emulated.
    pub fidelity: Option<Fidelity>,
    /// What the instrument's own error was when it was last measured on this machine.
    pub calibration: Option<Calibration>,
    /// What each step costs by itself, where that was measured on this machine.
    pub primitives: Option<Primitives>,
    /// Whether the price of a handoff explains what it costs a server; one for each of the grid's servers
    /// that pass connections on, where both are known.
    pub handoffs: Vec<HandoffShare>,
    /// What a reader must know before quoting a figure; each a whole sentence.
    pub caveats: Vec<String>,
}

/// A figure with its 95 % interval; bounds are absent where there were too few trials for one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean over trials, or for ratios the geometric mean over blocks.
    pub point: f64,
    /// 95 % interval, lower and upper bound.
    pub interval: Option<(f64, f64)>,
}

/// What was measured of one cell, over its trials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimates {
    /// [`crate::Cell::id`].
    pub cell: String,
    /// Measured trials behind the figures.
    pub trials: u32,
    /// Completed requests per second.
    pub throughput_per_s: Estimate,
    /// The load generator was the limit and not the server, which can serve at least so much.
    pub throughput_at_least: bool,
    /// Server CPU time in user mode per completed request.
    pub user_ns_per_request: Estimate,
    /// Server CPU time in the kernel per completed request.
    pub system_ns_per_request: Estimate,
    /// User and system together.
    pub cpu_ns_per_request: Estimate,
    /// Voluntary and involuntary context switches per completed request. Absent where each connection
    /// has a worker of its own: the kernel forgets the switches of threads that have ended.
    pub switches_per_request: Option<Estimate>,
    /// Median latency.
    pub p50_ns: Estimate,
    /// 90th percentile of latency.
    pub p90_ns: Estimate,
    /// 99th percentile of latency.
    pub p99_ns: Estimate,
    /// 99.9th percentile of latency.
    pub p999_ns: Estimate,
    /// Proportional set size of the process tree.
    pub pss_bytes: Option<Estimate>,
    /// Latency with room to spare, where the cell asks for it.
    pub at_share: Option<AtShare>,
}

/// Latency in an open loop at a share of the capacity that the window before it showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtShare {
    /// The share, in percent.
    pub percent: u32,
    /// Arrivals per second.
    pub rate_per_s: Estimate,
    /// Median latency.
    pub p50_ns: Estimate,
    /// 99th percentile of latency.
    pub p99_ns: Estimate,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Completed requests per second; more is better.
    Throughput,
    /// Server CPU time per request; less is better.
    CpuPerRequest,
    /// 99th percentile of latency; less is better.
    P99,
}

impl Metric {
    /// Which way is better.
    #[must_use]
    pub const fn direction(self) -> Direction {
        match self {
            Self::Throughput => Direction::MoreIsBetter,
            Self::CpuPerRequest | Self::P99 => Direction::LessIsBetter,
        }
    }
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// As for throughput.
    MoreIsBetter,
    /// As for latency.
    LessIsBetter,
}

/// `subject` set against `reference`, block by block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The question in words.
    pub question: String,
    /// [`crate::Cell::id`] of A.
    pub reference: String,
    /// [`crate::Cell::id`] of B.
    pub subject: String,
    /// What is compared.
    pub metric: Metric,
    /// Blocks in which both were measured.
    pub blocks: u32,
    /// B/A.
    pub ratio: Estimate,
    /// Ratios within 1 ± this count as equal.
    pub equivalence_margin: f64,
    /// The verdict on B.
    pub verdict: Verdict,
    /// The verdict in a sentence with its figures.
    pub sentence: String,
}

/// How the subject did. Equality is never an improvement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The whole interval lies on the better side of 1.
    Better,
    /// The whole interval lies on the worse side of 1.
    Worse,
    /// The whole interval lies within the margin.
    Equivalent,
    /// None of these.
    Undecided,
}

/// A main question: how much many workers serve over one, and processes over threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    /// Which question.
    pub kind: HeadlineKind,
    /// What each request asked for.
    pub workload: Workload,
    /// What the workers ran on.
    pub cores: Cores,
    /// How many workers, and cores, the subject had.
    pub workers: u32,
    /// The throughput ratio with its verdict and sentence.
    pub throughput: Comparison,
    /// The same ratio of requests per second of CPU time that was given, times the ratio of workers.
    pub by_cpu_given: Option<Estimate>,
    /// Throughput ratio over ratio of workers: 1 where each worker adds as much as the first.
    pub efficiency: Option<Estimate>,
}

/// The main questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadlineKind {
    /// Many process workers over one.
    Processes,
    /// Many thread workers over one.
    Threads,
    /// Processes over threads, with as many workers.
    ProcessesOverThreads,
}

/// Throughput of one server by number of cores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalingCurve {
    /// The experiment it was measured in.
    pub experiment: String,
    /// The server's name.
    pub server: String,
    /// What each request asked for.
    pub workload: Workload,
    /// What the workers ran on.
    pub cores: Cores,
    /// By number of workers, ascending.
    pub points: Vec<ScalingPoint>,
    /// The Universal Scalability Law through them.
    pub law: Law,
    /// Why the most workers serve less than that many times one, in a sentence with its figure; absent
    /// where their efficiency is 0.95 or more.
    pub shortfall: Option<String>,
}

/// One number of workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalingPoint {
    /// [`crate::Cell::id`].
    pub cell: String,
    /// Workers, a core each.
    pub workers: u32,
    /// Completed requests per second.
    pub throughput_per_s: Estimate,
    /// Throughput over that of one worker, block by block.
    pub speedup: Estimate,
    /// Speed-up over workers.
    pub efficiency: Estimate,
    /// Requests per second of CPU time given over that of one worker, times workers.
    pub speedup_by_cpu_given: Estimate,
    /// Server CPU time per request.
    pub cpu_ns_per_request: Estimate,
    /// CPU time that the slots gave over their quota; absent where cores are real.
    pub given_over_quota: Option<Estimate>,
}

/// X(N) = γN / (1 + α(N − 1) + βN(N − 1)) (Gunther).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Law {
    /// The best fit.
    Fitted {
        /// Share of the work that workers do one after another.
        alpha: Estimate,
        /// Cost of each pair of workers agreeing.
        beta: Estimate,
        /// Requests per second of one worker.
        gamma: Estimate,
        /// Share of the variance that the law explains; absent where there is none.
        r_squared: Option<f64>,
        /// Workers that serve most, N*; absent where `refusal` says why.
        peak: Option<Estimate>,
        /// Why nothing may be said beyond what was measured.
        refusal: Option<String>,
    },
    /// There is nothing to fit.
    NotFitted {
        /// Why.
        reason: String,
    },
}

/// How true emulated cores are to real ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fidelity {
    /// CPU time given over quota, over all slots that were used up: mean over blocks, as slots of one
    /// block ran at the same time.
    pub given_over_quota: Option<Estimate>,
    /// The same of the cell furthest from its quota, with its id.
    pub worst: Option<(String, f64)>,
    /// Share of periods at whose end the worker had used up its quota.
    pub throttled_share: Option<f64>,
    /// The same cells on emulated and on real cores.
    pub against_real: Vec<AgainstReal>,
    /// What emulation cannot show; each a whole sentence.
    pub cannot_show: Vec<String>,
}

/// A cell on emulated cores beside the same on real ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgainstReal {
    /// [`crate::Cell::id`] on real cores.
    pub real: String,
    /// [`crate::Cell::id`] on emulated cores.
    pub emulated: String,
    /// Workers, a core each.
    pub workers: u32,
    /// Requests per second of CPU time, emulated over real.
    pub per_cpu: Estimate,
    /// Throughput over that of one worker, on real cores; absent for one worker.
    pub speedup_real: Option<Estimate>,
    /// The same on emulated cores.
    pub speedup_emulated: Option<Estimate>,
}
