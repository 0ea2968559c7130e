//! What passing connections on costs a server, predicted from the price of one handoff, beside what was
//! measured.

use serde::{Deserialize, Serialize};

use super::Estimate;
use crate::{Reuse, Style, Worker};

/// One server of the grid that passes its connections on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandoffShare {
    /// What a worker is.
    pub worker: Worker,
    /// How workers wait for their connections.
    pub style: Style,
    /// How long a connection lives.
    pub reuse: Reuse,
    /// CPU time of one handoff by itself, as `cargo bench` found it, ns.
    pub per_connection_ns: Estimate,
    /// Connections made for each request answered.
    pub connections_per_request: Estimate,
    /// CPU time of the server for each request, ns.
    pub cpu_ns_per_request: Estimate,
    /// Share of that CPU time which handoffs should take: cost times connections. Its interval is that of
    /// the cost.
    pub predicted: Estimate,
    /// The same with the two wake-ups more that a connection brings to an acceptor that sleeps in between, by the
    /// connection and by the worker's word: a round trip from one worker to another on one CPU. It has calls in it
    /// that the handoff has too, so it is a bound from above. Absent where that was not measured.
    pub with_wake_ups: Option<Estimate>,
    /// Share of it which a server of the same workers does without that waits on a shared listener.
    pub measured: Estimate,
}
