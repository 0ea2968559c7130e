//! What all workers served, in memory that they share: each counts in a seat of its own, and the
//! primary reads them all.
//!
//! # Invariants
//! - A ledger is made before there is any worker. Forked processes and threads alike then see the
//!   one mapping. It is never unmapped: a server makes one, which ends with it.
//! - A seat has one writer at a time: the worker that took it, or, once that worker has ended, whoever
//!   takes or vacates the seat next. Counting is therefore a plain load and a plain store, with no
//!   locked instruction between them.
//! - What was counted in a seat only grows. A worker that takes a seat notes what its predecessors
//!   had counted and goes on from there, so its own share is a difference, and no sum over all seats
//!   ever goes down: neither when a worker dies nor while another takes its seat.
//!
//! # Order of events
//! [`Ledger::new`], (fork,) [`Ledger::take`] by each worker, counting; [`Ledger::take`] again by the
//! successor of one that died, or [`Ledger::vacate`] where there is none.
//!
//! # What fails
//! Making it, where there is no memory. A worker killed in the midst of taking a seat leaves it
//! marked: it is not listed until the next one takes it, and what was counted in it still counts.

use std::{
    hint::spin_loop,
    ptr::null_mut,
    slice,
    sync::atomic::{
        AtomicU32, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
        fence,
    },
    time::{SystemTime, UNIX_EPOCH},
};

use nix::unistd::{getpid, gettid};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
use serde::{Deserialize, Serialize};

/// How often a seat is looked at that is just being taken, before it is left out.
const LOOKS: u32 = 16;

/// No memory for a ledger.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot share {bytes} bytes of memory among workers: {error}; free memory or raise its limit (ulimit -v)"
)]
pub struct LedgerError {
    bytes: usize,
    error: rustix::io::Errno,
}

/// One worker's own account of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatStats {
    /// Its place among the workers, from 0.
    pub seat: usize,
    /// How many workers have had the seat, this one included.
    pub generation: u64,
    /// The worker's kernel task id, as its answers name it.
    pub worker: u32,
    /// The process it is in; equal to `worker` where the worker is a process.
    pub pid: u32,
    /// Requests answered by this worker.
    pub requests: u64,
    /// Connections accepted by this worker. Where threads steal from one another, the worker that
    /// accepts is not always the one that answers.
    pub connections: u64,
    /// When the worker began, since the Unix epoch.
    pub started_unix_ns: u64,
}

/// What all workers served, those included that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests answered.
    pub requests: u64,
    /// Connections accepted.
    pub connections: u64,
}

/// Where one worker counts.
///
/// Two cache lines apart, because processors fetch lines in pairs: a worker that counts must not
/// take its neighbour's line away.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Seat {
    /// Of all who ever had the seat.
    requests: AtomicU64,
    connections: AtomicU64,
    /// Of those before the present worker.
    requests_before: AtomicU64,
    connections_before: AtomicU64,
    /// Odd while the fields below and the two above change hands.
    version: AtomicU64,
    generation: AtomicU64,
    started_unix_ns: AtomicU64,
    /// 0 where the seat is vacant: no task has that id.
    worker: AtomicU32,
    pid: AtomicU32,
}

impl Seat {
    /// Its worker answers a request.
    #[inline]
    pub fn count_request(&self) {
        increment(&self.requests);
    }

    /// Its worker accepted a connection.
    #[inline]
    pub fn count_connection(&self) {
        increment(&self.connections);
    }

    /// Who has it, and what that worker has served; nothing where it is vacant or being taken.
    #[must_use]
    pub fn stats(&self, seat: usize) -> Option<SeatStats> {
        for _ in 0..LOOKS {
            let version = self.version.load(Acquire);
            // What was counted before is read before what was counted since, which only grows.
            let requests_before = self.requests_before.load(Relaxed);
            let connections_before = self.connections_before.load(Relaxed);
            let generation = self.generation.load(Relaxed);
            let started_unix_ns = self.started_unix_ns.load(Relaxed);
            let worker = self.worker.load(Relaxed);
            let pid = self.pid.load(Relaxed);
            let counted = self.totals();
            fence(Acquire);
            if version.is_multiple_of(2) && version == self.version.load(Relaxed) {
                return (worker != 0).then(|| SeatStats {
                    seat,
                    generation,
                    worker,
                    pid,
                    requests: counted.requests.saturating_sub(requests_before),
                    connections: counted.connections.saturating_sub(connections_before),
                    started_unix_ns,
                });
            }
            spin_loop();
        }
        None
    }

    fn totals(&self) -> Totals {
        Totals {
            requests: self.requests.load(Relaxed),
            connections: self.connections.load(Relaxed),
        }
    }

