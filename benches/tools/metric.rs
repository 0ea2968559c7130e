//! The two ways to measure: by the clock, and by the CPU time of the whole tree of processes.

use std::time::{Duration, Instant};

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use serde::{Deserialize, Serialize};

use super::tree::{self, Mark};

/// What something took, by either way of measuring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// By the clock.
    pub wall: Duration,
    /// CPU time of everybody who took part.
    pub cpu: Duration,
}

impl Spent {
    /// What `work` takes, all workers included.
    pub fn by<T>(work: impl FnOnce() -> T) -> (Self, T) {
        let mark = tree::mark();
        let began = Instant::now();
        let done = work();
        let wall = began.elapsed();
        let cpu = mark.used();
        (Self { wall, cpu }, done)
    }

    /// As much for `count` of `of` as this is for `of`.
    #[must_use]
    pub fn scaled(self, count: u64, of: u64) -> Self {
        let factor = count as f64 / of.max(1) as f64;
        Self {
            wall: self.wall.mul_f64(factor),
            cpu: self.cpu.mul_f64(factor),
        }
    }
}

/// A measurement of criterion's that benches can be written for without knowing which it is.
pub trait Metric: Measurement<Value = Duration> + 'static {
    /// What it adds to the name of each group, so that both are kept.
    const SUFFIX: &str;

    /// Its part of what a bench measured by itself.
    fn of(spent: Spent) -> Duration;
}

impl Metric for WallTime {
    const SUFFIX: &str = "";

    fn of(spent: Spent) -> Duration {
        spent.wall.max(Duration::from_nanos(1))
    }
}

/// CPU time, user and system, of the bench and all its workers. See [`tree`] for what counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuTime;

impl Metric for CpuTime {
    const SUFFIX: &str = "-cpu";

    fn of(spent: Spent) -> Duration {
        spent.cpu.max(Duration::from_nanos(1))
    }
}

impl Measurement for CpuTime {
    type Intermediate = Mark;
    type Value = Duration;

    fn start(&self) -> Mark {
        tree::mark()
    }

    fn end(&self, mark: Mark) -> Duration {
        mark.used()
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    /// Nanoseconds look the same whoever counts them.
    fn formatter(&self) -> &dyn ValueFormatter {
        static AS_TIME: WallTime = WallTime;
        AS_TIME.formatter()
    }
}
