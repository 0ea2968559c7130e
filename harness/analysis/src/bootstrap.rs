//! 95 % intervals by resampling.
//!
//! The method is Efron's bias-corrected and accelerated bootstrap, `BCa` ("Better Bootstrap
//! Confidence Intervals", JASA 82, 1987; Efron and Tibshirani, *An Introduction to the Bootstrap*,
//! 1993, §14.3). From few trials every bootstrap comes out too narrow, as it takes the spread of a
//! sample, divided by n rather than n - 1, for that of what was sampled, and the normal
//! distribution for Student's. So the two levels are widened as Hesterberg proposes for bootstrap
//! intervals ("What Teachers Should Know About the Bootstrap", The American Statistician 69(4),
//! 2015): `√(n/(n-1)) · t(n-1)` stands where `BCa` has the normal quantile 1.96.
//!
//! How often the interval of a mean then holds the truth, in 2,000 simulated samples each: normal
//! values, n = 3: 75 %, 4: 87 %, 5: 92 %, 6: 93 %, 10: 94 %, 30: 95 %; log-normal values (σ = 1,
//! far more skewed than throughput is), n = 6: 86 %, 10: 88 %, 30: 92 %. From three or four values
//! no resample can leave their range, which is why those stay below: see [`RELIABLE_FROM`].

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use schema::Estimate;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use crate::Sample;

/// How often a sample is drawn anew.
pub const RESAMPLES: usize = 10_000;

/// With fewer values than this there is no interval: two trials say nothing of their own spread
/// that could be resampled.
pub const LEAST_FOR_AN_INTERVAL: usize = 3;

/// With fewer values than this a 95 % interval holds the truth in less than 90 % of cases, even
/// where the values are normal.
pub const RELIABLE_FROM: usize = 5;

/// Probability that the truth lies below the interval, and above it.
const TAIL: f64 = 0.025;

/// Resamples drawn from one stream of the generator. Streams belong to pieces of the work, not to
/// threads, so the result does not depend on how many threads there are.
const PER_STREAM: usize = 250;

/// The mean of a sample and its 95 % interval, absent below [`LEAST_FOR_AN_INTERVAL`] values.
#[must_use]
pub fn estimate(sample: &Sample, seed: u64) -> Estimate {
    Estimate {
        point: sample.mean(),
        interval: bootstrap_interval(sample, crate::sample::mean, seed),
    }
}

/// The 95 % `BCa` interval of a statistic, absent below [`LEAST_FOR_AN_INTERVAL`] values.
///
/// The statistic sees as many values as the sample has, and one fewer for the jackknife. It must
/// be finite for finite values.
#[must_use]
pub fn bootstrap_interval(
    sample: &Sample,
    statistic: impl Fn(&[f64]) -> f64 + Sync,
    seed: u64,
) -> Option<(f64, f64)> {
    let values = sample.values();
    if values.len() < LEAST_FOR_AN_INTERVAL {
        return None;
    }
    let point = statistic(values);
    let replicates = replicates(values, &statistic, seed);
    let bias = bias_correction(&replicates, point)?;
    let acceleration = acceleration(values, &statistic);
    let z = widened_quantile(values.len());
    let bound = |z: f64| quantile(&replicates, adjusted_level(bias, acceleration, z));
    Some((bound(-z), bound(z)))
}

/// The statistic of each resample, in ascending order.
fn replicates(values: &[f64], statistic: &(impl Fn(&[f64]) -> f64 + Sync), seed: u64) -> Vec<f64> {
    let mut replicates: Vec<f64> = (0..RESAMPLES.div_ceil(PER_STREAM))
        .into_par_iter()
        .flat_map_iter(|stream| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(stream as u64);
            let mut resample = vec![0.0; values.len()];
            let left = RESAMPLES - stream * PER_STREAM;
            (0..left.min(PER_STREAM)).map(move |_| {
                for slot in &mut resample {
                    *slot = values[random.random_range(0..values.len())];
                }
                statistic(&resample)
            })
        })
        .collect();
    replicates.sort_by(f64::total_cmp);
    replicates
}

