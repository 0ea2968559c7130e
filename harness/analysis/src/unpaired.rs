//! Two cells measured at different times, set against each other.

use schema::Estimate;

use crate::{
    Sample, SampleError,
    bootstrap::{LEAST_FOR_AN_INTERVAL, RESAMPLES, acceleration, bounds, student_quantile},
    resample::{self, Stream},
    sample::logarithms,
};

/// Subject over reference from trials that share no blocks, as two runs on different days.
///
/// Each side is resampled by itself, so the interval holds what trials scatter *within* each run
/// and nothing else: what differed between the two times for all trials of a run (another
/// frequency, another neighbour) is in the ratio and not in its interval. Where both can be
/// measured in the same blocks, [`crate::PairedRatio`] is the better question.
///
/// The interval is `BCa` for two samples (acceleration: Davison and Hinkley, *Bootstrap Methods and
/// their Application*, 1997, §5.3.2), widened for few trials as that of one sample is: the normal
/// quantile makes way for Student's with Welch's degrees of freedom (Biometrika 34, 1947), times
/// the factor by which resampling takes the difference to be too sure,
/// `√(Σ s²/n ÷ Σ s²(n-1)/n²)`.
///
/// How often it then holds the truth, in 6,000 simulated pairs of runs each. Trials that scatter
/// alike on both sides, 3 against 3: 90 %, 4: 94 %, 5: 94 %, 10: 95 %, 30: 95 %, 5 against 30:
/// 93 %. One side scattering three times as much as the other: 3: 85 %, 4: 92 %, 5: 93 %, 10:
/// 94 %, 30: 95 %. One side skewed besides (as by log-normal losses, σ = 0.25), 10: 94 %, 30: 95 %.
#[derive(Clone, Debug, PartialEq)]
pub struct UnpairedRatio {
    reference: Sample,
    subject: Sample,
}

impl UnpairedRatio {
    /// Takes the trials of each side; their numbers may differ.
    ///
    /// # Errors
    /// Where a side has no trials, or a value is not above 0.
    pub fn new(reference: &[f64], subject: &[f64]) -> Result<Self, SampleError> {
        Ok(Self {
            reference: Sample::new(logarithms(reference)?)?,
            subject: Sample::new(logarithms(subject)?)?,
        })
    }

    /// Trials of the reference and of the subject.
    #[must_use]
    pub fn trials(&self) -> (usize, usize) {
        (self.reference.len(), self.subject.len())
    }

    /// The ratio of the geometric means with its 95 % interval, which is absent where a side has
    /// fewer than [`LEAST_FOR_AN_INTERVAL`] trials.
    #[must_use]
    pub fn estimate(&self, seed: u64) -> Estimate {
        self.estimate_from(seed, RESAMPLES)
    }

    pub(crate) fn estimate_from(&self, seed: u64, resamples: usize) -> Estimate {
        let difference = self.subject.mean() - self.reference.mean();
        Estimate {
            point: difference.exp(),
            interval: self
                .interval_of_difference(difference, seed, resamples)
                .map(|(low, high)| (low.exp(), high.exp())),
        }
    }

    fn interval_of_difference(
        &self,
        difference: f64,
        seed: u64,
        resamples: usize,
    ) -> Option<(f64, f64)> {
        if self.reference.len().min(self.subject.len()) < LEAST_FOR_AN_INTERVAL {
            return None;
        }
        let (reference, subject) = (self.reference.values(), self.subject.values());
        let replicates = resample::replicates(resamples, seed, || {
            |random: &mut Stream| {
                resample::mean_of_drawn(subject, random)
                    - resample::mean_of_drawn(reference, random)
            }
        });
        let mut influences = influences(&self.subject, 1.0);
        influences.extend(self::influences(&self.reference, -1.0));
        let z = welch_quantile(&self.reference, &self.subject);
        bounds(replicates, difference, acceleration(&influences), z)
    }
}

/// How far each value pulls the difference of the means.
fn influences(side: &Sample, sign: f64) -> Vec<f64> {
    let (mean, n) = (side.mean(), side.len() as f64);
    side.values()
        .iter()
        .map(|value| sign * (value - mean) / n)
        .collect()
}

/// The quantile that `BCa` starts from, widened for few values on either side.
fn welch_quantile(one: &Sample, other: &Sample) -> f64 {
    // Squared error of a side's mean, its part in the degrees of freedom, and what resampling
    // takes that error to be.
    let side = |sample: &Sample| {
        let (mean, n) = (sample.mean(), sample.len() as f64);
        let squares: f64 = sample.values().iter().map(|v| (v - mean).powi(2)).sum();
        let error = squares / (n - 1.0) / n;
        (error, error * error / (n - 1.0), squares / (n * n))
    };
    let (sides, others) = (side(one), side(other));
    let error = sides.0 + others.0;
    // Without any scatter every quantile of the replicates is the same.
    if error <= 0.0 {
        return 0.0;
    }
    let degrees_of_freedom = error * error / (sides.1 + others.1);
    (error / (sides.2 + others.2)).sqrt() * student_quantile(degrees_of_freedom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::widened_quantile;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).unwrap()
    }

    #[test]
    fn welch_s_degrees_of_freedom_of_two_equal_sides_are_those_of_both() {
        // 2(n - 1) = 4 degrees of freedom: 2.776 445.
        let side = sample(&[1.0, 2.0, 3.0]);
        let expected = 1.5_f64.sqrt() * 2.776_445;
        assert!((welch_quantile(&side, &side) - expected).abs() < 1e-5);
    }

    #[test]
    fn beside_a_side_that_does_not_scatter_the_widening_is_that_of_one_sample() {
        let (still, moving) = (sample(&[5.0; 4]), sample(&[1.0, 2.0, 4.0, 3.0]));
        assert!((welch_quantile(&still, &moving) - widened_quantile(4)).abs() < 1e-12);
        assert!(welch_quantile(&still, &still).abs() < 1e-12);
    }
}
