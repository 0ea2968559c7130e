//! What the intervals promise, held against simulated blocks whose truth is known.
//!
//! Seeds are fixed, so a share is always the same. By chance alone a share of 2,000 lies within
//! ±1.0 of 95 % in 95 of 100 such tests.

use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use rayon::prelude::*;
use schema::Estimate;

use crate::{
    LEAST_BEFORE_STOPPING, PairedRatio, Sample, UnpairedRatio, UslEstimate, UslFit,
    bootstrap::{interval_of_mean, student_quantile},
    half_width,
    sample::mean,
    usl_estimate,
};

type Random = Xoshiro256PlusPlus;

const SIMULATIONS: u32 = 2_000;

/// Fewer than reports draw, for the time it takes; the ends of intervals are less even for it, by
/// about 2 % of their width.
const RESAMPLES: usize = 2_000;

/// Skewness 0.8: more than throughput has on a machine that is fit to measure on.
const MODERATE: f64 = 0.25;

/// A standard normal value (Box and Muller, 1958).
fn normal(random: &mut Random) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

/// A log-normal value with median 1.
fn skewed(sigma: f64, random: &mut Random) -> f64 {
    (sigma * normal(random)).exp()
}

fn drawn(count: usize, random: &mut Random, draw: impl Fn(&mut Random) -> f64) -> Vec<f64> {
    (0..count).map(|_| draw(random)).collect()
}

/// In how many of a hundred simulations the interval held the truth.
fn coverage(
    simulations: u32,
    truth: f64,
    interval: impl Fn(&mut Random, u64) -> Option<(f64, f64)> + Sync,
) -> f64 {
    let hits = (0..simulations)
        .into_par_iter()
        .filter(|&simulation| {
            let seed = u64::from(simulation);
            let (low, high) = interval(&mut Random::seed_from_u64(seed), seed).unwrap();
            low <= truth && truth <= high
        })
        .count();
    100.0 * hits as f64 / f64::from(simulations)
}

fn coverage_of_mean(count: usize, truth: f64, draw: impl Fn(&mut Random) -> f64 + Sync) -> f64 {
    coverage(SIMULATIONS, truth, |random, seed| {
        let sample = Sample::new(drawn(count, random, &draw)).unwrap();
        interval_of_mean(&sample, seed, RESAMPLES)
    })
}

#[test]
fn the_interval_of_a_mean_holds_the_truth_in_93_to_97_of_100_cases() {
    for count in [10, 30] {
        let share = coverage_of_mean(count, 0.0, normal);
        assert!((93.0..=97.0).contains(&share), "{count} normal: {share}");
        let truth = (MODERATE * MODERATE / 2.0).exp();
        let share = coverage_of_mean(count, truth, |random| skewed(MODERATE, random));
        assert!((93.0..=97.0).contains(&share), "{count} skewed: {share}");
    }
}

#[test]
fn where_skewness_is_great_the_interval_of_a_mean_is_known_to_be_too_short() {
    let share = coverage_of_mean(10, 0.5_f64.exp(), |random| skewed(1.0, random));
    assert!((86.0..=91.0).contains(&share), "{share}");
}

#[test]
fn the_interval_of_three_values_is_known_to_be_too_short() {
    let share = coverage_of_mean(3, 0.0, normal);
    assert!((72.0..=78.0).contains(&share), "{share}");
}

/// Both cells share what befalls their block, which is far more than the cells' own scatter.
fn coverage_of_paired(
    blocks: usize,
    truth: f64,
    reference: impl Fn(&mut Random) -> f64 + Sync,
    subject: impl Fn(&mut Random) -> f64 + Sync,
) -> f64 {
    coverage(SIMULATIONS, truth, |random, seed| {
        let befell = drawn(blocks, random, |random| (0.2 * normal(random)).exp());
        let times = |cell: Vec<f64>| -> Vec<f64> {
            cell.iter()
                .zip(&befell)
                .map(|(x, block)| x * block)
                .collect()
        };
        let reference = times(drawn(blocks, random, &reference));
        let subject = times(drawn(blocks, random, &subject));
        let ratio = PairedRatio::new(&reference, &subject).unwrap();
        ratio.estimate_from(seed, RESAMPLES).interval
    })
}

#[test]
fn the_interval_of_a_paired_ratio_holds_the_truth_in_93_to_97_of_100_cases() {
    let scattered = |random: &mut Random| 1_000.0 * (0.02 * normal(random)).exp();
    for blocks in [10, 30] {
        let faster = |random: &mut Random| 1.05 * scattered(random);
        let share = coverage_of_paired(blocks, 1.05, scattered, faster);
        assert!((93.0..=97.0).contains(&share), "{blocks} normal: {share}");

        // What is lost to disturbances is skewed, more than all else scatters, and hits the
        // subject alone.
        let disturbed = |random: &mut Random| 1_000.0 * (-0.2 * skewed(MODERATE, random)).exp();
        let truth = (-0.2 * (MODERATE * MODERATE / 2.0).exp()).exp();
        let share = coverage_of_paired(blocks, truth, scattered, disturbed);
        assert!((93.0..=97.0).contains(&share), "{blocks} skewed: {share}");
    }
}

