//! What a primary and a worker say to each other.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use crate::ledger::{Ledger, SeatStats, Totals};

/// Something that is sent whole, and is not longer than it may be.
pub trait Message: Debug + Send + Sized + 'static {
    /// Most bytes of its compact form.
    const MOST_BYTES: usize;
}

/// What a worker says to its primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToPrimary {
    /// It runs, but does not accept connections yet.
    Online,
    /// It accepts connections.
    Listening,
    /// It accepts no more, and ends once its connections have.
    Leaving,
    /// It wants to know something.
    Ask {
        /// The worker's number for the question; the answer carries it.
        id: u64,
        /// What it wants to know.
        question: Question,
    },
}

impl Message for ToPrimary {
    const MOST_BYTES: usize = 64;
}

/// What a worker can ask its primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// What all workers have served.
    ClusterStats,
}

/// What a primary says to a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWorker {
    /// What it asked.
    Answer {
        /// The number its question had.
        id: u64,
        /// The answer.
        answer: Answer,
    },
    /// What all workers are told.
    Told(Announcement),
}

impl Message for ToWorker {
    /// Statistics of 1024 workers take 52 KiB where every number is as long as it gets. The kernel
    /// takes packets three times this long, unless its default send buffer was made smaller.
    const MOST_BYTES: usize = 64 << 10;
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Question::ClusterStats`].
    ClusterStats(ClusterStats),
}

/// News for all workers. Each replaces the one before: a worker may miss all but the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Announcement {
    /// The kernel task ids of all workers, as often as one came or went.
    Colleagues(Vec<u32>),
}

/// What a whole cluster has served, whoever of it did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterStats {
    /// Those that have a seat.
    pub workers: Vec<SeatStats>,
    /// Requests answered, by workers that have ended as well.
    pub requests: u64,
    /// Connections accepted, by workers that have ended as well.
    pub connections: u64,
    /// How many workers were made in place of one that died.
    pub respawns: u64,
    /// How often all workers were replaced on purpose.
    pub reloads: u64,
}

impl ClusterStats {
    /// What stands in `ledger`, and what only the primary counts.
    #[must_use]
    pub fn new(ledger: &Ledger, respawns: u64, reloads: u64) -> Self {
        // Workers first: a sum read later is never less than that of their shares.
        let workers = ledger.read();
        let Totals {
            requests,
            connections,
        } = ledger.totals();
        Self {
            workers,
            requests,
            connections,
            respawns,
            reloads,
        }
    }
}
