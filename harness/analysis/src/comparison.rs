//! Two cells set against each other, and what to call the outcome.

use schema::{Direction, Estimate, Verdict};

use crate::{
    Sample, SampleError,
    bootstrap::{RESAMPLES, interval_of_mean},
    sample::logarithms,
};

/// Subject over reference, measured in the same blocks.
///
/// A block is a stretch of time in which both were measured, so what disturbs one disturbs the
/// other and falls out of `d = ln(subject / reference)`. Blocks are what is resampled.
#[derive(Clone, Debug, PartialEq)]
pub struct PairedRatio {
    log_ratios: Sample,
}

impl PairedRatio {
    /// Pairs the two values of each block.
    ///
    /// # Errors
    /// Where there are no blocks, their numbers differ, or a value is not above 0.
    pub fn new(reference: &[f64], subject: &[f64]) -> Result<Self, SampleError> {
        if reference.len() != subject.len() {
            return Err(SampleError::Unpaired {
                reference: reference.len(),
                subject: subject.len(),
            });
        }
        let log_ratios = logarithms(subject)?
            .iter()
            .zip(logarithms(reference)?)
            .map(|(subject, reference)| subject - reference)
            .collect();
        Ok(Self {
            log_ratios: Sample::new(log_ratios)?,
        })
    }

    /// Blocks behind the ratio.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.log_ratios.len()
    }

    /// The geometric mean of the blocks' ratios with its 95 % interval.
    #[must_use]
    pub fn estimate(&self, seed: u64) -> Estimate {
        self.estimate_from(seed, RESAMPLES)
    }

    pub(crate) fn estimate_from(&self, seed: u64, resamples: usize) -> Estimate {
        Estimate {
            point: self.log_ratios.mean().exp(),
            interval: interval_of_mean(&self.log_ratios, seed, resamples)
                .map(|(low, high)| (low.exp(), high.exp())),
        }
    }
}

/// What a ratio says of the subject.
///
/// Equality is asked for first: an interval wholly within 1 ± `margin` is
/// [`Verdict::Equivalent`] even where it leaves out 1, as a difference that small is of no use to
/// anyone (the interval form of two one-sided tests, Schuirmann 1987). Then the side of 1 that
/// the whole interval lies on decides. Without an interval nothing is decided.
#[must_use]
pub fn verdict(ratio: &Estimate, margin: f64, direction: Direction) -> Verdict {
    let Some((low, high)) = ratio.interval else {
        return Verdict::Undecided;
    };
    let (above, below) = match direction {
        Direction::MoreIsBetter => (Verdict::Better, Verdict::Worse),
        Direction::LessIsBetter => (Verdict::Worse, Verdict::Better),
    };
    if low >= 1.0 - margin && high <= 1.0 + margin {
        Verdict::Equivalent
    } else if low > 1.0 {
        above
    } else if high < 1.0 {
        below
    } else {
        Verdict::Undecided
    }
}
