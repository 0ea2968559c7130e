//! Accepting on behalf of the workers, and dealing to them.
//!
//! The acceptor is the primary of a cluster or the first thread of a pool, whose loop calls it: when the
//! listener has something, and when a worker spoke. It holds what nobody is free for, up to a bound;
//! beyond that connections wait in the kernel, as they do where workers accept by themselves.

use std::{
    io,
    net::{TcpListener, TcpStream},
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{SocketFlags, accept_with},
};

use schema::Style;

use super::{lane::Word, round_robin::RoundRobin};
use crate::{accept::FOR_EVENT_LOOPS, listener::BACKLOG, say};

/// Connections that may wait here for a worker to be free.
const MOST_WAITING: usize = 256;

/// How long to leave the listener alone that gives no connections for want of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(20);

/// Accepts and deals. `C` is what is kept of a connection until it was taken.
#[derive(Debug)]
pub struct Acceptor<W, C> {
    /// Gone once nothing more is to be accepted.
    listener: Option<TcpListener>,
    /// What connections are made with: event loops want them not to block.
    flags: SocketFlags,
    dealer: RoundRobin<W, C>,
    paused_until: Option<Instant>,
    complained: bool,
}

impl<W: Copy + Ord, C: From<TcpStream>> Acceptor<W, C> {
    /// Of what arrives at `listener`, which must not block.
    #[must_use]
    pub const fn new(listener: TcpListener, style: Style) -> Self {
        let flags = match style {
            Style::Blocking => SocketFlags::CLOEXEC,
            Style::Evented => FOR_EVENT_LOOPS,
        };
        Self {
            listener: Some(listener),
            flags,
            dealer: RoundRobin::new(),
            paused_until: None,
            complained: false,
        }
    }

    /// The listener, where there is a reason to wait for it now.
    #[must_use]
    pub fn awaited(&self) -> Option<BorrowedFd<'_>> {
        let ready = self.paused_until.is_none() && self.dealer.waiting() < MOST_WAITING;
        self.listener.as_ref().filter(|_| ready).map(AsFd::as_fd)
    }

    /// When to try again to accept.
    #[must_use]
    pub const fn retry_at(&self) -> Option<Instant> {
        self.paused_until
    }

    /// Take what has arrived, at most as many as may wait.
    pub fn accept(&mut self) {
        if self
            .paused_until
            .is_some_and(|until| Instant::now() < until)
        {
            return;
        }
        self.paused_until = None;
        while self.dealer.waiting() < MOST_WAITING && self.accept_one() {}
    }

    fn accept_one(&mut self) -> bool {
        let Some(listener) = &self.listener else {
            return false;
        };
        match accept_with(listener, self.flags) {
            Ok(socket) => {
                self.dealer.arrive(TcpStream::from(socket).into());
                true
            }
            Err(Errno::AGAIN) => false,
            // The client gave up before it was accepted.
            Err(Errno::CONNABORTED | Errno::INTR | Errno::PROTO) => true,
            Err(error) => {
                self.pause(&error.into());
                false
            }
        }
    }

    fn pause(&mut self, error: &io::Error) {
        self.paused_until = Some(Instant::now() + PAUSE);
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

    /// Pass on what waits to whom is free. `pass` tells whether the worker could be given it.
    pub fn deal(&mut self, mut pass: impl FnMut(W, &mut C) -> bool) {
        while let Some((worker, connection)) = self.dealer.deal() {
            if !pass(worker, connection) {
                self.dealer.leave(worker);
            }
        }
    }

    /// A worker spoke.
    pub fn heard(&mut self, worker: W, word: Word) {
        if matches!(word, Word::Took | Word::TookAndFree) {
            self.dealer.took(worker);
        }
        if matches!(word, Word::Free | Word::TookAndFree) {
            self.dealer.freed(worker);
        }
    }

    /// A worker may be given connections from now on.
    pub fn join(&mut self, worker: W) {
        self.dealer.join(worker);
    }

    /// A worker is given nothing more.
    pub fn retire(&mut self, worker: W) {
        self.dealer.retire(worker);
    }

    /// A worker is gone.
    pub fn leave(&mut self, worker: W) {
        self.dealer.leave(worker);
    }

    /// The listener, as long as anything is accepted.
    #[must_use]
    pub fn listener(&self) -> Option<BorrowedFd<'_>> {
        self.listener.as_ref().map(AsFd::as_fd)
    }

    /// Accept what the kernel has connected already, and nothing after that; pass it all to `workers`
    /// in turn, busy or not, for they are about to be told to finish what they have and end.
    pub fn close(&mut self, workers: &[W], mut pass: impl FnMut(W, &mut C) -> bool) {
        self.paused_until = None;
        // No more than the queue can hold, for while it is emptied it may fill.
        for _ in 0..BACKLOG {
            if !self.accept_one() {
                break;
            }
        }
        self.listener = None;
        let mut turns = workers.iter().cycle();
        for mut connection in self.dealer.drain_waiting() {
            let mut tries = turns.by_ref().take(workers.len());
            // One that nobody can take is lost.
            let _ = tries.any(|&worker| pass(worker, &mut connection));
        }
    }
}
