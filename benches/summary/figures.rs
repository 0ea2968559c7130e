//! From samples to figures: a cost with its interval, a ratio with its own, and who costs more.
//!
//! Criterion's samples of one benchmark are taken one right after the other, within a second, so whatever
//! disturbs the machine for a tenth of it disturbs many of them alike, and they are not independent. So they
//! are cut into [`BLOCKS`] runs of consecutive samples, of about as many iterations each, and the means of
//! these blocks are taken for the trials.

use analysis::{Sample, UnpairedRatio, estimate};
use schema::{Estimate, PrimitiveRatio, Worker};

use super::read::Measured;

/// Blocks that the samples of a benchmark are cut into.
pub const BLOCKS: usize = 10;

/// Fewer samples than this are not cut: `--quick` takes two.
const LEAST_SAMPLES: usize = 10;

/// What ratios have to exceed where they have no interval, or where nobody measured the noise.
pub const ROUGH: f64 = 0.1;

/// Draws the resamples behind every interval; the same samples give the same intervals.
const SEED: u64 = 1;

/// The time of one iteration, ns, by blocks.
#[derive(Clone, Debug, PartialEq)]
pub struct Blocks(Vec<f64>);

impl Blocks {
    /// Cut what was measured.
    #[must_use]
    pub fn of(measured: &Measured) -> Self {
        let samples = measured.iterations.iter().zip(&measured.times_ns);
        let blocks = if measured.iterations.len() < LEAST_SAMPLES {
            1
        } else {
            BLOCKS
        };
        let all: f64 = measured.iterations.iter().sum();
        let mut sums = vec![(0.0, 0.0); blocks];
        let mut before = 0.0;
        for (iterations, time) in samples {
            let middle = (before + iterations / 2.0) / all;
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of the number of blocks"
            )]
            let block = (middle * blocks as f64) as usize;
            let (count, sum) = &mut sums[block.min(blocks - 1)];
            *count += iterations;
            *sum += time;
            before += iterations;
        }
        // Where samples grow, the last may be longer than a block: the one before stays empty.
        let taken = sums.iter().filter(|(count, _)| *count > 0.0);
        Self(taken.map(|(count, sum)| sum / count).collect())
    }

    /// The mean, and its 95 % interval where there were samples enough for more than one block.
    #[must_use]
    pub fn cost(&self) -> Option<Estimate> {
        let sample = Sample::new(self.0.clone()).ok()?;
        Some(estimate(&sample, SEED))
    }

    /// `self` over `reference`.
    #[must_use]
    pub fn over(&self, reference: &Self) -> Option<Estimate> {
        let ratio = UnpairedRatio::new(&reference.0, &self.0).ok()?;
        Some(ratio.estimate(SEED))
    }
}

/// What a difference is told by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Judge {
    /// How far two measurements of the same lay apart, where somebody measured it.
    pub noise: Option<f64>,
}

impl Judge {
    /// Process over thread, and who of them costs more.
    #[must_use]
    pub fn judged(&self, ratio: Estimate) -> PrimitiveRatio {
        let sure = ratio
            .interval
            .is_none_or(|(low, high)| low > 1.0 || high < 1.0);
        let beyond = ratio.point.ln().abs() > self.threshold(ratio.interval.is_some()).ln_1p();
        let dearer = match (sure && beyond, ratio.point > 1.0) {
            (false, _) => None,
            (true, true) => Some(Worker::Process),
            (true, false) => Some(Worker::Thread),
        };
        PrimitiveRatio { ratio, dearer }
    }

    /// Whether `one` costs more than `other`. The intervals of both must lie apart, which is asked a little
    /// more than an interval of their ratio would.
    #[must_use]
    pub fn dearer(&self, one: &Estimate, other: &Estimate) -> bool {
        let exact = one.interval.is_some() && other.interval.is_some();
        let apart = match (one.interval, other.interval) {
            (Some((low, _)), Some((_, high))) => low > high,
            _ => true,
        };
        apart && one.point > other.point * (1.0 + self.threshold(exact))
    }

    /// What a ratio has to lie beyond.
    fn threshold(&self, has_interval: bool) -> f64 {
        match self.noise {
            Some(noise) if has_interval => noise,
            Some(noise) => noise.max(ROUGH),
            None => ROUGH,
        }
    }
}

/// How far from 1 a ratio is, whichever of the two stands on top.
#[must_use]
pub fn apart(ratio: f64) -> f64 {
    ratio.max(ratio.recip()) - 1.0
}
