//! The acceptor among threads: the first thread's, which hands every connection on over a channel.

use std::{
    io,
    net::TcpStream,
    os::fd::{AsFd, BorrowedFd},
    time::Instant,
};

use crate::{
    accept::{
        entrance::Entrance,
        handoff::{
            acceptor::{Acceptor, Passed},
            lane::{self, ChannelLane, Line, Words},
        },
    },
    reactor::Reactor,
};

/// An acceptor, and a lane from it to each worker.
#[derive(Debug)]
pub struct Desk {
    /// A channel takes the connection itself, so none is kept once it is passed on.
    acceptor: Acceptor<usize, Option<TcpStream>>,
    lanes: Vec<ChannelLane>,
    words: Words,
}

impl Desk {
    /// For so many workers, with the end of each one's lane.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new(entrance: Entrance, workers: usize) -> io::Result<(Self, Vec<Line>)> {
        let words = Words::new()?;
        let lane = |worker| lane::to_thread(worker, words.clone());
        let (lanes, ends) = (0..workers).map(lane).unzip();
        let mut acceptor = Acceptor::new(entrance);
        for worker in 0..workers {
            acceptor.join(worker);
        }
        let desk = Self {
            acceptor,
            lanes,
            words,
        };
        Ok((desk, ends))
    }

    /// Readable when workers spoke.
    #[must_use]
    pub fn words(&self) -> BorrowedFd<'_> {
        self.words.as_fd()
    }

    /// Have the reactor tell of connections as long as somebody could have them.
    ///
    /// # Errors
    /// No memory is left.
    pub fn watch(&mut self, reactor: &Reactor) -> io::Result<()> {
        self.acceptor.watch(reactor)
    }

    /// When to watch again for connections that could not be had.
    #[must_use]
    pub fn retry_at(&self) -> Option<Instant> {
        self.acceptor.retry_at()
    }

    /// Take what has arrived.
    pub fn accept(&mut self) {
        self.acceptor.accept();
    }

    /// Take what workers said.
    pub fn hear(&mut self) {
        for (worker, word) in self.words.take() {
            self.acceptor.heard(worker, word);
        }
    }

    /// Hand on what has arrived to whom is free.
    pub fn deal(&mut self) {
        let lanes = &self.lanes;
        self.acceptor
            .deal(|worker, connection| pass(lanes, worker, connection));
    }

    /// Pass on all there is, and let workers know that nothing more will come.
    pub fn close(mut self, reactor: &Reactor) {
        reactor.forget(&self.words);
        let workers: Vec<usize> = (0..self.lanes.len()).collect();
        let lanes = &self.lanes;
        self.acceptor
            .close(reactor, &workers, |worker, connection| {
                pass(lanes, worker, connection)
            });
    }
}

fn pass(lanes: &[ChannelLane], worker: usize, connection: &mut Option<TcpStream>) -> Passed {
    let (Some(lane), Some(stream)) = (lanes.get(worker), connection.take()) else {
        return Passed::ToNobody;
    };
    match lane.pass(stream) {
        Ok(()) => Passed::On,
        Err(refused) => {
            *connection = Some(refused);
            Passed::ToNobody
        }
    }
}
