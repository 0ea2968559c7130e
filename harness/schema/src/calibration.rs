//! The instrument's own error, measured.

use serde::{Deserialize, Serialize};

use crate::{Machine, Metric};

/// `calibration.json`: what `counters calibrate` found, carried into later runs on the same machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// [`crate::SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// When it was made, since the Unix epoch.
    pub made_unix_ns: u64,
    /// Draws the order of measurement.
    pub seed: u64,
    /// Where.
    pub machine: Machine,
    /// What was compared with itself, in words.
    pub setting: String,
    /// The same binary as A and as B.
    pub same: SelfComparisons,
    /// A binary made slower by a known part.
    pub power: Vec<Power>,
}

/// Comparisons of a binary with itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelfComparisons {
    /// What was compared.
    pub metric: Metric,
    /// How many comparisons.
    pub comparisons: u32,
    /// Blocks in each.
    pub blocks: u32,
    /// Those whose 95 % interval leaves out 1: a difference where there is none.
    pub different: u32,
    /// `different` over `comparisons`, with its 95 % interval.
    pub rate: (f64, f64, f64),
    /// Those that were called better or worse, as the margin of equivalence allows.
    pub verdicts: u32,
    /// The noise floor: half-width of a comparison's interval over its ratio, median.
    pub half_width: f64,
    /// How far from 1 the ratios lay: 95 % of them lay nearer.
    pub spread: f64,
}

/// How often a known slowdown was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Power {
    /// As a part of the request's own CPU time: 0.02 is 2 %.
    pub slowdown: f64,
    /// Comparisons made.
    pub runs: u32,
    /// Measuring time of each, both sides together.
    pub seconds: f64,
    /// Those whose 95 % interval lies wholly on the slower side of 1.
    pub found: u32,
    /// `found` over `runs`, with its 95 % interval.
    pub rate: (f64, f64, f64),
}
