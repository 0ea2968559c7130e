//! Who answers: how evenly each accept policy spreads requests and connections over workers, and in
//! which order it wakes them.

use serde::{Deserialize, Serialize};

use super::{Estimate, Standing};
use crate::Reuse;

/// How evenly workers answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    /// In the order of the plan.
    pub cells: Vec<BalanceCell>,
}

/// One server under one load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BalanceCell {
    /// [`crate::Cell::id`].
    pub cell: String,
    /// The server's name.
    pub server: String,
    /// How long a connection lives.
    pub reuse: Reuse,
    /// Arrivals per second where there is room to spare; absent where the server has all it can do.
    pub rate_per_s: Option<u32>,
    /// Workers that could answer.
    pub workers: u32,
    /// What became of it.
    pub standing: Standing,
    /// Requests over workers; absent where nothing was measured, or answers do not name their worker.
    pub requests: Option<Spread>,
    /// Connections over workers, by the first answer on each; absent as above.
    pub connections: Option<Spread>,
    /// Who answered connections that were made one after another; absent where none were.
    pub wake: Option<WakeOrder>,
}

/// How evenly something was spread over workers. Those that got nothing count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Workers that got anything.
    pub answered: Estimate,
    /// Jain's index: 1 where all got alike, 1/N where one of N got everything.
    pub jain: Estimate,
    /// What the busiest worker got, over the mean.
    pub max_over_mean: Estimate,
    /// Mean share of the busiest worker of each launch, of the next, and so on; one for each worker.
    pub shares: Vec<f64>,
}

/// Who answered connections that were made one after another, all workers waiting each time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WakeOrder {
    /// The workers of the first trial, each named by a letter in the order of its first answer.
    pub sequence: String,
    /// Trials behind the shares.
    pub trials: u32,
    /// Share of connections that went to a worker that had waited longest, the first of each trial
    /// left out.
    pub longest_waiting: f64,
    /// Share of connections that went to the worker of the connection before.
    pub same_again: f64,
    /// Connections from one answer of a worker to its next, on average; absent where none answered
    /// twice.
    pub turns_between: Option<f64>,
    /// What to call it.
    pub order: Order,
    /// The same in a sentence with its figures.
    pub sentence: String,
}

/// In which order waiting workers are woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// First in, first out: who has waited longest is next.
    InTurn,
    /// Last in, first out: who has just answered is next.
    LastAgain,
    /// Neither: by chance, by a hash, or by something else.
    Neither,
}

impl Order {
    /// In a few words, to stand after "woken".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InTurn => "in turn",
            Self::LastAgain => "the last again",
            Self::Neither => "neither",
        }
    }
}
