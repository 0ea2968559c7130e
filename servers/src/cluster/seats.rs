//! The seats of a cluster, in their order: as many as the operator wants workers.
//!
//! Each is a [`Seat`]. Where one is asked for that is no more, nobody is in it and nothing happens: a
//! seat may be given up while its worker is still ending.

use std::time::Instant;

use nix::unistd::Pid;

use super::seat::{Life, Loss, Seat};

/// All of them.
#[derive(Debug)]
pub struct Seats(Vec<Seat>);

impl Seats {
    /// So many, for each of which a worker is due.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let mut seats = Self(Vec::new());
        for _ in 0..count {
            seats.add();
        }
        seats
    }

    /// One more, for which a worker is due.
    pub fn add(&mut self) {
        let mut seat = Seat::default();
        seat.call();
        self.0.push(seat);
    }

    /// The last one is given up. Who had it.
    pub fn remove(&mut self) -> Vec<Pid> {
        let workers = |seat: Seat| seat.workers().collect();
        self.0.pop().map(workers).unwrap_or_default()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// When the next worker may be made.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.0.iter().filter_map(Seat::due).min()
    }

    /// A seat for which a worker may be made now; then none is due there any more.
    pub fn take_due(&mut self, now: Instant) -> Option<usize> {
        self.0.iter_mut().position(|seat| seat.take_due(now))
    }

    /// Have a worker made for `seat` now, whatever happened before: the heir, where it has a holder.
    /// Whether it has.
    pub fn call(&mut self, seat: usize) -> bool {
        let Some(seat) = self.0.get_mut(seat) else {
            return false;
        };
        seat.call();
        seat.holder().is_some()
    }

    /// A worker was made for `seat`.
    pub fn settle(&mut self, seat: usize, worker: Pid) {
        if let Some(seat) = self.0.get_mut(seat) {
            seat.settle(worker);
        }
    }

    /// A worker of `seat` listens. Whom it succeeds.
    pub fn succeed(&mut self, seat: usize, worker: Pid) -> Option<Pid> {
        self.0.get_mut(seat)?.succeed(worker)
    }

    /// Whether `seat` is that worker's.
    #[must_use]
    pub fn is_of(&self, seat: usize, worker: Pid) -> bool {
        self.0.get(seat).is_some_and(|seat| seat.is_of(worker))
    }

    /// A worker of `seat` died, having lived like that.
    pub fn lose(&mut self, seat: usize, worker: Pid, life: Life, now: Instant) -> Loss {
        let seat = self.0.get_mut(seat);
        seat.map_or(Loss::Nothing, |seat| seat.lose(worker, life, now))
    }

    /// Whether each has a holder of whom this is true.
    pub fn all_held(&self, is_true: impl Fn(Pid) -> bool) -> bool {
        let held = |seat: &Seat| seat.holder().is_some_and(&is_true);
        self.0.iter().all(held)
    }

    /// The seats whose holders are not being replaced, and these.
    pub fn settled(&self) -> impl Iterator<Item = (usize, Pid)> {
        let seats = self.0.iter().enumerate();
        seats.filter_map(|(number, seat)| Some((number, seat.lone_holder()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(number: i32) -> Pid {
        Pid::from_raw(number)
    }

    #[test]
    fn a_worker_is_due_for_every_seat_from_the_first_on_and_once() {
        let mut seats = Seats::new(2);
        seats.add();
        let now = Instant::now();
        let due: Vec<usize> = std::iter::from_fn(|| seats.take_due(now)).collect();
        assert_eq!((due, seats.due()), (vec![0, 1, 2], None));
    }

    #[test]
    fn all_are_held_once_the_last_one_is() {
        let mut seats = Seats::new(2);
        seats.settle(0, pid(10));
        assert!(!seats.all_held(|_| true));
        seats.settle(1, pid(11));
        assert!(seats.all_held(|_| true));
        assert!(!seats.all_held(|worker| worker == pid(10)));
    }

    #[test]
    fn a_seat_with_a_holder_is_called_for_an_heir_and_not_for_replacement_twice() {
        let mut seats = Seats::new(1);
        assert!(!seats.call(0), "nobody has it yet");
        seats.settle(0, pid(10));
        assert!(seats.call(0));
        assert_eq!(seats.settled().collect::<Vec<_>>(), [(0, pid(10))]);
        seats.settle(0, pid(11));
        assert_eq!(seats.settled().count(), 0);
        assert_eq!(seats.succeed(0, pid(11)), Some(pid(10)));
    }

    #[test]
    fn nothing_happens_in_a_seat_that_is_no_more() {
        let mut seats = Seats::new(2);
        seats.settle(1, pid(11));
        assert!(seats.is_of(1, pid(11)) && !seats.is_of(0, pid(11)));
        assert_eq!(seats.remove(), [pid(11)]);
        assert!(!seats.is_of(1, pid(11)));
        let now = Instant::now();
        assert_eq!(seats.lose(1, pid(11), Life::FalseStart, now), Loss::Nothing);
        assert!(!seats.call(1));
        assert_eq!((seats.succeed(1, pid(11)), seats.count()), (None, 1));
    }
}
