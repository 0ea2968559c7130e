//! What an interval of a sample is, whatever it promises.

use analysis::{Sample, bootstrap_interval, estimate};
use proptest::prelude::*;
use rayon::ThreadPoolBuilder;

fn sample(values: &[f64]) -> Sample {
    Sample::new(values.to_vec()).unwrap()
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
