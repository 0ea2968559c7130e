//! How evenly work was shared.

/// Jain's fairness index of shares: 1 where all are equal, 1/n where one of n has everything.
///
/// `(Σx)² / (n · Σx²)` (Jain, Chiu and Hawe, DEC Research Report TR-301, 1984). `None` where
/// there are no shares, all are zero, or one is negative or not finite.
#[must_use]
pub fn fairness_index(shares: &[f64]) -> Option<f64> {
    let most = shares.iter().copied().fold(0.0, f64::max);
    if most <= 0.0 || !shares.iter().all(|&x| x >= 0.0 && x.is_finite()) {
        return None;
    }
    // The index does not depend on the unit; dividing by the greatest keeps squares from
    // overflowing or vanishing.
    let sum: f64 = shares.iter().map(|x| x / most).sum();
    let squares: f64 = shares.iter().map(|x| (x / most).powi(2)).sum();
    Some(sum * sum / (shares.len() as f64 * squares))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_shares_are_wholly_fair_and_one_taker_of_four_is_a_quarter_fair() {
        assert_eq!(fairness_index(&[5.0; 7]), Some(1.0));
        assert_eq!(fairness_index(&[0.0, 9.0, 0.0, 0.0]), Some(0.25));
    }

    #[test]
    fn nothing_to_share_has_no_index() {
        assert_eq!(fairness_index(&[]), None);
        assert_eq!(fairness_index(&[0.0, 0.0]), None);
        assert_eq!(fairness_index(&[1.0, f64::NAN]), None);
        assert_eq!(fairness_index(&[1.0, -1.0]), None);
    }

    proptest! {
        #[test]
        fn the_index_lies_between_one_nth_and_one(shares in prop::collection::vec(0.0..1e300_f64, 1..64)) {
            if let Some(index) = fairness_index(&shares) {
                prop_assert!(index <= 1.0 + 1e-9);
                prop_assert!(index >= 1.0 / shares.len() as f64 - 1e-9);
            }
        }
    }
}
