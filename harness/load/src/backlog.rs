//! Requests that are due and wait for a free connection, of all threads together.
//!
//! The oldest goes first, to whichever connection of whichever thread is free first: with a queue
//! for each thread, a request could wait for its own while another's connections are idle. The lock
//! is taken only where requests do wait.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// A request that is due. Times are nanoseconds since the load began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// When it was to be sent.
    pub intended_ns: u64,
    /// When the generator had it in hand.
    pub dispatched_ns: u64,
    /// Whether it has been counted as offered to the window.
    pub offered: bool,
}

/// The queue, and which threads could serve it.
#[derive(Debug, Default)]
pub struct Backlog {
    waiting: Mutex<VecDeque<Due>>,
    length: AtomicUsize,
    has_free: Vec<AtomicBool>,
}

impl Backlog {
    /// An empty queue for so many threads.
    pub fn new(threads: usize) -> Self {
        Self {
            has_free: (0..threads).map(|_| AtomicBool::new(false)).collect(),
            ..Self::default()
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.length.load(Ordering::SeqCst)
    }

    /// Says whether a thread has free connections.
    pub fn set_free(&self, thread: usize, free: bool) {
        self.has_free[thread].store(free, Ordering::SeqCst);
    }

    /// Puts a request at the end. Returns a thread that has a free connection for it, to be woken.
    pub fn push(&self, due: Due) -> Option<usize> {
        self.change(|waiting| waiting.push_back(due));
        self.has_free
            .iter()
            .position(|free| free.load(Ordering::SeqCst))
    }

    /// Takes the oldest.
    pub fn pop(&self) -> Option<Due> {
        if self.len() == 0 {
            return None;
        }
        self.change(VecDeque::pop_front)
    }

    /// Takes the oldest if it was due before `ns`.
    pub fn pop_before(&self, ns: u64) -> Option<Due> {
        if self.len() == 0 {
            return None;
        }
        self.change(|waiting| waiting.pop_front_if(|due| due.intended_ns < ns))
    }

    fn change<T>(&self, change: impl FnOnce(&mut VecDeque<Due>) -> T) -> T {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut waiting);
        self.length.store(waiting.len(), Ordering::SeqCst);
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(intended_ns: u64) -> Due {
        Due {
            intended_ns,
            dispatched_ns: intended_ns,
            offered: true,
        }
    }

    #[test]
    fn the_oldest_goes_first_and_a_thread_with_room_is_named() {
        let backlog = Backlog::new(2);
        assert_eq!(backlog.push(due(1)), None);
        backlog.set_free(1, true);
        assert_eq!(backlog.push(due(2)), Some(1));
        assert_eq!(backlog.pop_before(1), None);
        assert_eq!(backlog.pop_before(2), Some(due(1)));
        assert_eq!((backlog.pop(), backlog.pop()), (Some(due(2)), None));
    }
}
