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

use rustix::net::SocketFlags;
use tokio::net::TcpStream;

pub mod exclusive;
pub mod handoff;
pub mod per_connection;
pub mod reuseport;
pub mod shared;

use crate::{connection, drain::DrainWatch, spin::Spin, tally};

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
