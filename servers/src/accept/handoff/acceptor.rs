//! Accepting on behalf of the workers, and dealing to them.
//!
//! The acceptor is the primary of a cluster or the first thread of a pool, whose loop calls it: when the
//! listener has something, and when a worker spoke. It holds what nobody is free for, up to a bound;
//! beyond that connections wait in the kernel, as they do where workers accept by themselves.

use std::{io, net::TcpStream, time::Instant};

use super::{lane::Word, round_robin::RoundRobin};
use crate::{accept::entrance::Entrance, reactor::Reactor};

/// Connections that may wait here for a worker to be free.
const MOST_WAITING: usize = 256;

/// Accepts and deals. `C` is what is kept of a connection until it was taken.
#[derive(Debug)]
pub struct Acceptor<W, C> {
    entrance: Entrance,
    dealer: RoundRobin<W, C>,
}

impl<W: Copy + Ord, C: From<TcpStream>> Acceptor<W, C> {
    /// Of what arrives at `entrance`.
    #[must_use]
    pub const fn new(entrance: Entrance) -> Self {
        let dealer = RoundRobin::new();
        Self { entrance, dealer }
    }

    /// Watch the entrance as long as what arrives there could be had and kept.
    ///
    /// # Errors
    /// No memory is left.
    pub fn watch(&mut self, reactor: &Reactor) -> io::Result<()> {
        let wanted = self.dealer.waiting() < MOST_WAITING;
        self.entrance.watch(reactor, wanted)
    }

    /// When to try again to accept.
    #[must_use]
    pub const fn retry_at(&self) -> Option<Instant> {
        self.entrance.retry_at()
    }

    /// Take what has arrived, at most as many as may wait.
    pub fn accept(&mut self) {
        while self.dealer.waiting() < MOST_WAITING
            && let Some(stream) = self.entrance.accept()
        {
            self.dealer.arrive(stream.into());
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

    /// Accept what the kernel has connected already, and nothing after that; pass it all to `workers`
    /// in turn, busy or not, for they are about to be told to finish what they have and end.
    pub fn close(
        &mut self,
        reactor: &Reactor,
        workers: &[W],
        mut pass: impl FnMut(W, &mut C) -> bool,
    ) {
        for stream in self.entrance.close(reactor) {
            self.dealer.arrive(stream.into());
        }
        let mut turns = workers.iter().cycle();
        for mut connection in self.dealer.drain_waiting() {
            let mut tries = turns.by_ref().take(workers.len());
            // One that nobody can take is lost.
            let _ = tries.any(|&worker| pass(worker, &mut connection));
        }
    }
}
