//! How a new connection finds its worker, where all workers wait on one listener. [`gated`] is the
//! same with a lock in front ([`gate`]).
//!
//! # What the kernel does
//! Each worker registers the same listening socket with an epoll instance of its own, and the
//! wait-queue entries that makes are not exclusive. A new connection therefore wakes *every* worker
//! that waits, the one that registered last first. The first to call `accept` has the connection;
//! the others find nothing and sleep again. That race is the price of the policy, and its winner
//! is not drawn evenly:
//! - A connection that comes alone goes to the worker that is scheduled first. Among workers on one
//!   CPU the scheduler favours those that ran least, so they take turns, more or less.
//! - Of connections that come together the first worker takes all, because accepting one costs
//!   less than waking another worker. With keep-alive they stay there for good: one worker serves
//!   64 connections and its neighbours none.
//!
//! # The remedy
//! A worker that shares its listener takes one connection and then lets others go first
//! ([`Sharing::WithOthers`]), in two ways: it returns to its event loop, which serves the
//! connection just accepted and looks at all sockets once; and it gives up its CPU
//! (`sched_yield`), so that workers woken on the same CPU get their turn. The first gives workers
//! on other CPUs the time to wake, the second those on this CPU the time to run: each alone leaves
//! the other case uneven. It costs one system call for each connection, and nothing for the
//! requests on it.
//!
//! Batches come out nearly even: 64 connections opened at once on four workers sharing a CPU came
//! out 64, 0, 0, 0 without it and 16, 16, 16, 16 with it; on two workers and two CPUs 64, 0 without
//! it and mostly 32, 32 with it. Connections that come one at a time stay the kernel's choice, with
//! it or without: several workers answer, but not equally many. Of 400, four workers on two CPUs
//! answered 149, 136, 84 and 31; in another run the least was 1. Evenness there needs another
//! policy.

pub mod file_lock;
pub mod gate;
pub mod gated;
pub mod mutex;
pub mod shared_words;

use std::{fmt::Display, io, time::Duration};

use nix::sched::sched_yield;
use tokio::{
    net::{TcpListener, TcpStream},
    task::yield_now,
};

use crate::{connection, drain::DrainWatch, listener::BACKLOG, say, spin::Spin, tally};

/// How long to leave a listener alone that gives no connections for want of descriptors or memory.
/// Both come back when connections end, and nothing tells of that.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// Who else accepts from a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody: one accept loop has it.
    Sole,
    /// Other processes with an accept loop each.
    WithOthers,
}

/// Accept connections and serve each as a task of its own, until the drain begins; then take what
/// the kernel has already accepted for this listener, and close it.
pub async fn run(listener: TcpListener, sharing: Sharing, spin: Spin, mut drain: DrainWatch) {
    let mut complaint = Complaint::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = drain.begun() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                adopt(stream, spin, &drain);
                if sharing == Sharing::WithOthers {
                    let_others_accept().await;
                }
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => complaint.make_and_pause(&error).await,
        }
    }
    // Without the runtime: it accepts only once its epoll has reported a connection.
    if let Ok(listener) = listener.into_std() {
        take_queue(&listener, spin, &drain);
    }
}

/// That a listener gives no connections, said once.
#[derive(Debug, Default)]
pub(crate) struct Complaint {
    made: bool,
}

impl Complaint {
    pub(crate) fn make(&mut self, error: impl Display) {
        if !self.made {
            self.made = true;
            say::trouble(
                "accept",
                format_args!(
                    "connections have to wait: {error}; raise the limit of open files (ulimit -n)"
                ),
            );
        }
    }

    async fn make_and_pause(&mut self, error: &io::Error) {
        self.make(error);
        tokio::time::sleep(PAUSE).await;
    }
}

fn adopt(stream: TcpStream, spin: Spin, drain: &DrainWatch) {
    tally::count_connection();
    tokio::spawn(connection::serve(stream, drain.admit(), spin));
}

async fn let_others_accept() {
    yield_now().await;
    // Linux has no way for this to fail.
    let _ = sched_yield();
}

/// The client gave up before it was accepted: no reason to wait before the next one.
pub(crate) fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

/// Clients in the kernel's queue are connected as far as they know, and closing the last descriptor
/// of the listener would reset them. They get their answers instead. No more than the queue can
/// hold, for while it is emptied it may fill.
fn take_queue(listener: &std::net::TcpListener, spin: Spin, drain: &DrainWatch) {
    for _ in 0..BACKLOG {
        let Ok((stream, _)) = listener.accept() else {
            return;
        };
        if stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            adopt(stream, spin, drain);
        }
    }
}
