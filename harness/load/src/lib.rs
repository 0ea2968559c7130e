//! The load generator: drives HTTP/1.1 requests at an address and accounts for every one of them.
//!
//! It knows addresses, requests and answers, and nothing of servers: whoever starts it may watch
//! the server through the [`LoadSpec::on_window`] hook, which is called as the window opens and
//! closes.
//!
//! Order of events: [`start`] starts one thread for each CPU given, pinned to it. Each opens its
//! share of the connections (a refusal ends the load there); when all are ready, the load begins, or is
//! held until [`Running::begin`], so that several may begin together.
//! The requests of the warm-up are forgotten as the window opens; as it closes, each thread hands
//! its tally over. [`Running::finish`] adds the tallies up, and [`checks`] says what speaks against
//! them.
//!
//! Four times are kept of each request: intended (when it was due), dispatched (when the generator
//! had it in hand), first write, last byte. In a closed loop a request is due as soon as its
//! connection has been answered and has thought (without time to think: as its turn to be sent
//! comes); in an open loop it is due at a time drawn
//! beforehand, any free connection takes the oldest that is due, and nothing is ever dropped.
//!
//! Invariants: `offered = completed + errors + timeouts + unfinished`, each side counted for itself;
//! every answer is checked (framing, status, body); a connection never has more than one request
//! under way.
//!
//! What fails: no connection at the start, or any wrong answer during warm-up, is a [`LoadError`];
//! inside the window it is a counted error and the connection is made anew.

mod arrivals;
mod backlog;
mod checks;
mod engine;
mod error;
mod latencies;
mod response;
mod route;
mod run;
mod slot;
mod spec;
mod tally;
mod thread_usage;
mod transport;
mod window;
mod witness;
mod worker_counts;

pub use self::{
    checks::checks,
    error::LoadError,
    latencies::Latencies,
    response::{Answer, Fed, KnownHead, Parser, ProtocolError},
    run::{Interval, Loaded, Running, start},
    spec::{Expectation, LoadSpec, Window},
    transport::TransportKind,
    witness::{BodyStart, worker_id},
};
