//! How much memory workers hold, and when to look.

use std::time::{Duration, Instant};

use nix::unistd::Pid;
use procfs::process::Process;

use crate::options::KeepingOptions;

/// Proportional set size: pages that it shares with others are counted in part. Nothing where the
/// kernel does not tell, as of a process that has ended.
#[must_use]
pub fn pss_bytes(worker: Pid) -> Option<u64> {
    let rollup = Process::new(worker.as_raw()).ok()?.smaps_rollup().ok()?;
    let map = rollup.memory_map_rollup.iter().next()?;
    map.extension.map.get("Pss").copied()
}

/// How much a worker may hold, and when they are weighed next.
#[derive(Clone, Copy, Debug)]
pub struct Scales {
    most_bytes: u64,
    every: Duration,
    next: Instant,
}

impl Scales {
    /// As the operator wants it; nothing where workers may hold what they like.
    #[must_use]
    pub fn new(options: KeepingOptions, now: Instant) -> Option<Self> {
        let every = options.memory_every;
        options.max_memory.map(|most_bytes| Self {
            most_bytes,
            every,
            next: now + every,
        })
    }

    /// What a worker may hold.
    #[must_use]
    pub const fn most_bytes(&self) -> u64 {
        self.most_bytes
    }

    /// When workers are to be weighed.
    #[must_use]
    pub const fn next(&self) -> Instant {
        self.next
    }

    /// Whether workers are to be weighed now; then not again until the next time.
    pub fn take_due(&mut self, now: Instant) -> bool {
        let is_due = self.next <= now;
        if is_due {
            self.next = now + self.every;
        }
        is_due
    }

    /// What a worker holds, where it is too much.
    #[must_use]
    pub fn excess_bytes(&self, worker: Pid) -> Option<u64> {
        pss_bytes(worker).filter(|&held| held > self.most_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(max_memory: Option<u64>) -> KeepingOptions {
        KeepingOptions {
            max_memory,
            memory_every: Duration::from_secs(2),
            events: false,
        }
    }

    #[test]
    fn workers_are_weighed_only_where_there_is_a_limit_and_then_once_in_a_while() {
        let now = Instant::now();
        assert!(Scales::new(options(None), now).is_none());
        let mut scales = Scales::new(options(Some(1)), now).unwrap();
        assert!(!scales.take_due(now));
        let later = scales.next();
        assert!(scales.take_due(later));
        assert!(!scales.take_due(later), "once");
        assert_eq!(scales.next() - later, Duration::from_secs(2));
    }

    #[test]
    fn a_process_that_is_there_holds_something() {
        let here = Pid::this();
        let bytes = pss_bytes(here).unwrap();
        let mut scales = Scales::new(options(Some(bytes / 2)), Instant::now()).unwrap();
        assert!(scales.excess_bytes(here).is_some());
        scales.most_bytes = u64::MAX;
        assert_eq!(scales.excess_bytes(here), None);
    }
}
