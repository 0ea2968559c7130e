//! What each step of serving a request costs by itself.

use serde::{Deserialize, Serialize};

use crate::{Estimate, Worker};

/// `primitives.json`: what `cargo bench` found, carried into the runs that are made beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Primitives {
    /// [`crate::SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// As /proc/cpuinfo names it.
    pub cpu_model: String,
    /// Kernel release.
    pub kernel: String,
    /// How far two measurements of the same function lay apart. Smaller differences are not told.
    pub noise: PrimitiveNoise,
    /// In the order in which a request meets them.
    pub groups: Vec<PrimitiveGroup>,
}

/// By how much the larger of two measurements of the same function exceeded the other, as a share of it: the
/// largest of those that were made, absent where none was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PrimitiveNoise {
    /// By the clock.
    pub wall: Option<f64>,
    /// In CPU time.
    pub cpu: Option<f64>,
}

/// One question, and all that was measured for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrimitiveGroup {
    /// Criterion's name for it, as in `handoff`.
    pub name: String,
    /// What it asks; empty for a group that nobody has described.
    pub asks: String,
    /// What the figures mean for a server; absent where they do not suffice to say.
    pub means: Option<String>,
    /// When the newest of its figures was measured, s since 1970.
    pub measured_unix_s: u64,
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
    /// By a thread; absent where a thread cannot, or was not measured.
    pub thread: Option<PrimitiveCost>,
    /// By a process; absent where a process cannot, or was not measured.
    pub process: Option<PrimitiveCost>,
    /// Where it is not done by either kind of worker, or the kind makes no difference.
    pub alone: Option<PrimitiveCost>,
    /// By the clock.
    pub wall_ratio: Option<PrimitiveRatio>,
    /// In CPU time.
    pub cpu_ratio: Option<PrimitiveRatio>,
}

/// What doing it once costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrimitiveCost {
    /// By the clock, ns.
    pub wall_ns: Option<Estimate>,
    /// CPU time of everybody who took part, ns.
    pub cpu_ns: Option<Estimate>,
    /// Carried each time, where that is what the group asks for.
    pub bytes: Option<u64>,
}

/// What a process costs beside a thread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrimitiveRatio {
    /// Process over thread; the interval is absent where criterion took two samples only (`--quick`).
    pub ratio: Estimate,
    /// Who costs more, beyond the noise; absent where no difference is told.
    pub dearer: Option<Worker>,
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
