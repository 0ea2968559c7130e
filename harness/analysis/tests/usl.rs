//! The Universal Scalability Law against published fits, and what it refuses to say.

use analysis::{NoPeak, UslError, UslFit, usl_estimate};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

const SIZES: [u32; 8] = [1, 2, 4, 8, 12, 16, 24, 32];

/// SPEC SDM91 on a Sun `SPARCcenter` 2000: simulated users, scripts per hour. Data set `specsdm91`
/// of the R package usl, from N. J. Gunther, Guerrilla Capacity Planning, 2007.
const SPEC_SDM91: [(f64, f64); 7] = [
    (1.0, 64.9),
    (18.0, 995.9),
    (36.0, 1652.4),
    (72.0, 1853.2),
    (108.0, 1828.9),
    (144.0, 1775.0),
    (216.0, 1702.2),
];

/// A ray tracer on an SGI Origin 2000: processors, operations per second. Data set `raytracer` of
/// the same.
const RAY_TRACER: [(f64, f64); 11] = [
    (1.0, 20.0),
    (4.0, 78.0),
    (8.0, 130.0),
    (12.0, 170.0),
    (16.0, 190.0),
    (20.0, 200.0),
    (24.0, 210.0),
    (28.0, 230.0),
    (32.0, 260.0),
    (48.0, 280.0),
    (64.0, 310.0),
];

fn assert_near(found: f64, expected: f64, within: f64) {
    assert!(
        (found - expected).abs() <= within,
        "{found}, not {expected}"
    );
}

/// Blocks of a known curve whose throughputs scatter by a share.
fn blocks(truth: &UslFit, count: usize, scatter: f64, seed: u64) -> Vec<Vec<Option<f64>>> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut block = || {
        let cell = |&n: &u32| {
            let noise: f64 = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
            Some(truth.throughput(f64::from(n)) * (1.0 + scatter * noise))
        };
        SIZES.iter().map(cell).collect()
    };
    (0..count).map(|_| block()).collect()
}

// The package usl fits gamma with the others since version 2; before, and in the book, it divided
// by the throughput at N = 1, which gives other values (for the ray tracer 0.05002 and 4.708e-06).

#[test]
fn the_fit_of_spec_sdm91_is_the_published_one() {
    // README and tests/{peak,limit}-scalability.R of the package usl 3 (S. Moeding, CRAN):
    // alpha 0.0277285, beta 0.0001044, gamma 89.9952330, peak at 96.51956 with 1884.
    let fit = UslFit::new(&SPEC_SDM91).unwrap();
    assert_near(fit.alpha, 0.027_728_5, 5e-8);
    assert_near(fit.beta, 0.000_104_4, 5e-8);
    assert_near(fit.gamma, 89.995_233, 5e-6);
    assert_near(fit.peak().unwrap(), 96.519_56, 1e-4);
    assert_near(fit.throughput(96.519_56), 1884.0, 0.5);
    assert_near(fit.gamma / fit.alpha, 3245.589, 1e-3);
    // tests/residuals.Rout.save of the same.
    let residuals = [-25.10, -81.66, 111.09, 3.05, -49.99, -46.60, 56.00];
    for ((n, x), residual) in SPEC_SDM91.iter().zip(residuals) {
        assert_near(x - fit.throughput(*n), residual, 5e-3);
    }
}

#[test]
fn the_fit_of_the_ray_tracer_up_to_twenty_processors_is_the_published_one() {
    // tests/confint.Rout.save: rows 1 to 6 give 0.02444, 0.00163, 20.85605.
    let fit = UslFit::new(&RAY_TRACER[..6]).unwrap();
    assert_near(fit.alpha, 0.024_44, 5e-6);
    assert_near(fit.beta, 0.001_63, 5e-6);
    assert_near(fit.gamma, 20.856_05, 5e-6);
}

#[test]
fn the_fit_of_the_whole_ray_tracer_has_no_coherency_cost_and_so_no_peak() {
    // Section 4.1 of the vignette of usl 3: beta = 0.
    let fit = UslFit::new(&RAY_TRACER).unwrap();
    assert_near(fit.beta, 0.0, 0.0);
    assert_eq!(fit.peak(), None);
    assert!(fit.r_squared(&RAY_TRACER).unwrap() > 0.98);
}

