//! Who serves, and what it has served: one tally for each worker, kept in its thread.
//!
//! A worker is whoever runs the handler: a process, or a thread. Both have a kernel task id, which
//! for the first thread of a process is its pid. The tally begins with the first use in a thread,
//! so a primary that forks must never touch it: its children would inherit its id.
//!
//! Counters are plain cells: no other thread can see them, and no atomic operation is paid.

use std::{
    cell::{Cell, RefCell},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use nix::unistd::{getpid, gettid};
use serde::Serialize;

/// What `/stats` answers, as JSON: one worker's own account of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// The worker's kernel task id, as its answers name it.
    pub worker: u32,
    /// The process it is in; equal to `worker` where the worker is a process.
    pub pid: u32,
    /// Requests answered by this worker, the present one included.
    pub requests: u64,
    /// Connections accepted by this worker. Where threads steal from one another, the worker that
    /// accepts is not always the one that answers.
    pub connections: u64,
    /// When the worker began, since the Unix epoch.
    pub started_unix_ns: u64,
}

struct Tally {
    worker: u32,
    pid: u32,
    started_unix_ns: u64,
    hello: Bytes,
    /// The last body that [`hello_of`] made: requests of one load all ask for the same.
    long_hello: RefCell<Bytes>,
    requests: Cell<u64>,
    connections: Cell<u64>,
}

thread_local! {
    static TALLY: Tally = Tally::begin();
}

impl Tally {
    fn begin() -> Self {
        let worker = gettid().as_raw().cast_unsigned();
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            worker,
            pid: getpid().as_raw().cast_unsigned(),
            started_unix_ns: u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX),
            hello: Bytes::from(format!("Hello from worker {worker}\n")),
            long_hello: RefCell::default(),
            requests: Cell::new(0),
            connections: Cell::new(0),
        }
    }
}

/// The calling thread is a worker from now on.
pub fn begin() {
    TALLY.with(|_| ());
}

/// The calling worker accepted a connection.
pub fn count_connection() {
    TALLY.with(|tally| tally.connections.set(tally.connections.get() + 1));
}

/// The calling worker answers a request.
pub fn count_request() {
    TALLY.with(|tally| tally.requests.set(tally.requests.get() + 1));
}

/// The body of every good answer of the calling worker: `Hello from worker <id>\n`, made once.
#[must_use]
pub fn hello() -> Bytes {
    TALLY.with(|tally| tally.hello.clone())
}

/// The same, followed by dots, `bytes` in all; cut where it is not that long.
#[must_use]
pub fn hello_of(bytes: u32) -> Bytes {
    let length = bytes as usize;
    TALLY.with(|tally| {
        let mut last = tally.long_hello.borrow_mut();
        if last.len() != length {
            let mut body = tally.hello.to_vec();
            body.resize(length, b'.');
            *last = body.into();
        }
        last.clone()
    })
}

/// What the calling worker has served so far.
#[must_use]
pub fn stats() -> Stats {
    TALLY.with(|tally| Stats {
        worker: tally.worker,
        pid: tally.pid,
        requests: tally.requests.get(),
        connections: tally.connections.get(),
        started_unix_ns: tally.started_unix_ns,
    })
}
