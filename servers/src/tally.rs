//! Who serves, and what it has served: one tally for each worker, kept in its thread.
//!
//! A worker is whoever runs the handler: a process, or a thread. Both have a kernel task id, which
//! for the first thread of a process is its pid. A worker begins its tally with a seat of the
//! [`Ledger`] that it shares with its colleagues; one that never did has a ledger to itself with
//! the first use. A primary that forks must never touch its own tally: its children would inherit
//! its id.
//!
//! Counters are in the seat, where others can read them and only this worker writes: to count is to
//! load, add and store, and no atomic read-modify-write is paid.

use std::cell::{Cell, RefCell};

use bytes::Bytes;
use nix::unistd::gettid;

use crate::ledger::{Ledger, Seat, SeatStats};

/// Where a worker counts.
#[derive(Clone, Copy, Debug)]
struct Place {
    seat: &'static Seat,
    number: usize,
    ledger: Ledger,
}

/// What a worker says.
struct Greeting {
    hello: Bytes,
    /// The last body that [`hello_of`] made: requests of one load all ask for the same.
    long_hello: RefCell<Bytes>,
}

thread_local! {
    static PLACE: Cell<Option<Place>> = const { Cell::new(None) };
    static GREETING: Greeting = Greeting::new();
}

impl Greeting {
    fn new() -> Self {
        let worker = gettid();
        Self {
            hello: Bytes::from(format!("Hello from worker {worker}\n")),
            long_hello: RefCell::default(),
        }
    }
}

/// The calling thread is a worker from now on, in this seat of `ledger`. Whoever had the seat before
/// must have ended.
///
/// # Panics
/// There is no such seat.
pub fn begin(ledger: Ledger, seat: usize) {
    take(ledger, seat);
    GREETING.with(|_| ());
}

fn take(ledger: Ledger, number: usize) -> Place {
    let place = Place {
        seat: ledger.take(number),
        number,
        ledger,
    };
    PLACE.set(Some(place));
    place
}

fn place() -> Place {
    PLACE.get().unwrap_or_else(place_alone)
}

/// The seat alone, so that counting copies nothing else of the place.
#[inline]
fn seat() -> &'static Seat {
    match PLACE.get() {
        Some(place) => place.seat,
        None => place_alone().seat,
    }
}

#[cold]
fn place_alone() -> Place {
    take(Ledger::alone(), 0)
}

/// The calling worker accepted a connection.
pub fn count_connection() {
    seat().count_connection();
}

/// The calling worker answers a request.
pub fn count_request() {
    seat().count_request();
}

/// The body of every good answer of the calling worker: `Hello from worker <id>\n`, made once.
#[must_use]
pub fn hello() -> Bytes {
    GREETING.with(|greeting| greeting.hello.clone())
}

/// The same, followed by dots, `bytes` in all; cut where it is not that long.
#[must_use]
pub fn hello_of(bytes: u32) -> Bytes {
    let length = bytes as usize;
    GREETING.with(|greeting| {
        let mut last = greeting.long_hello.borrow_mut();
        if last.len() != length {
            let mut body = greeting.hello.to_vec();
            body.resize(length, b'.');
            *last = body.into();
        }
        last.clone()
    })
}

/// The ledger that the calling worker counts in.
#[must_use]
pub fn ledger() -> Ledger {
    place().ledger
}

/// What the calling worker has served so far.
///
/// # Panics
/// Its seat was vacated or given away while it still serves.
#[must_use]
pub fn stats() -> SeatStats {
    let Place { seat, number, .. } = place();
    seat.stats(number)
        .expect("a seat is its worker's until the worker has ended")
}