    /// Give it to another worker, or to none (0).
    fn pass_on(&self, worker: u32, pid: u32, started_unix_ns: u64) {
        // One that was killed in the midst of this left an odd number.
        let changing = self.version.load(Relaxed) | 1;
        self.version.store(changing, Relaxed);
        fence(Release);
        let counted = self.totals();
        self.requests_before.store(counted.requests, Relaxed);
        self.connections_before.store(counted.connections, Relaxed);
        self.started_unix_ns.store(started_unix_ns, Relaxed);
        self.worker.store(worker, Relaxed);
        self.pid.store(pid, Relaxed);
        if worker != 0 {
            increment(&self.generation);
        }
        self.version.store(changing + 1, Release);
    }
}

/// One more, where nobody else writes.
#[inline]
fn increment(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed) + 1, Relaxed);
}

/// The seats of all workers.
#[derive(Clone, Copy, Debug)]
pub struct Ledger {
    seats: &'static [Seat],
}

impl Ledger {
    /// Vacant seats for so many workers, processes or threads, that are made after this.
    ///
    /// # Errors
    /// There is no memory.
    #[allow(unsafe_code)]
    pub fn new(seats: u32) -> Result<Self, LedgerError> {
        let seats = seats as usize;
        let bytes = (seats * size_of::<Seat>()).max(1);
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let mapping = unsafe { mmap_anonymous(null_mut(), bytes, protection, MapFlags::SHARED) }
            .map_err(|error| LedgerError { bytes, error })?;
        // SAFETY: the mapping is as long as the slice, begins with a page and so is aligned for a
        // seat, and is never unmapped. It is all zeros, which atomics may be; whoever writes to it,
        // in this process or in another, does so through atomics.
        let seats = unsafe { slice::from_raw_parts(mapping.cast::<Seat>(), seats) };
        Ok(Self { seats })
    }

    /// One seat, for a worker without colleagues. It is not shared with forked processes.
    #[must_use]
    pub fn alone() -> Self {
        let seats = Box::leak(Box::new([Seat::default()]));
        Self { seats }
    }

    /// How many seats there are.
    #[must_use]
    pub const fn seats(&self) -> usize {
        self.seats.len()
    }

    /// The calling thread is the worker in this seat from now on. Its predecessor must have ended.
    ///
    /// # Panics
    /// There is no such seat.
    #[must_use]
    pub fn take(&self, seat: usize) -> &'static Seat {
        let taken = self.seat(seat);
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        taken.pass_on(
            gettid().as_raw().cast_unsigned(),
            getpid().as_raw().cast_unsigned(),
            u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX),
        );
        taken
    }

    /// Nobody has this seat from now on. For its worker as it ends, or for the primary once it has
    /// ended; without it, a worker that ended is listed until its successor takes the seat.
    ///
    /// # Panics
    /// There is no such seat.
    pub fn vacate(&self, seat: usize) {
        self.seat(seat).pass_on(0, 0, 0);
    }

    /// All workers that have a seat, in the order of seats.
    #[must_use]
    pub fn read(&self) -> Vec<SeatStats> {
        self.seats
            .iter()
            .enumerate()
            .filter_map(|(number, seat)| seat.stats(number))
            .collect()
    }

    /// What was counted in all seats by whoever had them. Never less than it was before, nor less
    /// than the sum over an earlier [`Self::read`].
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.seats
            .iter()
            .map(Seat::totals)
            .fold(Totals::default(), |sum, seat| Totals {
                requests: sum.requests + seat.requests,
                connections: sum.connections + seat.connections,
            })
    }

    fn seat(&self, number: usize) -> &'static Seat {
        self.seats.get(number).unwrap_or_else(|| {
            let seats = self.seats.len();
            panic!("seat {number} in a ledger of {seats}: make it for as many as there will be")
        })
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_reader_never_sees_half_a_change_of_hands() {
        let ledger = Ledger::new(1).unwrap();
        let workers = thread::spawn(move || {
            for _ in 0..10_000 {
                for id in 1..10 {
                    ledger.seats[0].pass_on(id, id, id.into());
                    ledger.seats[0].count_request();
                }
                ledger.vacate(0);
            }
        });
        while !workers.is_finished() {
            for stats in ledger.read() {
                assert_eq!(stats.worker, stats.pid);
                assert_eq!(u64::from(stats.worker), stats.started_unix_ns);
                assert!(stats.requests <= 1, "{stats:?}");
            }
        }
        assert_eq!(ledger.totals().requests, 90_000);
        assert_eq!(ledger.read(), []);
    }

    #[test]
    fn a_worker_killed_while_it_takes_a_seat_is_not_listed_and_loses_no_count() {
        let ledger = Ledger::alone();
        let seat = ledger.take(0);
        seat.count_request();
        seat.version.store(seat.version.load(Relaxed) | 1, Relaxed);
        assert_eq!(ledger.read(), []);
        assert_eq!(ledger.totals().requests, 1);

        ledger.take(0).count_request();
        assert_eq!(ledger.read()[0].requests, 1);
        assert_eq!(ledger.totals().requests, 2);
    }

    #[test]
    fn neighbours_share_no_cache_line() {
        assert_eq!(size_of::<Seat>(), 128);
    }
}
