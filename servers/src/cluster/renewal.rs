//! Replacing workers one after another, so that all the others serve meanwhile: a rolling reload.
//!
//! For each seat in turn: an heir is made and gets ready beside the holder; once it listens the holder is
//! told to drain; once that has ended, the next seat's turn comes. There is never more than one worker too
//! many. An heir that fails ends the reload: the workers there are go on as they were.
//!
//! Workers are forks of the primary, so what is renewed is their memory and state; the program stays.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use nix::unistd::Pid;

/// Why a worker is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// All are.
    Reload,
    /// It held more memory than it may.
    Memory,
}

/// The seats whose turn is still to come, and the one whose turn it is.
#[derive(Debug, Default)]
pub struct Renewals {
    waiting: VecDeque<(usize, Reason)>,
    current: Option<Current>,
    reload: Option<Reload>,
}

#[derive(Debug)]
struct Current {
    seat: usize,
    reason: Reason,
    /// Who has to end before the next seat's turn.
    leaving: Option<Pid>,
}

/// A reload of all seats.
#[derive(Clone, Copy, Debug)]
struct Reload {
    began: Instant,
    replaced: usize,
    left: usize,
}

/// A reload that has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Workers that were replaced.
    pub replaced: usize,
    /// How long it took.
    pub took: Duration,
}

impl Renewals {
    /// Replace the workers of `seats`, in this order; false where a reload is under way already.
    pub fn reload(&mut self, seats: usize) -> bool {
        if self.reload.is_some() {
            return false;
        }
        self.reload = Some(Reload {
            began: Instant::now(),
            replaced: 0,
            left: seats,
        });
        self.waiting
            .extend((0..seats).map(|seat| (seat, Reason::Reload)));
        true
    }

    /// Replace the worker of `seat`, unless it is to be replaced anyway.
    pub fn add(&mut self, seat: usize, reason: Reason) -> bool {
        let known = self.waiting.iter().any(|(other, _)| *other == seat)
            || self.current.as_ref().is_some_and(|now| now.seat == seat);
        if !known {
            self.waiting.push_back((seat, reason));
        }
        !known
    }

    /// The seat whose turn it is from now on; nothing while another's is not over.
    pub fn begin_next(&mut self) -> Option<usize> {
        if self.current.is_some() {
            return None;
        }
        let (seat, reason) = self.waiting.pop_front()?;
        self.current = Some(Current {
            seat,
            reason,
            leaving: None,
        });
        Some(seat)
    }

    /// The heir of `seat` listens, and `holder` was told to leave.
    pub fn succeeded(&mut self, seat: usize, holder: Pid) {
        if let Some(current) = &mut self.current
            && current.seat == seat
        {
            current.leaving = Some(holder);
        }
    }

    /// A worker has ended. Tells when that was the end of a reload.
    pub fn ended(&mut self, worker: Pid) -> Option<Done> {
        let is_it = |current: &Current| current.leaving == Some(worker);
        if !self.current.as_ref().is_some_and(is_it) {
            return None;
        }
        self.over(true)
    }

    /// Nothing is left to do for `seat`: it had no holder, or there is no such seat any more.
    pub fn skip(&mut self, seat: usize) -> Option<Done> {
        let mut done = None;
        let of_reload =
            |&(other, reason): &(usize, Reason)| other == seat && reason == Reason::Reload;
        let dropped = self.waiting.iter().filter(|one| of_reload(one)).count();
        self.waiting.retain(|(other, _)| *other != seat);
        if dropped > 0 {
            done = self.count(false);
        }
        if self.current.as_ref().is_some_and(|now| now.seat == seat) {
            done = self.over(false).or(done);
        }
        done
    }

    fn over(&mut self, replaced: bool) -> Option<Done> {
        let current = self.current.take()?;
        if current.reason == Reason::Reload {
            self.count(replaced)
        } else {
            None
        }
    }

    fn count(&mut self, replaced: bool) -> Option<Done> {
        let reload = self.reload.as_mut()?;
        reload.replaced += usize::from(replaced);
        reload.left -= 1;
        if reload.left > 0 {
            return None;
        }
        let done = Done {
            replaced: reload.replaced,
            took: reload.began.elapsed(),
        };
        self.reload = None;
        Some(done)
    }

    /// An heir failed: whatever is under way or waits is off. Tells how many workers were replaced
    /// before, where it was a reload.
    pub fn give_up(&mut self) -> Option<usize> {
        self.waiting.clear();
        self.current = None;
        self.reload.take().map(|reload| reload.replaced)
    }

    /// The seat whose turn it is.
    #[must_use]
    pub fn seat(&self) -> Option<usize> {
        self.current.as_ref().map(|current| current.seat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(number: i32) -> Pid {
        Pid::from_raw(number)
    }

    #[test]
    fn seats_are_renewed_one_after_the_other_and_the_last_ends_the_reload() {
        let mut renewals = Renewals::default();
        assert!(renewals.reload(2));
        assert!(!renewals.reload(2), "one at a time");
        assert_eq!(renewals.begin_next(), Some(0));
        assert_eq!(renewals.begin_next(), None);
        renewals.succeeded(0, pid(10));
        assert_eq!(renewals.ended(pid(99)), None);
        assert_eq!(renewals.begin_next(), None);
        assert_eq!(renewals.ended(pid(10)), None);
        assert_eq!(renewals.begin_next(), Some(1));
        renewals.succeeded(1, pid(11));
        assert_eq!(renewals.ended(pid(11)).map(|done| done.replaced), Some(2));
        assert!(renewals.reload(2));
    }

    #[test]
    fn a_seat_that_needs_no_renewal_is_passed_over() {
        let mut renewals = Renewals::default();
        renewals.reload(2);
        assert_eq!(renewals.skip(1), None);
        assert_eq!(renewals.begin_next(), Some(0));
        assert_eq!(renewals.skip(0).map(|done| done.replaced), Some(0));
        assert_eq!(renewals.begin_next(), None);
    }

    #[test]
    fn a_worker_too_large_is_renewed_once_and_is_no_reload() {
        let mut renewals = Renewals::default();
        assert!(renewals.add(3, Reason::Memory));
        assert!(!renewals.add(3, Reason::Memory));
        assert_eq!(renewals.begin_next(), Some(3));
        assert!(!renewals.add(3, Reason::Memory));
        renewals.succeeded(3, pid(10));
        assert_eq!(renewals.ended(pid(10)), None);
        assert!(renewals.add(3, Reason::Memory));
    }

    #[test]
    fn an_heir_that_fails_ends_the_reload() {
        let mut renewals = Renewals::default();
        renewals.reload(3);
        renewals.begin_next();
        assert_eq!(renewals.give_up(), Some(0));
        assert_eq!(renewals.begin_next(), None);
        assert!(renewals.reload(3));
    }
}
