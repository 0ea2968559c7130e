//! What a generator is asked to do to the server.

use std::fmt;

use serde::Serialize;

use crate::number;

/// How requests arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Load {
    /// Each connection sends its next request once it has its answer: measures capacity.
    Closed,
    /// Requests arrive at a rate that the server has no part in: measures latency.
    Open {
        /// Over all connections.
        rate_per_s: u32,
    },
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed loop"),
            Self::Open { rate_per_s } => {
                let rate = number::grouped(f64::from(*rate_per_s));
                write!(f, "open loop, {rate} requests/s")
            }
        }
    }
}

/// One measurement, as every generator is told it in its own words.
#[derive(Clone, Debug)]
pub struct Task {
    /// How requests arrive.
    pub load: Load,
    /// Connections, all kept alive.
    pub connections: u32,
    /// How long.
    pub duration_s: u64,
    /// The CPU it runs on.
    pub cpu: usize,
    /// What to ask for.
    pub url: String,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A task as the samples of the generators' output were made with.
    pub(crate) fn task(load: Load) -> Task {
        Task {
            load,
            connections: 64,
            duration_s: 1,
            cpu: 1,
            url: "http://127.0.0.1:3000/".to_owned(),
        }
    }
}
