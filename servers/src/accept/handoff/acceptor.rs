//! Accepting on behalf of the workers, and dealing to them.
//!
//! The acceptor is the primary of a cluster or the first thread of a pool, whose loop calls it: when the
//! listener has something, and when a worker spoke. It holds what nobody is free for, up to a bound;
//! beyond that connections wait in the kernel, as they do where workers accept by themselves.

use std::{io, net::TcpStream, time::Instant};

use super::{lane::Word, round_robin::RoundRobin};
use crate::{
    accept::{Complaint, PAUSE, entrance::Entrance},
    reactor::Reactor,
};

/// Connections that may wait here for a worker to be free.
const MOST_WAITING: usize = 256;

/// What came of passing a connection on.
#[derive(Debug)]
pub enum Passed {
    /// The worker has it, or will.
    On,
    /// The worker is gone.
    ToNobody,
    /// The worker is there, but the kernel does not carry the connection to it now.
    NotNow(io::Error),
}

/// Accepts and deals. `C` is what is kept of a connection until it was taken.
#[derive(Debug)]
pub struct Acceptor<W, C> {
    entrance: Entrance,
    dealer: RoundRobin<W, C>,
    /// Nothing is passed on before, for the kernel would not carry it.
    held_until: Option<Instant>,
    complaint: Complaint,
}

impl<W: Copy + Ord, C: From<TcpStream>> Acceptor<W, C> {
    /// Of what arrives at `entrance`.
    #[must_use]
    pub fn new(entrance: Entrance) -> Self {
        Self {
            entrance,
            dealer: RoundRobin::new(),
            held_until: None,
            complaint: Complaint::default(),
        }
    }

    /// Watch the entrance as long as what arrives there could be had and kept.
    ///
    /// # Errors
    /// No memory is left.
    pub fn watch(&mut self, reactor: &Reactor) -> io::Result<()> {
        let wanted = self.dealer.waiting() < MOST_WAITING;
        self.entrance.watch(reactor, wanted)
    }

    /// When to accept and deal again, although nothing is told of.
    #[must_use]
    pub fn retry_at(&self) -> Option<Instant> {
        let times = [self.entrance.retry_at(), self.held_until];
        times.into_iter().flatten().min()
    }

    /// Take what has arrived, at most as many as may wait.
    pub fn accept(&mut self) {
        while self.dealer.waiting() < MOST_WAITING
            && let Some(stream) = self.entrance.accept()
        {
            self.dealer.arrive(stream.into());
        }
    }

    /// Pass on what waits to whom is free. To be called whenever either may have changed.
    pub fn deal(&mut self, mut pass: impl FnMut(W, &mut C) -> Passed) {
        if self.held_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        self.held_until = None;
        while let Some((worker, connection)) = self.dealer.deal() {
            match pass(worker, connection) {
                Passed::On => {}
                Passed::ToNobody => self.dealer.leave(worker),
                Passed::NotNow(error) => {
                    self.dealer.freed(worker);
                    self.held_until = Some(Instant::now() + PAUSE);
                    self.complaint.make_of(&error);
                    return;
                }
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
        mut pass: impl FnMut(W, &mut C) -> Passed,
    ) {
        for stream in self.entrance.close(reactor) {
            self.dealer.arrive(stream.into());
        }
        let mut turns = workers.iter().cycle();
        for mut connection in self.dealer.drain_waiting() {
            let mut tries = turns.by_ref().take(workers.len());
            // One that nobody can take is lost.
            let _ = tries.any(|&worker| matches!(pass(worker, &mut connection), Passed::On));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use schema::Style;

    use super::*;
    use crate::listener::listen;

    #[test]
    fn a_worker_that_cannot_be_handed_a_connection_now_is_handed_it_later() {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (listener, address) = listen(anywhere, Style::Evented).unwrap();
        let entrance = Entrance::new(listener, Style::Blocking, 1);
        let mut acceptor: Acceptor<u32, TcpStream> = Acceptor::new(entrance);
        acceptor.join(7);
        let client = TcpStream::connect(address).unwrap();
        acceptor.accept();
        let mut tries = 0;
        acceptor.deal(|_, _| {
            tries += 1;
            Passed::NotNow(io::ErrorKind::WouldBlock.into())
        });
        acceptor.deal(|_, _| unreachable!("it is to wait a little"));
        assert_eq!(tries, 1);
        assert!(acceptor.retry_at().is_some());

        acceptor.held_until = Some(Instant::now());
        let mut handed = None;
        acceptor.deal(|worker, connection| {
            handed = Some((worker, connection.peer_addr().unwrap()));
            Passed::On
        });
        assert_eq!(handed, Some((7, client.local_addr().unwrap())));
        assert!(acceptor.retry_at().is_none());
    }
}