/// z0: how far the middle of the replicates lies from the point, in standard deviations. Ties
/// count half, as values of few trials repeat. `None` only where the statistic is no number.
fn bias_correction(sorted: &[f64], point: f64) -> Option<f64> {
    if point.is_nan() {
        return None;
    }
    // What rounding alone sets apart is a tie.
    let tie = 1e-9 * (sorted[sorted.len() - 1] - sorted[0]);
    let below = sorted.partition_point(|&r| r < point - tie) as f64;
    let up_to = sorted.partition_point(|&r| r <= point + tie) as f64;
    let count = sorted.len() as f64;
    // Kept off 0 and 1, whose normal quantiles are infinite.
    let share = (f64::midpoint(below, up_to) / count).clamp(0.5 / count, 1.0 - 0.5 / count);
    Some(Normal::standard().inverse_cdf(share))
}

/// a: how the spread changes with the value, from the jackknife.
fn acceleration(values: &[f64], statistic: &impl Fn(&[f64]) -> f64) -> f64 {
    let without_one: Vec<f64> = (0..values.len())
        .map(|left_out| {
            let mut rest = values.to_vec();
            rest.remove(left_out);
            statistic(&rest)
        })
        .collect();
    let centre = crate::sample::mean(&without_one);
    let squares: f64 = without_one.iter().map(|t| (centre - t).powi(2)).sum();
    let cubes: f64 = without_one.iter().map(|t| (centre - t).powi(3)).sum();
    let scale = squares.powf(1.5);
    // Equal values have no skewness.
    if scale > 0.0 {
        cubes / (6.0 * scale)
    } else {
        0.0
    }
}

/// The quantile that `BCa` starts from, widened for few values.
fn widened_quantile(count: usize) -> f64 {
    let n = count as f64;
    let student = StudentsT::new(0.0, 1.0, n - 1.0)
        .expect("at least three values leave two degrees of freedom")
        .inverse_cdf(1.0 - TAIL);
    (n / (n - 1.0)).sqrt() * student
}

/// Which quantile of the replicates bounds the interval, for a normal quantile z.
fn adjusted_level(bias: f64, acceleration: f64, z: f64) -> f64 {
    let shifted = bias + z;
    let denominator = 1.0 - acceleration * shifted;
    // Past its pole the correction would turn round and take the other end.
    if denominator <= 0.0 {
        return if z < 0.0 { 0.0 } else { 1.0 };
    }
    Normal::standard().cdf(bias + shifted / denominator)
}

/// The quantile of ascending values by linear interpolation (Hyndman and Fan's type 7, 1996).
fn quantile(sorted: &[f64], level: f64) -> f64 {
    let position = level.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the number of replicates"
    )]
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let weight = position - position.floor();
    // In this form two equal neighbours give back exactly their value.
    sorted[below] + weight * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_five_values_are_known() {
        let sorted = [1.0, 2.0, 3.0, 4.0, 10.0];
        for (level, expected) in [(0.0, 1.0), (0.5, 3.0), (0.875, 7.0), (1.0, 10.0)] {
            assert!((quantile(&sorted, level) - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn acceleration_of_a_mean_is_a_sixth_of_its_skewness_over_root_n() {
        // Efron and Tibshirani, eq. 14.15: for the mean, a = Σd³ / (6 (Σd²)^(3/2)).
        let values: [f64; 4] = [0.0, 0.0, 0.0, 4.0];
        let deviations = values.map(|v| v - 1.0);
        let cubes: f64 = deviations.iter().map(|d| d.powi(3)).sum();
        let squares: f64 = deviations.iter().map(|d| d.powi(2)).sum();
        let expected = cubes / (6.0 * squares.powf(1.5));
        assert!((acceleration(&values, &crate::sample::mean) - expected).abs() < 1e-12);
    }

    #[test]
    fn a_balanced_sample_needs_no_bias_correction() {
        let replicates = [1.0, 2.0, 3.0, 4.0, 5.0];
        assert!(bias_correction(&replicates, 3.0).unwrap().abs() < 1e-12);
        assert_eq!(bias_correction(&replicates, f64::NAN), None);
    }

    #[test]
    fn with_many_values_the_levels_are_those_of_bca() {
        assert!((widened_quantile(100_000) - 1.959_96).abs() < 1e-3);
        assert!((widened_quantile(6) - 2.570_58 * (6.0_f64 / 5.0).sqrt()).abs() < 1e-3);
        assert!((adjusted_level(0.0, 0.0, -1.959_964) - 0.025).abs() < 1e-6);
    }

    #[test]
    fn past_its_pole_the_correction_stays_at_its_end() {
        assert!(adjusted_level(0.0, 0.5, 3.0) >= 1.0);
        assert!(adjusted_level(0.0, -0.5, -3.0) <= 0.0);
    }
}
