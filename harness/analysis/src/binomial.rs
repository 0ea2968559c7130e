//! How sure a share is.

/// The normal quantile of a 95 % interval.
const NORMAL_QUANTILE: f64 = 1.959_963_984_540_054;

/// The 95 % interval of a probability of which `successes` in `trials` were seen, as (low, high):
/// for rates of false alarms and power.
///
/// Wilson's score interval without correction for continuity (JASA 22, 1927), which Brown, Cai and
/// `DasGupta` advise for few trials ("Interval Estimation for a Binomial Proportion", Statistical
/// Science 16(2), 2001): it stays within 0 and 1, has a width where none or all succeeded, and
/// holds the truth in 95 % of cases on average over the probabilities, not in each of them.
///
/// Without trials nothing is known: (0, 1).
///
/// # Panics
/// Where more succeeded than were tried.
#[must_use]
pub fn binomial_interval(successes: u64, trials: u64) -> (f64, f64) {
    assert!(
        successes <= trials,
        "{successes} successes in {trials} trials: count every success as a trial"
    );
    if trials == 0 {
        return (0.0, 1.0);
    }
    let n = trials as f64;
    let share = successes as f64 / n;
    let z2 = NORMAL_QUANTILE * NORMAL_QUANTILE;
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half =
        NORMAL_QUANTILE / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    // Both ends are exact where rounding would leave them beside 0 and 1.
    let low = if successes == 0 { 0.0 } else { centre - half };
    let high = if successes == trials {
        1.0
    } else {
        centre + half
    };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_that_newcombe_published() {
        // R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics
        // in Medicine 17, 1998, table I, method 3.
        for (successes, trials, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let found = binomial_interval(successes, trials);
            assert!((found.0 - low).abs() < 5e-5, "{successes}: {found:?}");
            assert!((found.1 - high).abs() < 5e-5, "{successes}: {found:?}");
        }
    }

    #[test]
    fn failures_mirror_successes() {
        for (successes, trials) in [(0, 7), (3, 10), (50, 1000)] {
            let (low, high) = binomial_interval(successes, trials);
            let (mirrored_low, mirrored_high) = binomial_interval(trials - successes, trials);
            assert!((low + mirrored_high - 1.0).abs() < 1e-12);
            assert!((high + mirrored_low - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn without_trials_any_probability_is_possible() {
        assert_eq!(binomial_interval(0, 0), (0.0, 1.0));
    }

    #[test]
    #[should_panic(expected = "3 successes in 2 trials")]
    fn more_successes_than_trials_are_refused() {
        let _ = binomial_interval(3, 2);
    }
}
