//! What each step of serving a request costs by itself.

use serde::{Deserialize, Serialize};

use crate::Estimate;

/// `primitives.json`: what `cargo bench` found, carried into the runs that are made beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Primitives {
    /// [`crate::SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// As /proc/cpuinfo names it.
    pub cpu_model: String,
    /// Kernel release.
    pub kernel: String,
    /// How far two measurements of the same function lay apart, as a share of it: the largest of those that
    /// were made. Smaller differences are not told. Absent where none was made.
    pub noise: Option<f64>,
    /// In the order in which a request meets them.
    pub groups: Vec<PrimitiveGroup>,
}

/// One question, and all that was measured for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrimitiveGroup {
    /// Criterion's name for it, as in `handoff`.
    pub name: String,
    /// What it asks.
    pub asks: String,
    /// What the figures mean for a server; absent where they do not suffice to say.
    pub means: Option<String>,
    /// One for each thing and parameter.
    pub rows: Vec<PrimitiveRow>,
}

/// One thing, done by a thread and by a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrimitiveRow {
    /// What is done, as in `pipe`.
    pub what: String,
    /// How much of it, or where, as in `64` or `two-cpus`; empty where there is nothing to vary.
    pub parameter: String,
    /// By a thread, or by nobody in particular; absent where a thread cannot, or was not measured.
    pub thread: Option<PrimitiveCost>,
    /// By a process; absent where a process cannot, or was not measured.
    pub process: Option<PrimitiveCost>,
    /// Process over thread, by the clock.
    pub wall_ratio: Option<Estimate>,
    /// Process over thread, in CPU time.
    pub cpu_ratio: Option<Estimate>,
}

/// What doing it once costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrimitiveCost {
    /// By the clock, ns.
    pub wall_ns: Option<Estimate>,
    /// CPU time of everybody who took part, ns.
    pub cpu_ns: Option<Estimate>,
}

impl Primitives {
    /// The row of `what` with `parameter` in `group`.
    #[must_use]
    pub fn row(&self, group: &str, what: &str, parameter: &str) -> Option<&PrimitiveRow> {
        let group = self.groups.iter().find(|one| one.name == group)?;
        group
            .rows
            .iter()
            .find(|row| row.what == what && row.parameter == parameter)
    }
}
