//! Ratios of paired blocks, and the verdicts they lead to.

use analysis::{
    LEAST_BEFORE_STOPPING, PairedRatio, SampleError, UnpairedRatio, half_width, narrow_enough,
    verdict,
};
use proptest::prelude::*;
use schema::{
    Direction::{LessIsBetter, MoreIsBetter},
    Estimate, Verdict,
};

fn between(low: f64, high: f64) -> Estimate {
    Estimate {
        point: f64::midpoint(low, high),
        interval: Some((low, high)),
    }
}

#[test]
fn a_ratio_is_the_geometric_mean_of_its_blocks() {
    let ratio = PairedRatio::new(&[100.0, 100.0], &[50.0, 200.0]).unwrap();
    assert_eq!(ratio.blocks(), 2);
    let figure = ratio.estimate(1);
    assert!((figure.point - 1.0).abs() < 1e-12);
    assert_eq!(figure.interval, None);
}

#[test]
fn a_disturbance_that_hits_both_cells_of_a_block_falls_out() {
    let reference = [100.0, 40.0, 90.0, 10.0, 70.0];
    let subject = reference.map(|v| 1.1 * v);
    let figure = PairedRatio::new(&reference, &subject).unwrap().estimate(1);
    let (low, high) = figure.interval.unwrap();
    assert!((low - 1.1).abs() < 1e-9 && (high - 1.1).abs() < 1e-9);
}

#[test]
fn blocks_that_cannot_be_paired_are_refused() {
    assert_eq!(
        PairedRatio::new(&[1.0, 2.0], &[1.0]),
        Err(SampleError::Unpaired {
            reference: 2,
            subject: 1
        })
    );
    assert_eq!(PairedRatio::new(&[], &[]), Err(SampleError::Empty));
    assert!(PairedRatio::new(&[1.0, 0.0], &[1.0, 1.0]).is_err());
    assert!(PairedRatio::new(&[1.0], &[f64::NAN]).is_err());
    assert!(PairedRatio::new(&[1.0], &[f64::INFINITY]).is_err());
}

#[test]
fn the_side_of_one_decides_and_the_direction_says_which_is_better() {
    for (low, high, more, less) in [
        (1.05, 1.10, Verdict::Better, Verdict::Worse),
        (0.90, 0.97, Verdict::Worse, Verdict::Better),
        (0.97, 1.05, Verdict::Undecided, Verdict::Undecided),
        (0.99, 1.01, Verdict::Equivalent, Verdict::Equivalent),
    ] {
        let ratio = between(low, high);
        assert_eq!(verdict(&ratio, 0.02, MoreIsBetter), more, "{low} to {high}");
        assert_eq!(verdict(&ratio, 0.02, LessIsBetter), less, "{low} to {high}");
    }
}

#[test]
fn a_difference_smaller_than_the_margin_is_no_improvement_however_sure_it_is() {
    let sure = between(1.010, 1.012);
    assert_eq!(verdict(&sure, 0.02, MoreIsBetter), Verdict::Equivalent);
    assert_eq!(verdict(&sure, 0.005, MoreIsBetter), Verdict::Better);
}

#[test]
fn an_interval_that_ends_at_one_is_undecided() {
    let touching = between(1.0, 1.5);
    assert_eq!(verdict(&touching, 0.02, MoreIsBetter), Verdict::Undecided);
}

#[test]
fn without_an_interval_nothing_is_decided() {
    let huge = Estimate {
        point: 10.0,
        interval: None,
    };
    assert_eq!(verdict(&huge, 0.02, MoreIsBetter), Verdict::Undecided);
}

#[test]
fn an_unpaired_ratio_is_that_of_the_geometric_means_however_many_trials_each_side_has() {
    let ratio = UnpairedRatio::new(&[100.0, 400.0], &[50.0, 100.0, 200.0]).unwrap();
    assert_eq!(ratio.trials(), (2, 3));
    let figure = ratio.estimate(1);
    assert!((figure.point - 0.5).abs() < 1e-12);
    assert_eq!(figure.interval, None);
}

