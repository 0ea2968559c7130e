//! A new worker for each connection, which ends with it: inetd's design, and Stevens' designs 1 and 6.
//!
//! Whoever accepts makes a worker and hands it the connection by making it: a forked process has it
//! already, a thread is given it. There is nobody to keep alive, to replace or to scale; the number of
//! workers is only the most there are at once, beyond which connections wait in the kernel.
//!
//! [`processes`] and [`threads`] differ in how a worker is made and how its end is noticed. What they
//! have in common is [`Places`].

use std::net::TcpStream;

use crate::blocking::Source;

pub mod processes;
pub mod threads;

/// The one connection of a worker.
#[derive(Debug)]
pub struct Once(Option<TcpStream>);

impl Source for Once {
    fn next(&mut self) -> Option<TcpStream> {
        self.0.take()
    }

    fn left(&mut self) -> Option<TcpStream> {
        self.0.take()
    }
}

/// Places for so many workers at once. A worker's slot and its desk in the ledger have its place's
/// number.
#[derive(Debug)]
pub struct Places {
    free: Vec<usize>,
    count: usize,
}

impl Places {
    /// All free; the first to be taken is 0.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let free = (0..count).rev().collect();
        Self { free, count }
    }

    /// A free place, if there is one.
    pub fn take(&mut self) -> Option<usize> {
        self.free.pop()
    }

    /// Its worker has ended.
    pub fn give_back(&mut self, place: usize) {
        self.free.push(place);
    }

    /// Whether there is a free one.
    #[must_use]
    pub const fn is_any_free(&self) -> bool {
        !self.free.is_empty()
    }

    /// Workers there are.
    #[must_use]
    pub const fn taken(&self) -> usize {
        self.count - self.free.len()
    }
}
