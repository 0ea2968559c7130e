//! Who gets the next connection: whoever has been free the longest.
//!
//! This is what Node calls round robin: a worker that has acknowledged the connection it was given is
//! free, and waits behind the others that are free. So no worker ever has more than one connection that it
//! has not acknowledged, and one that is held up is passed over. What is evened out are connections,
//! not the requests on them. An event loop is free as soon as it took a connection; a blocking
//! worker once that connection has ended, as in Stevens' designs 5 and 8.
//!
//! Nothing here waits or touches a socket: the same policy deals to processes and to threads, and a test
//! can play it.

use std::collections::{BTreeMap, VecDeque};

/// Deals connections `C` to workers named `W`.
///
/// Invariants: a worker is free, or has something to do (`Doing`), or is unknown here. While one
/// is free, no connection waits.
#[derive(Debug)]
pub struct RoundRobin<W, C> {
    waiting: VecDeque<C>,
    free: VecDeque<W>,
    busy: BTreeMap<W, Busy<C>>,
}

#[derive(Debug)]
struct Busy<C> {
    doing: Doing<C>,
    /// It is given nothing more.
    retiring: bool,
}

#[derive(Debug)]
enum Doing<C> {
    /// It was given this one and has not said that it took it.
    Given(C),
    /// It took it, and has not said that it is free: a blocking worker is, once that client has gone.
    Serving,
}

impl<W: Copy + Ord, C> RoundRobin<W, C> {
    /// No workers, no connections.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            free: VecDeque::new(),
            busy: BTreeMap::new(),
        }
    }

    /// A worker that may be given connections from now on.
    pub fn join(&mut self, worker: W) {
        if !self.busy.contains_key(&worker) && !self.free.contains(&worker) {
            self.free.push_back(worker);
        }
    }

    /// A connection to be dealt.
    pub fn arrive(&mut self, connection: C) {
        self.waiting.push_back(connection);
    }

    /// Connections that nobody was free for.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Everything that nobody was free for.
    pub fn drain_waiting(&mut self) -> impl Iterator<Item = C> {
        std::mem::take(&mut self.waiting).into_iter()
    }

    /// The next connection to pass on, and to whom; nothing where none waits or nobody is free. It stays
    /// here until it was taken.
    pub fn deal(&mut self) -> Option<(W, &mut C)> {
        if self.waiting.is_empty() {
            return None;
        }
        let worker = self.free.pop_front()?;
        let busy = Busy {
            doing: Doing::Given(self.waiting.pop_front()?),
            retiring: false,
        };
        match &mut self.busy.entry(worker).insert_entry(busy).into_mut().doing {
            Doing::Given(connection) => Some((worker, connection)),
            Doing::Serving => None,
        }
    }

    /// A worker took what it was given, which is let go here.
    pub fn took(&mut self, worker: W) {
        if let Some(busy) = self.busy.get_mut(&worker) {
            busy.doing = Doing::Serving;
        }
    }

    /// A worker may be given the next. What it was given and did not take is another's, before all that
    /// wait.
    pub fn freed(&mut self, worker: W) {
        if let Some(busy) = self.busy.remove(&worker) {
            if !busy.retiring {
                self.free.push_back(worker);
            }
            if let Doing::Given(connection) = busy.doing {
                self.waiting.push_front(connection);
            }
        }
    }

    /// A worker is given nothing more, but may still take what it was given.
    pub fn retire(&mut self, worker: W) {
        self.free.retain(|free| *free != worker);
        if let Some(busy) = self.busy.get_mut(&worker) {
            busy.retiring = true;
        }
    }

    /// A worker is gone. What it was given and did not take is another's.
    pub fn leave(&mut self, worker: W) {
        self.retire(worker);
        self.freed(worker);
    }
}

impl<W: Copy + Ord, C> Default for RoundRobin<W, C> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dealer(workers: &[u32], connections: &[char]) -> RoundRobin<u32, char> {
        let mut dealer = RoundRobin::new();
        for &worker in workers {
            dealer.join(worker);
        }
        for &one in connections {
            dealer.arrive(one);
        }
        dealer
    }

    fn deal(dealer: &mut RoundRobin<u32, char>) -> Option<(u32, char)> {
        dealer
            .deal()
            .map(|(worker, connection)| (worker, *connection))
    }

    #[test]
    fn workers_that_acknowledge_take_turns() {
        let mut dealer = dealer(&[1, 2, 3], &['a', 'b', 'c', 'd']);
        for expected in [(1, 'a'), (2, 'b'), (3, 'c')] {
            assert_eq!(deal(&mut dealer), Some(expected));
            dealer.took(expected.0);
            dealer.freed(expected.0);
        }
        assert_eq!(deal(&mut dealer), Some((1, 'd')));
    }

    #[test]
    fn a_worker_with_an_unacknowledged_connection_is_given_no_other() {
        let mut dealer = dealer(&[1, 2], &['a', 'b', 'c', 'd']);
        assert_eq!(deal(&mut dealer), Some((1, 'a')));
        assert_eq!(deal(&mut dealer), Some((2, 'b')));
        assert_eq!(deal(&mut dealer), None);
        assert_eq!(dealer.waiting(), 2);
        dealer.took(2);
        assert_eq!(deal(&mut dealer), None, "it serves what it took");
        dealer.freed(2);
        assert_eq!(deal(&mut dealer), Some((2, 'c')));
        dealer.join(1);
        assert_eq!(deal(&mut dealer), None, "joining twice frees nobody");
    }

    #[test]
    fn what_a_worker_that_leaves_had_not_acknowledged_goes_to_another_first() {
        let mut dealer = dealer(&[1, 2], &['a', 'b', 'c']);
        assert_eq!(deal(&mut dealer), Some((1, 'a')));
        assert_eq!(deal(&mut dealer), Some((2, 'b')));
        dealer.took(2);
        dealer.freed(2);
        dealer.leave(1);
        assert_eq!(deal(&mut dealer), Some((2, 'a')));
        dealer.took(2);
        dealer.freed(2);
        assert_eq!(deal(&mut dealer), Some((2, 'c')));
    }

    #[test]
    fn what_a_worker_cannot_take_goes_elsewhere() {
        let mut dealer = dealer(&[1, 2], &['a']);
        assert_eq!(deal(&mut dealer), Some((1, 'a')));
        dealer.freed(1);
        assert_eq!(deal(&mut dealer), Some((2, 'a')));
    }

    #[test]
    fn a_worker_that_retires_may_take_its_last_and_is_given_no_more() {
        let mut dealer = dealer(&[1, 2], &['a', 'b', 'c']);
        assert_eq!(deal(&mut dealer), Some((1, 'a')));
        dealer.retire(1);
        dealer.retire(2);
        dealer.took(1);
        dealer.freed(1);
        assert_eq!(deal(&mut dealer), None);
        dealer.leave(1);
        assert_eq!(dealer.waiting(), 2, "what was taken does not come back");
    }
}
