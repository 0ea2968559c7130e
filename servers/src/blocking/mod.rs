//! The blocking style: a worker serves one connection at a time, by calls that sleep in the kernel.
//!
//! It accepts, reads, answers, writes, and accepts the next one when the connection has ended. Two
//! things follow. While it serves one client, others wait, even where that client is silent; so a
//! connection ends after a number of requests, and a client that keeps its connection open without
//! asking keeps the worker. And orders reach a worker that sleeps only by interrupting it
//! ([`standing`]), which [`attention`] sees to.
//!
//! # Order of events
//! Heed orders, make the source, accept until told to retire or drain; finish the connection being served,
//! serve what was connected before without waiting for more, end. What needs longer than the drain
//! timeout is cut, and so is everything once the worker is told to hurry. A worker asleep in a
//! handler (`/wait` and `/block` both sleep here) or busy in one hears of orders when that is over.
//!
//! # What fails
//! Setting up. Once it accepts, a worker lives until it is told to end.

pub mod attention;
pub mod connection;
pub mod listening;
pub mod standing;
pub mod turn;
pub mod wire;

use std::{net::TcpStream, sync::Arc, time::Duration};

use crate::{
    end::End,
    failure::Failure,
    limits,
    messages::{self, ToPrimary},
    spin::Spin,
    tally,
};

pub use self::{
    attention::{Attention, Interrupter},
    listening::Listening,
};
use self::{
    connection::{Close, Wish},
    standing::{hurried, retiring},
    wire::{Buffer, Deadline, Wire},
};

/// Where a blocking worker's connections come from.
pub trait Source {
    /// The next connection, which must block, after waiting for it; none once the worker has been
    /// told to retire or drain, or none will come.
    fn next(&mut self) -> Option<TcpStream>;

    /// During the drain: a connection that was there before, without waiting.
    fn left(&mut self) -> Option<TcpStream>;
}

/// On what terms connections are served.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// So much longer each request of a workload takes.
    pub spin: Spin,
    /// How long the drain may take.
    pub drain_timeout: Duration,
    /// After how many requests a connection is closed.
    pub keep_alive_requests: u32,
}

/// Serve the connections of `source`, one after the other, in the thread of `attention`, until told
/// to end. `accepting` is called before the first is waited for.
///
/// # Errors
/// The process may open too few files.
pub fn run(
    mut source: impl Source,
    attention: &Attention,
    terms: Terms,
    accepting: impl FnOnce(),
) -> Result<End, Failure> {
    limits::check()?;
    let worker = Worker {
        attention,
        deadline: Deadline::after(terms.drain_timeout),
        buffer: wire::buffer(),
        wish: Arc::default(),
        terms,
    };
    accepting();
    let mut close = Close::Done;
    while close == Close::Done
        && !retiring()
        && let Some(stream) = source.next()
    {
        close = worker.serve(stream);
    }
    // A primary that is gone takes this worker with it.
    let _ = messages::tell(ToPrimary::Leaving);
    Ok(worker.finish(close, source))
}

struct Worker<'a> {
    attention: &'a Attention,
    deadline: Deadline,
    buffer: Buffer,
    wish: Arc<Wish>,
    terms: Terms,
}

impl Worker<'_> {
    fn serve(&self, stream: TcpStream) -> Close {
        tally::count_connection();
        let wire = Wire::new(stream, &self.buffer, &self.deadline, self.attention);
        connection::serve(&wire, &self.terms, &self.wish)
    }

    /// The drain, after the connection that was open when it began.
    fn finish(&self, mut close: Close, mut source: impl Source) -> End {
        while close == Close::Done && !hurried() && !self.deadline.left().is_zero() {
            match source.left() {
                Some(stream) => close = self.serve(stream),
                None if hurried() => break,
                None => return End::Drained,
            }
        }
        let cut = usize::from(close == Close::Cut);
        if hurried() {
            return End::Hurried(cut);
        }
        // Clients that are connected as far as they know lose their connections with the worker.
        let mut unserved = 0;
        while source.left().is_some() {
            unserved += 1;
        }
        End::TimedOut(cut + unserved)
    }
}
