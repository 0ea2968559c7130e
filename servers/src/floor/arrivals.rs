//! The listener, and what to do when it gives no connections.
//!
//! It is registered edge-triggered, so the kernel tells once of connections that come together, and
//! all are accepted. Where descriptors or memory are short, they wait in the kernel's queue, and
//! nothing tells when there are enough again; so it is tried from time to time, and the loop sleeps
//! in between.

use std::{
    net::TcpListener,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{SocketFlags, accept_with},
};

use crate::say;

/// How long to leave a listener alone that gives no connections for want of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(20);

/// The side on which connections arrive.
#[derive(Debug)]
pub struct Arrivals {
    listener: TcpListener,
    /// When to try again, where the last try failed for want of anything.
    retry_at: Option<Instant>,
    complained: bool,
}

impl Arrivals {
    /// Takes a listener that does not block.
    #[must_use]
    pub const fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            retry_at: None,
            complained: false,
        }
    }

    /// When to accept again, although the kernel tells of nothing.
    #[must_use]
    pub const fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// The next connection that waits, as a socket that does not block. Nothing where none waits,
    /// or none can be had now.
    pub fn accept(&mut self) -> Option<OwnedFd> {
        self.retry_at = None;
        loop {
            match accept_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(socket) => return Some(socket),
                Err(Errno::AGAIN) => return None,
                // The client gave up before it was accepted: no reason to wait before the next one.
                Err(Errno::CONNABORTED | Errno::CONNRESET | Errno::INTR) => {}
                Err(error) => {
                    self.retry_at = Some(Instant::now() + PAUSE);
                    self.complain(error);
                    return None;
                }
            }
        }
    }

    fn complain(&mut self, error: Errno) {
        if !self.complained {
            self.complained = true;
            say::trouble(
                "floor",
                format_args!(
                    "connections have to wait: {error}; raise the limit of open files (ulimit -n)"
                ),
            );
        }
    }
}

impl AsFd for Arrivals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}
