//! Connections from a listener that blocks, which other workers may wait on as well.
//!
//! # What the kernel does
//! Workers asleep in `accept` are in one line, and a new connection wakes the first of them only:
//! there is no race that all but one lose, and who waits longest is next.
//!
//! # The drain
//! The listener goes on blocking, for the flag that says so belongs to the open socket and to all
//! who have it. So taking what is left without waiting needs help: a worker that saw a connection
//! may find that another took it, and would sleep. It has itself interrupted then, and knows that
//! nothing is left.

use std::{
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{SocketFlags, accept_with},
};

use super::{
    Source,
    attention::{Attention, knocks},
    standing::{Purpose, Severable, retiring},
};
use crate::{listener::BACKLOG, poll, say};

/// How long to leave a listener alone that gives no connections for want of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(20);

/// A listener as the source of connections.
#[derive(Debug)]
pub struct Listening<'a> {
    listener: Severable<'a>,
    complained: bool,
    /// How many the queue may have held when the drain began. While it is emptied it may fill.
    may_be_left: i32,
}

impl<'a> Listening<'a> {
    /// Accept from `listener`, which must block. Threads each need a number of their own for it, as
    /// [`TcpListener::try_clone`] gives.
    #[must_use]
    pub fn new(listener: TcpListener, attention: &'a Attention) -> Self {
        Self {
            listener: Severable::new(Purpose::Arrivals, listener.into(), attention),
            complained: false,
            may_be_left: BACKLOG,
        }
    }

    fn complain(&mut self, error: Errno) {
        if !self.complained {
            self.complained = true;
            say::trouble(
                "accept",
                format_args!(
                    "connections have to wait: {error}; raise the limit of open files (ulimit -n)"
                ),
            );
        }
    }
}

impl Source for Listening<'_> {
    fn next(&mut self) -> Option<TcpStream> {
        while !retiring() {
            match accept_with(self.listener.to_block_on(), SocketFlags::CLOEXEC) {
                Ok(stream) => return Some(stream.into()),
                Err(_) if retiring() => {}
                Err(Errno::INTR) => {}
                Err(error) if concerns_one_connection(error) => {}
                Err(error) => {
                    self.complain(error);
                    thread::sleep(PAUSE);
                }
            }
        }
        None
    }

    fn left(&mut self) -> Option<TcpStream> {
        while self.may_be_left > 0 {
            let listener = self.listener.kept();
            let readable = poll::readable(&[listener], Some(Instant::now())).ok()?;
            if !readable[0] {
                return None;
            }
            let _knocks = knocks().ok()?;
            self.may_be_left -= 1;
            match accept_with(listener, SocketFlags::CLOEXEC) {
                Ok(stream) => return Some(stream.into()),
                Err(error) if concerns_one_connection(error) => {}
                Err(_) => return None,
            }
        }
        None
    }
}

/// The client gave up before it was accepted: no reason to wait before the next one.
fn concerns_one_connection(error: Errno) -> bool {
    matches!(error, Errno::CONNABORTED | Errno::CONNRESET)
}
