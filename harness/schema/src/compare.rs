//! Two runs, or two servers, set against each other by whoever asked.

use serde::{Deserialize, Serialize};

use crate::{Comparison, Estimate};

/// `counters compare --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompareReport {
    /// [`crate::SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// What A is: a run folder or a command line.
    pub a: String,
    /// What B is.
    pub b: String,
    /// Neither breaks a rule of measurement.
    pub valid: bool,
    /// B over A, cell by cell.
    pub compared: Vec<Compared>,
    /// Ids of cells that A alone has.
    pub only_in_a: Vec<String>,
    /// Ids of cells that B alone has.
    pub only_in_b: Vec<String>,
    /// What a reader must know before quoting a figure; each a whole sentence.
    pub caveats: Vec<String>,
    /// Whether B may pass; absent where nobody asked.
    pub gate: Option<Gate>,
}

/// One metric of B over the same of A.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// A cell that both runs have, with `emulated` in its name where its cores are; absent where two
    /// command lines are compared.
    pub cell: Option<String>,
    /// Trials of A and of B.
    pub trials: (u32, u32),
    /// A's figure: requests per second, or nanoseconds.
    pub a: Estimate,
    /// B's.
    pub b: Estimate,
    /// The load generator was the limit of one of them, so that the verdict is not of the servers.
    pub withheld: bool,
    /// The ratio with its verdict. Its blocks are those that hold both; two runs have none in common
    /// (0).
    #[serde(flatten)]
    pub comparison: Comparison,
}

/// What came of `--fail-above`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// How much worse B may be, as a part of A: 0.05 is 5 %.
    pub limit: f64,
    /// Nothing failed.
    pub passed: bool,
    /// What B is worse in by more than that, each a whole sentence.
    pub failed: Vec<String>,
    /// What could not be told, for want of trials or of a faster load generator; it fails nothing.
    pub untold: Vec<String>,
}
