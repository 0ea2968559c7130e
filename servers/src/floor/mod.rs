//! A hand-written event loop with a ready-made answer: what serving HTTP on one CPU costs at least.
//!
//! Its figure says how much of another server's cost is the kernel's and would be there whatever
//! program asked it. It is no model to choose, and takes part in no verdict: it serves `/` and
//! nothing else.
//!
//! # What a request costs
//! One `recv`, one `send`, and its share of an `epoll_wait`; nothing is allocated, no head is
//! parsed that was parsed just before ([`responder`]), no clock is read but once for each wake of
//! the loop. Sockets are registered once, edge-triggered, and the registration of one changes only
//! if its client was found not to read. A connection whose only request is there when it is accepted
//! is never registered at all.
//!
//! # On the way of a request
//! 1. [`event_loop`]: waiting, accepting ([`arrivals`]), giving each connection its turn, draining.
//! 2. [`connection`]: one socket, and what of its bytes is not dealt with yet.
//! 3. [`responder`]: bytes of requests in, bytes of answers out; [`head`] reads what is new, and
//!    [`answers`] has the bytes ready.
//!
//! # What fails
//! What is wrong with a request is told in its answer (404, 405), or, where it cannot be understood,
//! in an answer that ends the connection (400, 431), field for field as hyper does. One thing is
//! less: a request with a body ends its connection, for bodies are not read. What is wrong with a connection ends that connection. Only a loop that cannot be
//! made, or cannot wait, ends the server.

use nix::sys::signal::Signal;
use schema::{Accept, Model, Style, Worker};

use crate::{
    failure::Failure, limits, listener::listen, options::FloorOptions, say, signals::Signals,
};

pub mod answers;
pub mod arrivals;
pub mod connection;
pub mod event_loop;
pub mod head;
pub mod responder;

/// Its cell of the grid, which it has in common with `single`.
pub const MODEL: Model = Model {
    worker: Worker::Process,
    style: Style::Evented,
    accept: Accept::Shared,
};

/// Serve until told to stop.
///
/// # Errors
/// See [`Failure`].
pub fn run(options: &FloorOptions) -> Result<(), Failure> {
    limits::check()?;
    let signals = Signals::take(&[Signal::SIGTERM, Signal::SIGINT])?;
    let (listener, address) = listen(options.server.socket_address(), Style::Evented)?;
    let event_loop = event_loop::EventLoop::new(listener, signals)?;
    say::ready(address, MODEL, 1);
    event_loop
        .run(options.server.drain_timeout)?
        .report("floor");
    Ok(())
}