#[test]
fn an_unpaired_ratio_of_trials_that_never_scatter_has_an_interval_of_no_width() {
    let figure = UnpairedRatio::new(&[100.0; 4], &[110.0; 6])
        .unwrap()
        .estimate(1);
    let (low, high) = figure.interval.unwrap();
    assert!((low - 1.1).abs() < 1e-9 && (high - 1.1).abs() < 1e-9);
}

#[test]
fn what_blocks_share_is_doubt_only_where_they_are_not_paired() {
    let reference = [100.0, 80.0, 120.0, 90.0, 110.0, 105.0];
    let subject = reference.map(|v| 1.1 * v);
    let paired = PairedRatio::new(&reference, &subject).unwrap().estimate(1);
    let unpaired = UnpairedRatio::new(&reference, &subject)
        .unwrap()
        .estimate(1);
    assert!((paired.point - unpaired.point).abs() < 1e-9);
    assert!(half_width(&paired).unwrap() < 1e-9);
    assert!(half_width(&unpaired).unwrap() > 0.05);
}

#[test]
fn trials_that_have_no_ratio_are_refused_on_either_side() {
    assert_eq!(UnpairedRatio::new(&[], &[1.0]), Err(SampleError::Empty));
    assert_eq!(UnpairedRatio::new(&[1.0], &[]), Err(SampleError::Empty));
    assert!(UnpairedRatio::new(&[1.0, 0.0], &[1.0]).is_err());
    assert!(UnpairedRatio::new(&[1.0], &[-1.0]).is_err());
}

#[test]
fn a_half_width_is_relative_to_its_point() {
    let ratio = Estimate {
        point: 2.0,
        interval: Some((1.9, 2.3)),
    };
    assert!((half_width(&ratio).unwrap() - 0.1).abs() < 1e-12);
    for (point, interval) in [(2.0, None), (0.0, Some((-1.0, 1.0)))] {
        assert_eq!(half_width(&Estimate { point, interval }), None);
    }
}

#[test]
fn a_ratio_is_narrow_enough_at_its_target_and_not_before_the_least_number_of_blocks() {
    let ratio = between(0.98, 1.02);
    let least = LEAST_BEFORE_STOPPING;
    assert!(narrow_enough(&ratio, least, 0.021));
    assert!(!narrow_enough(&ratio, least - 1, 0.021));
    assert!(!narrow_enough(&ratio, least, 0.019));
    let without = Estimate {
        point: 1.0,
        interval: None,
    };
    assert!(!narrow_enough(&without, least, 1.0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn swapping_the_two_cells_inverts_the_ratio(
        pairs in prop::collection::vec((1.0..1e3_f64, 1.0..1e3_f64), 3..12),
    ) {
        let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let there = PairedRatio::new(&a, &b).unwrap().estimate(1);
        let back = PairedRatio::new(&b, &a).unwrap().estimate(1);
        prop_assert!((there.point * back.point - 1.0).abs() < 1e-9);
        let (low, high) = there.interval.unwrap();
        prop_assert!(0.0 < low && low <= high);
    }

    #[test]
    fn swapping_two_runs_inverts_their_ratio(
        a in prop::collection::vec(1.0..1e3_f64, 3..12),
        b in prop::collection::vec(1.0..1e3_f64, 3..12),
    ) {
        let there = UnpairedRatio::new(&a, &b).unwrap().estimate(1);
        let back = UnpairedRatio::new(&b, &a).unwrap().estimate(1);
        prop_assert!((there.point * back.point - 1.0).abs() < 1e-9);
        let (low, high) = there.interval.unwrap();
        prop_assert!(0.0 < low && low <= high);
    }

    #[test]
    fn a_verdict_of_better_never_stands_beside_an_interval_that_holds_one(
        low in 0.5..1.5_f64, width in 0.0..0.5_f64, margin in 0.0..0.1_f64,
    ) {
        let ratio = between(low, low + width);
        let found = verdict(&ratio, margin, MoreIsBetter);
        if matches!(found, Verdict::Better | Verdict::Worse) {
            prop_assert!(low > 1.0 || low + width < 1.0);
        }
    }
}
