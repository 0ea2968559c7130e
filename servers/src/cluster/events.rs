//! The life of a worker, as it is told.
//!
//! People read a few lines on stdout: who is running, started, died, is replaced. Programs ask for
//! `--events` and get every event as one line of JSON, under the names that Node's cluster module has
//! for them. A program that stops reading loses events ([`say`]); workers are not kept waiting for it.

use std::time::{SystemTime, UNIX_EPOCH};

use nix::{sys::wait::WaitStatus, unistd::Pid};
use serde::Serialize;

use crate::say;

/// What happened to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The primary made it.
    Fork,
    /// It runs, and has said so.
    Online,
    /// It accepts connections.
    Listening,
    /// It accepts no more.
    Disconnect,
    /// It has ended.
    Exit {
        /// It was told to: stopped, scaled away or replaced.
        wanted: bool,
        /// Its exit code, where it had one.
        code: Option<i32>,
        /// The signal that ended it, where one did.
        signal: Option<&'static str>,
    },
}

impl Event {
    /// How a process ended; nothing where it did not end.
    #[must_use]
    pub fn exit(status: WaitStatus, wanted: bool) -> Option<(Pid, Self)> {
        let (worker, code, signal) = match status {
            WaitStatus::Exited(worker, code) => (worker, Some(code), None),
            WaitStatus::Signaled(worker, signal, _) => (worker, None, Some(signal.as_str())),
            _ => return None,
        };
        let event = Self::Exit {
            wanted,
            code,
            signal,
        };
        Some((worker, event))
    }
}

#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    event: Event,
    worker: i32,
    seat: usize,
    /// Workers that accept connections, after it.
    listening: usize,
    at_unix_ns: u64,
}

/// Whether every event is told.
#[derive(Clone, Copy, Debug)]
pub struct Teller {
    every_event: bool,
}

impl Teller {
    /// Of a few lines, or of `every_event` as well.
    #[must_use]
    pub const fn new(every_event: bool) -> Self {
        Self { every_event }
    }

    /// Tell programs.
    ///
    /// # Panics
    /// Never: numbers and short names are always JSON.
    pub fn event(self, worker: Pid, seat: usize, listening: usize, event: Event) {
        if !self.every_event {
            return;
        }
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let line = Line {
            event,
            worker: worker.as_raw(),
            seat,
            listening,
            at_unix_ns: u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX),
        };
        say::line(serde_json::to_string(&line).expect("numbers and short names are always JSON"));
    }
}
