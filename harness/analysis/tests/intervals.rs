//! What the intervals promise, held against simulated samples whose truth is known.

use analysis::{LEAST_FOR_AN_INTERVAL, Sample, bootstrap_interval, estimate};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::ThreadPoolBuilder;

const SIMULATIONS: u32 = 120;

fn sample(values: &[f64]) -> Sample {
    Sample::new(values.to_vec()).unwrap()
}

/// A standard normal value (Box and Muller, 1958).
fn normal(random: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

/// Share of simulated samples whose interval holds the truth.
fn coverage(count: usize, truth: f64, mut draw: impl FnMut(&mut ChaCha8Rng) -> f64) -> f64 {
    let mut random = ChaCha8Rng::seed_from_u64(20_260_101);
    let hits = (0..SIMULATIONS)
        .filter(|&seed| {
            let values: Vec<f64> = (0..count).map(|_| draw(&mut random)).collect();
            let (low, high) = estimate(&sample(&values), u64::from(seed))
                .interval
                .unwrap();
            (low..=high).contains(&truth)
        })
        .count();
    hits as f64 / f64::from(SIMULATIONS)
}

// The bounds below are the shares found with 2,000 simulations (see the module `bootstrap`), give
// or take
#[test]
fn the_interval_of_ten_normal_values_holds_the_truth_as_often_as_it_says() {
    let share = coverage(10, 0.0, normal);
    assert!((0.88..=1.0).contains(&share), "{share}");
}

#[test]
fn the_interval_of_thirty_normal_values_holds_the_truth_as_often_as_it_says() {
    let share = coverage(30, 0.0, normal);
    assert!((0.89..=1.0).contains(&share), "{share}");
}

#[test]
fn the_interval_of_ten_skewed_values_holds_the_truth_less_often_and_we_know_how_much() {
    let share = coverage(10, 0.5_f64.exp(), |random| normal(random).exp());
    assert!((0.79..=0.97).contains(&share), "{share}");
}

#[test]
fn the_interval_of_three_values_is_known_to_be_too_narrow() {
    let share = coverage(LEAST_FOR_AN_INTERVAL, 0.0, normal);
    assert!((0.63..=0.87).contains(&share), "{share}");
}

#[test]
fn two_values_have_a_mean_but_no_interval() {
    let figure = estimate(&sample(&[1.0, 3.0]), 1);
    assert!((figure.point - 2.0).abs() < 1e-12);
    assert_eq!(figure.interval, None);
}

#[test]
fn equal_values_have_an_interval_of_no_width() {
    assert_eq!(estimate(&sample(&[7.5; 6]), 1).interval, Some((7.5, 7.5)));
}

#[test]
fn the_same_seed_gives_the_same_bits_whatever_the_number_of_threads() {
    let values = sample(&[3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.0]);
    let with = |threads| {
        ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(|| estimate(&values, 42).interval.unwrap())
    };
    let (low, high) = with(1);
    for threads in [2, 3, 8] {
        let (same_low, same_high) = with(threads);
        assert_eq!(low.to_bits(), same_low.to_bits());
        assert_eq!(high.to_bits(), same_high.to_bits());
    }
}

#[test]
fn another_seed_moves_the_interval_by_little() {
    let values = sample(&[10.0, 11.0, 12.0, 13.0, 14.0, 15.0]);
    let (low, high) = estimate(&values, 1).interval.unwrap();
    let (other_low, other_high) = estimate(&values, 2).interval.unwrap();
    assert!((low - other_low).abs() < 0.2 && (high - other_high).abs() < 0.2);
}

#[test]
fn skewness_to_the_right_lengthens_the_interval_to_the_right() {
    let figure = estimate(&sample(&[1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 9.0]), 3);
    let (low, high) = figure.interval.unwrap();
    assert!(high - figure.point > figure.point - low);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_interval_of_a_mean_stays_within_the_values(values in prop::collection::vec(-1e6..1e6_f64, 3..20)) {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = estimate(&sample(&values), 5).interval.unwrap();
        prop_assert!(low <= high);
        prop_assert!(low >= least - 1e-6 && high <= most + 1e-6);
    }

    #[test]
    fn the_interval_moves_and_stretches_with_its_values(
        values in prop::collection::vec(-100.0..100.0_f64, 3..12),
        shift in -50.0..50.0_f64,
    ) {
        let moved: Vec<f64> = values.iter().map(|v| 4.0 * v + shift).collect();
        let (low, high) = estimate(&sample(&values), 5).interval.unwrap();
        let (moved_low, moved_high) = estimate(&sample(&moved), 5).interval.unwrap();
        prop_assert!((4.0 * low + shift - moved_low).abs() < 1e-6);
        prop_assert!((4.0 * high + shift - moved_high).abs() < 1e-6);
    }

    #[test]
    fn any_finite_statistic_gives_an_ordered_interval(values in prop::collection::vec(0.0..1e3_f64, 3..12)) {
        let greatest = |v: &[f64]| v.iter().copied().fold(f64::MIN, f64::max);
        let (low, high) = bootstrap_interval(&sample(&values), greatest, 5).unwrap();
        prop_assert!(low <= high);
    }
}