#[test]
fn parameters_are_found_again_in_rounded_values_of_their_curve() {
    // tests/coef.R of the package usl: alpha 0.02, beta 0.02, gamma 1.
    let points = [
        (1.0, 1.0),
        (2.0, 1.8868),
        (4.0, 3.0769),
        (6.0, 3.5294),
        (8.0, 3.5398),
        (10.0, 3.3557),
    ];
    let fit = UslFit::new(&points).unwrap();
    assert_near(fit.alpha, 0.02, 5e-5);
    assert_near(fit.beta, 0.02, 5e-5);
    assert_near(fit.gamma, 1.0, 5e-5);
}

#[test]
fn throughput_in_proportion_to_workers_has_neither_contention_nor_coherency_cost() {
    let points = SIZES.map(|n| (f64::from(n), 1234.5 * f64::from(n)));
    let fit = UslFit::new(&points).unwrap();
    assert_near(fit.alpha, 0.0, 0.0);
    assert_near(fit.beta, 0.0, 0.0);
    assert_near(fit.gamma, 1234.5, 1e-9);
    assert_eq!(fit.peak(), None);
}

#[test]
fn throughput_that_rises_faster_than_workers_is_fitted_by_a_straight_line() {
    let points = SIZES.map(|n| (f64::from(n), f64::from(n).powf(1.3)));
    let fit = UslFit::new(&points).unwrap();
    assert_near(fit.alpha + fit.beta, 0.0, 0.0);
}

#[test]
fn throughput_that_never_changes_is_all_contention() {
    let points = SIZES.map(|n| (f64::from(n), 500.0));
    let fit = UslFit::new(&points).unwrap();
    assert_near(fit.alpha, 1.0, 1e-6);
    assert_near(fit.beta, 0.0, 1e-6);
    assert_eq!(fit.r_squared(&points), None);
}

#[test]
fn throughput_that_falls_from_the_first_worker_on_has_no_peak() {
    let points = SIZES.map(|n| (f64::from(n), 500.0 / f64::from(n)));
    let fit = UslFit::new(&points).unwrap();
    assert_near(fit.throughput(1.0), 500.0, 1e-3);
    assert_near(fit.throughput(32.0), 500.0 / 32.0, 1e-3);
    assert!(fit.peak().is_none_or(|peak| peak < 1.0));
}

#[test]
fn what_is_no_point_of_a_curve_is_refused() {
    let too_few = UslFit::new(&[(1.0, 5.0), (2.0, 9.0), (2.0, 9.1)]);
    assert_eq!(too_few, Err(UslError::TooFewSizes { found: 2 }));
    let no_workers = UslFit::new(&[(0.0, 5.0), (2.0, 9.0), (4.0, 9.1)]);
    assert_eq!(no_workers, Err(UslError::BadSize { n: 0.0 }));
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = UslFit::new(&[(1.0, 5.0), (2.0, value), (4.0, 9.1)]).unwrap_err();
        assert!(error.to_string().contains("at 2 workers"), "{error}");
    }
}

#[test]
fn a_peak_within_what_was_measured_comes_with_its_interval() {
    let truth = UslFit {
        gamma: 1000.0,
        alpha: 0.05,
        beta: 0.004,
    };
    let estimate = usl_estimate(&blocks(&truth, 12, 0.02, 1), &SIZES, 1).unwrap();
    let peak = estimate.peak.clone().unwrap();
    let (low, high) = peak.workers.interval.unwrap();
    let expected = truth.peak().unwrap();
    assert!(low < expected && expected < high, "{low} to {high}");
    assert!(low < peak.workers.point && peak.workers.point < high);
    assert!(!peak.extrapolated);
    assert_eq!((estimate.blocks, estimate.left_out), (12, 0));
    assert_eq!(estimate.sizes, SIZES);
    assert!(estimate.r_squared.unwrap() > 0.98);
}

#[test]
fn a_peak_beyond_what_was_measured_is_marked() {
    let truth = UslFit {
        gamma: 1000.0,
        alpha: 0.05,
        beta: 0.000_5,
    };
    let estimate = usl_estimate(&blocks(&truth, 20, 0.01, 2), &SIZES, 1).unwrap();
    let peak = estimate.peak.unwrap();
    assert!(peak.extrapolated && peak.workers.point > 32.0);
}

#[test]
fn where_beta_may_be_nothing_no_peak_is_quoted() {
    let truth = UslFit {
        gamma: 1000.0,
        alpha: 0.1,
        beta: 0.0,
    };
    let estimate = usl_estimate(&blocks(&truth, 10, 0.03, 3), &SIZES, 1).unwrap();
    assert_eq!(
        estimate.beta.interval.unwrap().0.to_bits(),
        0.0_f64.to_bits()
    );
    let refusal = estimate.peak.unwrap_err();
    assert_eq!(refusal, NoPeak::BetaTouchesZero);
    assert!(refusal.to_string().contains("may never fall"), "{refusal}");
}

