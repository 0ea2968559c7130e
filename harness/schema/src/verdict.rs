//! What the judge makes of the observations.

use serde::{Deserialize, Serialize};

/// `verdicts.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdicts {
    /// [`crate::SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// Nothing breaks the rules of measurement: every trial is whole, no answer was wrong.
    pub valid: bool,
    /// One row for each cell with at least one measured trial.
    pub estimates: Vec<Estimates>,
    /// Cells set against each other.
    pub comparisons: Vec<Comparison>,
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
    /// Server CPU time in user mode per completed request.
    pub user_ns_per_request: Estimate,
    /// Server CPU time in the kernel per completed request.
    pub system_ns_per_request: Estimate,
    /// User and system together.
    pub cpu_ns_per_request: Estimate,
    /// Voluntary and involuntary context switches per completed request.
    pub switches_per_request: Estimate,
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
