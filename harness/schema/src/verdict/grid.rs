//! The model grid, judged: processes beside threads row by row, accept policies column by column, and
//! what neither is part of, a limit and programs by others.

use serde::{Deserialize, Serialize};

use super::{Comparison, Estimate, Metric};
use crate::{Accept, Reuse, Style, Worker};

/// What was measured of the model grid. The floor is in none of its verdicts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// By how long connections live, then in the order of the grid.
    pub rows: Vec<GridRow>,
    /// What each accept policy costs beside a shared listener, all else equal.
    pub policies: Vec<PolicyCost>,
    /// Evented workers beside programs by others, and beside the floor.
    pub references: Vec<Reference>,
}

/// Two cells that differ in the worker alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GridRow {
    /// How workers wait for their connections.
    pub style: Style,
    /// How a new connection finds its worker.
    pub accept: Accept,
    /// How long a connection lives.
    pub reuse: Reuse,
    /// Workers are processes.
    pub process: Standing,
    /// Workers are threads.
    pub thread: Standing,
    /// Requests per second, processes over threads; absent where they have no block in common.
    pub throughput: Option<Comparison>,
    /// CPU time per request, processes over threads.
    pub cpu: Option<Comparison>,
    /// Which of the two decides: CPU time per request where the load generator was the limit, in this
    /// row or in most rows with connections that live so long, as throughput then tells nothing apart.
    pub judged_by: Metric,
    /// What comes of the row, with its figures or the reason why there are none.
    pub sentence: String,
}

impl GridRow {
    /// The comparison that decides.
    #[must_use]
    pub const fn judged(&self) -> Option<&Comparison> {
        match self.judged_by {
            Metric::CpuPerRequest => self.cpu.as_ref(),
            Metric::Throughput | Metric::P99 => self.throughput.as_ref(),
        }
    }
}

/// What became of a cell that an experiment asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It has figures among the estimates.
    Measured {
        /// [`crate::Cell::id`].
        cell: String,
    },
    /// Every trial of it failed.
    Failed {
        /// [`crate::Cell::id`].
        cell: String,
        /// The first failure.
        reason: String,
    },
    /// It was never tried.
    NotMeasured {
        /// [`crate::Cell::id`]; absent where the plan has no such cell.
        cell: Option<String>,
        /// Why.
        reason: String,
    },
    /// It cannot be.
    Refused {
        /// Why, to stand after "because".
        reason: String,
    },
}

/// One accept policy beside a shared listener.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyCost {
    /// What a worker is.
    pub worker: Worker,
    /// How workers wait for their connections.
    pub style: Style,
    /// How long a connection lives.
    pub reuse: Reuse,
    /// The policy: that of the model, or a variant of it, as in `shared-exclusive`.
    pub policy: String,
    /// CPU time per request, the policy over the shared listener.
    pub cpu: Comparison,
}

/// One of this project's evented servers beside what it did not write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// [`crate::Cell::id`].
    pub cell: String,
    /// How long a connection lives.
    pub reuse: Reuse,
    /// CPU time per request in times the floor's, the limit of what a server can be; no verdict, as
    /// the floor serves nothing but this one answer.
    pub times_the_floor: Option<Estimate>,
    /// Beside each guest that is compared.
    pub guests: Vec<BesideGuest>,
}

/// A server over a guest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BesideGuest {
    /// The guest's name.
    pub guest: String,
    /// Requests per second.
    pub throughput: Comparison,
    /// CPU time per request.
    pub cpu: Comparison,
}
