//! The load generator: drives HTTP/1.1 requests at an address and accounts for every one of them.
//!
//! It knows addresses, requests and answers, and nothing of servers: whoever starts it may watch
//! the server through the [`LoadSpec::on_window`] hook, which is called as the window opens and
//! closes.
//!
//! Order of events: [`start`] opens all connections (a refusal ends it there), one thread for each
//! CPU given, pinned to it, sends warm-up requests, resets its tally as the
//! window opens, stops sending as it closes, and hands its tally over. [`Running::finish`] adds the
//! tallies up.
//!
//! Invariants: `offered = completed + errors + timeouts + unfinished`; every answer is checked
//! (framing, status, body); a connection never has more than one request under way.
//!
//! What fails: no connection at the start, or any wrong answer during warm-up, is a [`LoadError`];
//! inside the window it is a counted error and the connection is made anew.

mod connection;
mod engine;
mod error;
mod response;
mod run;
mod spec;
mod tally;
mod witness;

pub use self::{
    error::LoadError,
    response::{Answer, Fed, Parser, ProtocolError},
    run::{Loaded, Running, start},
    spec::{Expectation, LoadSpec, Window},
    witness::{BodyStart, worker_id},
};
