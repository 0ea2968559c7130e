//! A slowdown of known size, made on purpose: what an instrument can see is found out by showing it
//! something that is there.
//!
//! Time is taken from the monotonic clock, which is read without a system call, so that a spin of
//! 100 ns is one of 100 ns, not of a system call or two. It counts what passes while the thread is
//! kept from running, too: the CPU time burned is what was asked for only as long as the spin is
//! short beside the time a worker runs without interruption.

use std::{
    hint,
    str::FromStr,
    time::{Duration, Instant},
};

/// Longest spin: 10 ms.
const MOST_NS: u64 = 10_000_000;

/// So much longer a worker is busy with each request of a workload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spin {
    ns: u64,
}

impl Spin {
    /// Keep the calling worker busy. Without a spin this is one comparison.
    pub fn burn(self) {
        if self.ns == 0 {
            return;
        }
        let end = Instant::now() + Duration::from_nanos(self.ns);
        while Instant::now() < end {
            hint::spin_loop();
        }
    }
}

impl FromStr for Spin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse()
            .ok()
            .filter(|&ns| ns <= MOST_NS)
            .map(|ns| Self { ns })
            .ok_or_else(|| format!("say a number of nanoseconds from 0 to {MOST_NS}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spin_is_a_number_of_nanoseconds_up_to_ten_milliseconds() {
        assert_eq!("0".parse(), Ok(Spin::default()));
        assert_eq!("10000000".parse(), Ok(Spin { ns: MOST_NS }));
        for text in ["", "-1", "10000001", "1us", "99999999999999999999"] {
            assert!(text.parse::<Spin>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_spin_ends_no_sooner_than_asked() {
        let end = Instant::now() + Duration::from_millis(1);
        Spin { ns: 1_000_000 }.burn();
        assert!(Instant::now() >= end);
    }
}
