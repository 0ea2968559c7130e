//! Event loops that all wait on one listener.
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

use std::io;

use tokio::net::{TcpListener, TcpStream};

use super::{Complaint, adopt_registered, concerns_one_connection, let_others_accept, take_queue};
use crate::{drain::DrainWatch, spin::Spin};

/// Who else accepts from a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody: one accept loop has it.
    Sole,
    /// Other processes with an accept loop each.
    WithOthers,
}

/// A listener that an event loop waits for.
pub trait Listening: Send {
    /// The next connection.
    fn accept(&mut self) -> impl Future<Output = io::Result<TcpStream>> + Send;
    /// Without the event loop.
    ///
    /// # Errors
    /// The event loop does not let it go, or no descriptor is left.
    fn into_std(self) -> io::Result<std::net::TcpListener>;
}

impl Listening for TcpListener {
    async fn accept(&mut self) -> io::Result<TcpStream> {
        TcpListener::accept(self).await.map(|(stream, _)| stream)
    }

    fn into_std(self) -> io::Result<std::net::TcpListener> {
        TcpListener::into_std(self)
    }
}

/// Accept connections and serve each as a task of its own, until the drain begins; then take what
/// the kernel has already accepted for this listener, and close it.
pub async fn run(
    mut listener: impl Listening,
    sharing: Sharing,
    spin: Spin,
    mut drain: DrainWatch,
) {
    let mut complaint = Complaint::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = drain.begun() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(stream) => {
                adopt_registered(stream, spin, &drain);
                if sharing == Sharing::WithOthers {
                    let_others_accept().await;
                }
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => complaint.make_of_and_pause(&error).await,
        }
    }
    // Without the runtime: it accepts only once its epoll has reported a connection.
    if let Ok(listener) = listener.into_std() {
        take_queue(&listener, spin, &drain);
    }
}
