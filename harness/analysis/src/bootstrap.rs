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
//! How often the interval of a mean then holds the truth, in 4,000 simulated samples each: normal
//! values, n = 3: 75 %, 4: 87 %, 5: 91 %, 6: 93 %, 10: 94 %, 30: 95 %; log-normal values, moderately
//! skewed (σ = 0.25), n = 6: 92 %, 10: 94 %, 30: 94 %; more so (σ = 0.5), n = 6: 91 %, 10: 93 %, 30:
//! 94 %; far more than throughput is (σ = 1), n = 6: 84 %, 10: 89 %, 30: 92 %. From three or four
//! values no resample can leave their range, which is why those stay below: see [`RELIABLE_FROM`].
//! The module `coverage` holds the program to it.

use schema::Estimate;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use crate::{
    Sample,
    quantile::quantile,
    resample::{self, Stream},
    sample::mean,
};

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

/// The mean of a sample and its 95 % interval, absent below [`LEAST_FOR_AN_INTERVAL`] values.
#[must_use]
pub fn estimate(sample: &Sample, seed: u64) -> Estimate {
    Estimate {
        point: sample.mean(),
        interval: interval_of_mean(sample, seed, RESAMPLES),
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
    let replicates = resample::replicates(RESAMPLES, seed, || {
        let mut resample = Vec::with_capacity(values.len());
        let statistic = &statistic;
        move |random: &mut Stream| {
            resample.clear();
            resample::draw(values.len(), random, |index| resample.push(values[index]));
            statistic(&resample)
        }
    });
    let acceleration = acceleration(&influences(values, &statistic));
    let z = widened_quantile(values.len());
    bounds(replicates, statistic(values), acceleration, z)
}

/// The interval of the mean, from sums alone.
pub(crate) fn interval_of_mean(sample: &Sample, seed: u64, resamples: usize) -> Option<(f64, f64)> {
    let values = sample.values();
    if values.len() < LEAST_FOR_AN_INTERVAL {
        return None;
    }
    let replicates = resample::replicates(resamples, seed, || {
        |random: &mut Stream| resample::mean_of_drawn(values, random)
    });
    let centre = mean(values);
    let deviations: Vec<f64> = values.iter().map(|value| value - centre).collect();
    let z = widened_quantile(values.len());
    bounds(replicates, centre, acceleration(&deviations), z)
}

/// The bounds that `BCa` takes from replicates of a statistic, with z in place of the normal
/// quantile. `None` where the statistic is no number.
pub(crate) fn bounds(
    mut replicates: Vec<f64>,
    point: f64,
    acceleration: f64,
    z: f64,
) -> Option<(f64, f64)> {
    replicates.sort_unstable_by(f64::total_cmp);
    let bias = bias_correction(&replicates, point)?;
    let bound = |z: f64| quantile(&replicates, adjusted_level(bias, acceleration, z));
    Some((bound(-z)?, bound(z)?))
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

/// How far each value pulls the statistic, from the jackknife.
fn influences(values: &[f64], statistic: &impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let without_one: Vec<f64> = (0..values.len())
        .map(|left_out| {
            let mut rest = values.to_vec();
            rest.remove(left_out);
            statistic(&rest)
        })
        .collect();
    let centre = mean(&without_one);
    without_one.iter().map(|t| centre - t).collect()
}

/// a: how the spread changes with the value; a sixth of the influences' skewness. Their unit does
/// not matter.
pub(crate) fn acceleration(influences: &[f64]) -> f64 {
    let squares: f64 = influences.iter().map(|d| d.powi(2)).sum();
    let cubes: f64 = influences.iter().map(|d| d.powi(3)).sum();
    let scale = squares.powf(1.5);
    // Equal values have no skewness.
    if scale > 0.0 {
        cubes / (6.0 * scale)
    } else {
        0.0
    }
}

/// The quantile that `BCa` starts from, widened for few values.
pub(crate) fn widened_quantile(count: usize) -> f64 {
    let n = count as f64;
    (n / (n - 1.0)).sqrt() * student_quantile(n - 1.0)
}

/// The quantile of Student's distribution that bounds 95 % of it.
pub(crate) fn student_quantile(degrees_of_freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, degrees_of_freedom)
        .expect("intervals are refused below two degrees of freedom")
        .inverse_cdf(1.0 - TAIL)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acceleration_of_a_mean_is_a_sixth_of_its_skewness_over_root_n() {
        // Efron and Tibshirani, eq. 14.15: for the mean, a = Σd³ / (6 (Σd²)^(3/2)).
        let values: [f64; 4] = [0.0, 0.0, 0.0, 4.0];
        let deviations = values.map(|v| v - 1.0);
        let cubes: f64 = deviations.iter().map(|d| d.powi(3)).sum();
        let squares: f64 = deviations.iter().map(|d| d.powi(2)).sum();
        let expected = cubes / (6.0 * squares.powf(1.5));
        assert!((acceleration(&influences(&values, &mean)) - expected).abs() < 1e-12);
        assert!((acceleration(&deviations) - expected).abs() < 1e-12);
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
