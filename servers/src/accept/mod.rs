//! How a new connection finds its worker. One policy a file; each serves processes and threads.
//!
//! | policy | where a connection waits | who is woken |
//! |---|---|---|
//! | [`shared`] | in one queue of the kernel | every event loop; of blocking workers the one that waits longest |
//! | [`exclusive`] | the same | one event loop, or few |
//! | [`reuseport`] | in a queue for each worker | its worker |
//! | [`handoff`] | with the acceptor | the acceptor, then one worker |
//! | [`file_lock`], [`mutex`] ([`gate`]) | in one queue of the kernel | whoever holds the lock |
//! | [`per_connection`] | nowhere | a new worker |
//! | stealing ([`crate::threads`]) | in one queue of the kernel | one thread; others take over what waits for it |

pub mod entrance;
pub mod exclusive;
pub mod file_lock;
pub mod gate;
pub mod gated;
pub mod handoff;
pub mod mutex;
pub mod per_connection;
pub mod reuseport;
pub mod shared;
pub mod shared_words;

use std::{fmt::Display, io, time::Duration};

use nix::sched::sched_yield;
use rustix::net::SocketFlags;
use tokio::{net::TcpStream, task::yield_now};

use crate::{connection, drain::DrainWatch, listener::BACKLOG, say, spin::Spin, tally};

/// How long to leave a listener alone that gives no connections for want of descriptors or memory,
/// or the kernel that makes no worker for one. Both come back when connections end, and nothing tells of that.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// How an event loop wants its connections.
pub(crate) const FOR_EVENT_LOOPS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// Serve a connection that does not block as a task of its own. One that the event loop has no room for
/// is lost, as it is where the kernel has none to accept it.
pub(crate) fn adopt(stream: std::net::TcpStream, spin: Spin, drain: &DrainWatch) {
    if let Ok(stream) = TcpStream::from_std(stream) {
        adopt_registered(stream, spin, drain);
    }
}

/// The same, of one that is registered with the event loop.
pub(crate) fn adopt_registered(stream: TcpStream, spin: Spin, drain: &DrainWatch) {
    tally::count_connection();
    tokio::spawn(connection::serve(stream, drain.admit(), spin));
}

/// That a listener gives no connections, said once.
#[derive(Debug, Default)]
pub(crate) struct Complaint {
    made: bool,
}

impl Complaint {
    /// `why` says what to do, too.
    pub(crate) fn make(&mut self, why: impl Display) {
        if !self.made {
            self.made = true;
            say::trouble("accept", format_args!("connections have to wait: {why}"));
        }
    }

    /// The kernel gives none.
    pub(crate) fn make_of(&mut self, error: &io::Error) {
        self.make(format_args!(
            "{error}; raise the limit of open files (ulimit -n)"
        ));
    }

    pub(crate) async fn make_of_and_pause(&mut self, error: &io::Error) {
        self.make_of(error);
        tokio::time::sleep(PAUSE).await;
    }
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
        if stream.set_nonblocking(true).is_ok() {
            adopt(stream, spin, drain);
        }
    }
}
