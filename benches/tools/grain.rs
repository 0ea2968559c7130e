//! Pieces of pure computing of a given length: a fixed number of steps, so that the work is the same
//! wherever it is done, and a result that shows that it was done.

use std::{hint::black_box, sync::OnceLock, time::Duration};

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// One job, cut into pieces of equal length.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cut {
    steps: u64,
    /// What each piece comes to.
    results: Vec<u64>,
}

impl Cut {
    /// A job of so many pieces, each of about `grain` of CPU time on this machine. All of it is done once,
    /// to know the results.
    ///
    /// # Errors
    /// The kernel does not tell the CPU time of a thread.
    pub fn new(pieces: usize, grain: Duration) -> anyhow::Result<Self> {
        let steps = steps_in(grain)?;
        let results = (0..pieces).map(|piece| compute(piece, steps)).collect();
        Ok(Self { steps, results })
    }

    /// How many pieces there are.
    #[must_use]
    pub const fn pieces(&self) -> usize {
        self.results.len()
    }

    /// Do one piece, counted from 0.
    #[must_use]
    pub fn compute(&self, piece: usize) -> u64 {
        compute(piece, self.steps)
    }

    /// Whether that is what the piece comes to.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self, piece: usize, result: u64) -> anyhow::Result<()> {
        let due = self.results.get(piece).copied();
        anyhow::ensure!(
            due == Some(result),
            "piece {piece} came to {result}, and {due:?} was due"
        );
        Ok(())
    }
}

/// A chain: every step needs the one before, so there is nothing to do at once, and no shorter way.
fn compute(piece: usize, steps: u64) -> u64 {
    (0..steps).fold(black_box(piece as u64 + 1), |state, step| {
        (state ^ (state >> 29) ^ step).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    })
}

/// How many steps take so much CPU time. Found once, so that both ways of measuring see the same work.
fn steps_in(grain: Duration) -> anyhow::Result<u64> {
    const TRIED: u64 = 200_000;
    static TOOK: OnceLock<Duration> = OnceLock::new();
    let took = if let Some(&took) = TOOK.get() {
        took
    } else {
        let mut shortest = Duration::MAX;
        for _ in 0..10 {
            let before = thread_clock()?;
            black_box(compute(0, TRIED));
            shortest = shortest.min(thread_clock()?.saturating_sub(before));
        }
        *TOOK.get_or_init(|| shortest)
    };
    let steps = u128::from(TRIED) * grain.as_nanos() / took.as_nanos().max(1);
    Ok(u64::try_from(steps)?.max(1))
}

fn thread_clock() -> nix::Result<Duration> {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_comes_to_what_is_due_and_to_nothing_else() {
        let cut = Cut::new(3, Duration::from_micros(10)).unwrap();
        for piece in 0..cut.pieces() {
            let result = cut.compute(piece);
            cut.check(piece, result).unwrap();
            cut.check(piece, result ^ 1).unwrap_err();
            cut.check((piece + 1) % 3, result).unwrap_err();
        }
        cut.check(3, cut.compute(3)).unwrap_err();
    }

    #[test]
    fn a_piece_of_ten_times_the_grain_has_ten_times_the_steps() {
        let short = steps_in(Duration::from_micros(100)).unwrap();
        let long = steps_in(Duration::from_millis(1)).unwrap();
        assert!(long.abs_diff(10 * short) <= 10, "{short} and {long}");
    }
}
