//! One seat of a cluster: who has it, who is to have it, and when the next worker may be made for it.
//!
//! A seat is a worker's place among the others, a number from 0. It outlives the worker: whatever
//! belongs to it, as a slot or a listener of its own, has one worker after the other. While a worker is
//! replaced it has two, the holder and the heir, which takes its place once it listens.
//!
//! # Respawn
//! A worker that dies is succeeded at once. One that dies before it listens, or soon after without
//! having answered anything, has made a false start: the next waits, twice as long each time. After
//! [`MOST_FALSE_STARTS`] in a row the seat is left empty, for the next would fare no better.

use std::time::{Duration, Instant};

use nix::unistd::Pid;

/// So many false starts in a row mean that the next would be one, too.
pub const MOST_FALSE_STARTS: u32 = 5;

/// A worker that lived so long without an answer did not fail to start; there was nobody to answer.
pub const SHORT_LIFE: Duration = Duration::from_secs(1);

/// The wait after the first false start.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// What a seat has lost by a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing: the worker had been succeeded.
    Nothing,
    /// Its heir, before it listened.
    Heir,
    /// Its holder, whose heir has the place now.
    HolderWithHeir,
    /// Its holder.
    Holder(Outlook),
}

/// A worker's place.
#[derive(Debug, Default)]
pub struct Seat {
    /// Who serves, or is starting to where there is nobody to succeed.
    holder: Option<Pid>,
    /// Who will, once it listens.
    heir: Option<Pid>,
    /// When the next worker may be made; absent where none is due.
    due: Option<Instant>,
    false_starts: u32,
}

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It served, or could have.
    Lived,
    /// It ended before it was of any use.
    FalseStart,
}

/// What becomes of a seat whose holder died without an heir.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// A successor is due.
    Succession,
    /// It is left empty.
    CrashLoop,
}

impl Seat {
    /// A worker is due now, whatever happened before.
    pub fn call(&mut self) {
        self.false_starts = 0;
        self.due = Some(Instant::now());
    }

    /// When the next worker may be made.
    #[must_use]
    pub const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether a worker may be made now; then none is due any more.
    pub fn take_due(&mut self, now: Instant) -> bool {
        let is_due = self.due.is_some_and(|due| due <= now);
        if is_due {
            self.due = None;
        }
        is_due
    }

    /// Who has it, and who is to.
    pub fn workers(&self) -> impl Iterator<Item = Pid> {
        [self.holder, self.heir].into_iter().flatten()
    }

    /// Whether that worker has it, or is to.
    #[must_use]
    pub fn is_of(&self, worker: Pid) -> bool {
        self.workers().any(|other| other == worker)
    }

    /// Who has it.
    #[must_use]
    pub const fn holder(&self) -> Option<Pid> {
        self.holder
    }

    /// Who has it, where it is not being replaced.
    #[must_use]
    pub fn lone_holder(&self) -> Option<Pid> {
        self.holder.filter(|_| self.heir.is_none())
    }

    /// A worker was made for it.
    pub fn settle(&mut self, worker: Pid) {
        match self.holder {
            None => self.holder = Some(worker),
            Some(_) => self.heir = Some(worker),
        }
    }

    /// A worker of this seat listens. If it is the heir it has the place now, and whom it succeeds
    /// is told.
    pub fn succeed(&mut self, worker: Pid) -> Option<Pid> {
        if self.heir != Some(worker) {
            return None;
        }
        self.heir = None;
        self.holder.replace(worker)
    }

    /// A worker of this seat died, having lived like that.
    pub fn lose(&mut self, worker: Pid, life: Life, now: Instant) -> Loss {
        if self.heir == Some(worker) {
            self.heir = None;
            Loss::Heir
        } else if self.holder != Some(worker) {
            Loss::Nothing
        } else if let Some(heir) = self.heir.take() {
            self.holder = Some(heir);
            Loss::HolderWithHeir
        } else {
            Loss::Holder(self.bereave(life, now))
        }
    }

    fn bereave(&mut self, life: Life, now: Instant) -> Outlook {
        self.holder = None;
        let wait = match life {
            Life::Lived => {
                self.false_starts = 0;
                Duration::ZERO
            }
            Life::FalseStart => {
                self.false_starts += 1;
                if self.false_starts >= MOST_FALSE_STARTS {
                    self.due = None;
                    return Outlook::CrashLoop;
                }
                FIRST_WAIT * 2_u32.pow(self.false_starts - 1)
            }
        };
        self.due = Some(now + wait);
        Outlook::Succession
    }

    /// Nobody has it and nobody will.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.holder.is_none() && self.heir.is_none() && self.due.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(number: i32) -> Pid {
        Pid::from_raw(number)
    }

    #[test]
    fn an_heir_has_the_place_once_it_listens() {
        let mut seat = Seat::default();
        seat.settle(pid(1));
        assert_eq!(seat.succeed(pid(1)), None, "it has it");
        assert_eq!(seat.lone_holder(), Some(pid(1)));
        seat.settle(pid(2));
        assert_eq!((seat.holder(), seat.lone_holder()), (Some(pid(1)), None));
        assert_eq!(seat.succeed(pid(2)), Some(pid(1)));
        assert_eq!(seat.workers().collect::<Vec<_>>(), [pid(2)]);
    }

    #[test]
    fn what_a_death_means_depends_on_whose_it_is() {
        let now = Instant::now();
        let mut seat = Seat::default();
        seat.settle(pid(1));
        seat.settle(pid(2));
        assert_eq!(seat.lose(pid(9), Life::Lived, now), Loss::Nothing);
        assert_eq!(seat.lose(pid(2), Life::FalseStart, now), Loss::Heir);
        assert_eq!(seat.holder(), Some(pid(1)));
        seat.settle(pid(3));
        assert_eq!(seat.lose(pid(1), Life::Lived, now), Loss::HolderWithHeir);
        assert_eq!((seat.lone_holder(), seat.due()), (Some(pid(3)), None));
        let loss = seat.lose(pid(3), Life::Lived, now);
        assert_eq!(loss, Loss::Holder(Outlook::Succession));
        assert_eq!((seat.holder(), seat.due()), (None, Some(now)));
    }

    #[test]
    fn a_worker_that_lived_is_succeeded_at_once() {
        let (mut seat, now) = (Seat::default(), Instant::now());
        assert_eq!(seat.bereave(Life::Lived, now), Outlook::Succession);
        assert!(seat.take_due(now));
        assert!(!seat.take_due(now), "once");
    }

    #[test]
    fn after_each_false_start_the_wait_is_twice_as_long_and_the_fifth_is_the_last() {
        let (mut seat, now) = (Seat::default(), Instant::now());
        let mut waits = Vec::new();
        while seat.bereave(Life::FalseStart, now) == Outlook::Succession {
            waits.push((seat.due().unwrap() - now).as_millis());
        }
        assert_eq!(waits, [50, 100, 200, 400]);
        assert!(seat.is_empty());
    }

    #[test]
    fn a_life_between_false_starts_forgives_them() {
        let (mut seat, now) = (Seat::default(), Instant::now());
        for _ in 0..3 {
            for _ in 0..MOST_FALSE_STARTS - 1 {
                assert_eq!(seat.bereave(Life::FalseStart, now), Outlook::Succession);
            }
            assert_eq!(seat.bereave(Life::Lived, now), Outlook::Succession);
        }
    }
}