#[test]
fn the_interval_of_an_unpaired_ratio_holds_the_truth_in_92_to_97_of_100_cases() {
    for (reference, subject) in [(5, 5), (6, 20), (10, 10)] {
        for subject_scatter in [0.01, 0.03] {
            let share = coverage(SIMULATIONS, 1.0, |random, seed| {
                let one = drawn(reference, random, |random| (0.01 * normal(random)).exp());
                let other = drawn(subject, random, |random| {
                    (subject_scatter * normal(random)).exp()
                });
                let ratio = UnpairedRatio::new(&one, &other).unwrap();
                ratio.estimate_from(seed, RESAMPLES).interval
            });
            assert!(
                (92.0..=97.0).contains(&share),
                "{reference} against {subject}, scatter {subject_scatter}: {share}"
            );
        }
    }
}

/// Coverage where blocks are measured from `least` on until the half-width is at most `target`
/// standard deviations of a block, and [`MOST_BLOCKS`] at the most.
fn coverage_when_stopping(least: usize, target: f64) -> f64 {
    const MOST_BLOCKS: usize = 60;
    const SCATTER: f64 = 0.01;
    coverage(SIMULATIONS, 1.0, |random, seed| {
        let mut subject = vec![];
        loop {
            subject.push((SCATTER * normal(random)).exp());
            let spent = subject.len() == MOST_BLOCKS;
            if !spent && (subject.len() < least || surely_wider(&subject, target * SCATTER)) {
                continue;
            }
            let reference = vec![1.0; subject.len()];
            let ratio = PairedRatio::new(&reference, &subject)
                .unwrap()
                .estimate_from(seed, RESAMPLES);
            if spent || half_width(&ratio).unwrap() <= target * SCATTER {
                return ratio.interval;
            }
        }
    })
}

/// Whether resampling is not worth its time, as Student's interval is far wider.
fn surely_wider(values: &[f64], half_width: f64) -> bool {
    let n = values.len() as f64;
    let centre = mean(values);
    let squares: f64 = values.iter().map(|value| (value - centre).powi(2)).sum();
    let error = (squares / (n - 1.0) / n).sqrt();
    student_quantile(n - 1.0) * error > 1.2 * half_width
}

#[test]
fn stopping_at_a_width_after_six_blocks_shortens_the_interval_by_too_much() {
    let share = coverage_when_stopping(6, 0.5);
    assert!((89.0..93.0).contains(&share), "{share}");
}

#[test]
fn stopping_at_a_width_after_the_least_number_of_blocks_holds_the_truth_in_93_of_100_cases() {
    for target in [0.6, 0.5] {
        let share = coverage_when_stopping(LEAST_BEFORE_STOPPING, target);
        assert!((93.0..=97.0).contains(&share), "target {target}: {share}");
    }
}

#[test]
fn the_intervals_of_the_scalability_law_hold_the_truth_in_91_to_98_of_100_cases() {
    const SIZES: [u32; 8] = [1, 2, 4, 8, 12, 16, 24, 32];
    const USL_SIMULATIONS: u64 = 300;
    let truth = UslFit {
        gamma: 1_000.0,
        alpha: 0.05,
        beta: 0.004,
    };
    let estimate = |random: &mut Random, seed| {
        let mut block = |_| {
            let befell = 1.0 + 0.02 * normal(random);
            let cell = |&n: &u32| {
                let noise = befell * (1.0 + 0.02 * normal(random));
                Some(truth.throughput(f64::from(n)) * noise)
            };
            SIZES.iter().map(cell).collect()
        };
        let blocks: Vec<_> = (0..10).map(&mut block).collect();
        usl_estimate(&blocks, &SIZES, seed).unwrap()
    };
    let estimates: Vec<_> = (0..USL_SIMULATIONS)
        .into_par_iter()
        .map(|seed| estimate(&mut Random::seed_from_u64(seed), seed))
        .collect();
    let share = |truth: f64, figure: fn(&UslEstimate) -> &Estimate| {
        let holds = |estimate: &&UslEstimate| {
            let (low, high) = figure(estimate).interval.unwrap();
            low <= truth && truth <= high
        };
        100.0 * estimates.iter().filter(holds).count() as f64 / USL_SIMULATIONS as f64
    };
    for (name, share) in [
        ("gamma", share(truth.gamma, |estimate| &estimate.gamma)),
        ("alpha", share(truth.alpha, |estimate| &estimate.alpha)),
        ("beta", share(truth.beta, |estimate| &estimate.beta)),
        (
            "peak",
            share(truth.peak().unwrap(), |estimate| {
                &estimate.peak.as_ref().unwrap().workers
            }),
        ),
    ] {
        assert!((91.0..=98.0).contains(&share), "{name}: {share}");
    }
}