#[test]
fn where_contention_may_be_total_no_peak_is_quoted() {
    let flat = UslFit {
        gamma: 1000.0,
        alpha: 1.0,
        beta: 0.01,
    };
    let estimate = usl_estimate(&blocks(&flat, 10, 0.03, 4), &SIZES, 1).unwrap();
    assert_eq!(estimate.peak, Err(NoPeak::AlphaReachesOne));
}

#[test]
fn from_five_sizes_there_are_parameters_but_no_peak() {
    let truth = UslFit {
        gamma: 1000.0,
        alpha: 0.05,
        beta: 0.01,
    };
    let mut curves = blocks(&truth, 8, 0.01, 5);
    for curve in &mut curves {
        curve.truncate(5);
    }
    let estimate = usl_estimate(&curves, &SIZES[..5], 1).unwrap();
    assert!(estimate.beta.interval.is_some());
    assert_eq!(estimate.peak, Err(NoPeak::TooFewSizes { found: 5 }));
}

#[test]
fn two_blocks_have_a_curve_but_no_intervals() {
    let truth = UslFit {
        gamma: 1000.0,
        alpha: 0.05,
        beta: 0.01,
    };
    let estimate = usl_estimate(&blocks(&truth, 2, 0.01, 6), &SIZES, 1).unwrap();
    assert_eq!(estimate.alpha.interval, None);
    assert_eq!(estimate.peak, Err(NoPeak::TooFewBlocks { found: 2 }));
}

#[test]
fn failed_cells_are_left_out_and_so_are_blocks_with_fewer_than_three() {
    let truth = UslFit {
        gamma: 1000.0,
        alpha: 0.05,
        beta: 0.01,
    };
    let mut curves = blocks(&truth, 8, 0.01, 7);
    curves[0][3] = None;
    curves[1][0] = None;
    curves[2][2..].fill(None);
    let estimate = usl_estimate(&curves, &SIZES, 1).unwrap();
    assert_eq!((estimate.blocks, estimate.left_out), (7, 1));
    assert_near(estimate.beta.point, truth.beta, 0.001);

    // A number of workers at which every cell failed was not measured.
    for curve in &mut curves {
        curve[7] = None;
    }
    let estimate = usl_estimate(&curves, &SIZES, 1).unwrap();
    assert_eq!(estimate.sizes, SIZES[..7]);
}

#[test]
fn blocks_that_make_no_curve_are_refused() {
    let none = vec![vec![Some(1.0), None, None]; 4];
    assert_eq!(
        usl_estimate(&none, &[1, 2, 4], 1),
        Err(UslError::NoBlocks { blocks: 4 })
    );
    let short = vec![vec![Some(1.0); 3], vec![Some(1.0); 2]];
    assert_eq!(
        usl_estimate(&short, &[1, 2, 4], 1),
        Err(UslError::CellsMissing {
            block: 1,
            found: 2,
            expected: 3
        })
    );
    let repeated = vec![vec![Some(1.0); 3]];
    assert_eq!(
        usl_estimate(&repeated, &[2, 4, 2], 1),
        Err(UslError::RepeatedSize { n: 2 })
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_curve_of_the_law_is_found_again(
        gamma in 1.0..1e6_f64, alpha in 0.0..0.9_f64, beta in 0.0..0.1_f64,
    ) {
        let truth = UslFit { gamma, alpha, beta };
        let points = SIZES.map(|n| (f64::from(n), truth.throughput(f64::from(n))));
        let fit = UslFit::new(&points).unwrap();
        prop_assert!((fit.gamma / gamma - 1.0).abs() < 1e-5, "{fit:?}");
        prop_assert!((fit.alpha - alpha).abs() < 1e-5, "{fit:?}");
        prop_assert!((fit.beta - beta).abs() < 1e-5, "{fit:?}");
    }

    #[test]
    fn any_throughputs_have_a_finite_curve_within_the_bounds(
        throughputs in prop::collection::vec(1e-3..1e9_f64, 8),
    ) {
        let points: Vec<_> = SIZES.iter().map(|&n| f64::from(n)).zip(throughputs).collect();
        let fit = UslFit::new(&points).unwrap();
        prop_assert!(fit.gamma > 0.0 && fit.gamma.is_finite(), "{fit:?}");
        prop_assert!(fit.alpha >= 0.0 && fit.alpha.is_finite(), "{fit:?}");
        prop_assert!(fit.beta >= 0.0 && fit.beta.is_finite(), "{fit:?}");
    }
}
