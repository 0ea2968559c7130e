//! The quantile of values in ascending order.

/// The quantile of `ascending` values at a level from 0 to 1, by linear interpolation between the
/// two values around it: type 7 of Hyndman and Fan ("Sample Quantiles in Statistical Packages",
/// The American Statistician 50(4), 1996), the default of R and of numpy.
///
/// Levels beyond 0 and 1 are those two. `None` where there are no values or the level is no
/// number.
#[must_use]
pub fn quantile(ascending: &[f64], level: f64) -> Option<f64> {
    debug_assert!(ascending.is_sorted(), "the values must ascend");
    let last = ascending.len().checked_sub(1)?;
    if level.is_nan() {
        return None;
    }
    let position = level.clamp(0.0, 1.0) * last as f64;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the number of values"
    )]
    let below = position.floor() as usize;
    let weight = position - position.floor();
    let low = ascending[below];
    // An infinite neighbour that has no weight would make the sum no number.
    if weight <= 0.0 {
        return Some(low);
    }
    // In this form two equal neighbours give back exactly their value.
    let high = ascending[below + 1];
    Some(if low < high {
        low + weight * (high - low)
    } else {
        low
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_quantiles(mut values: Vec<f64>, expected: &[(f64, f64)]) {
        values.sort_by(f64::total_cmp);
        for &(level, value) in expected {
            let found = quantile(&values, level).unwrap();
            assert!((found - value).abs() < 1e-12, "{level}: {found}");
        }
    }

    #[test]
    fn quantiles_are_those_that_r_gives_for_the_miles_per_gallon_of_its_cars() {
        // quantile(mtcars$mpg): 10.400 15.425 19.200 22.800 33.900.
        let mpg = vec![
            21.0, 21.0, 22.8, 21.4, 18.7, 18.1, 14.3, 24.4, 22.8, 19.2, 17.8, 16.4, 17.3, 15.2,
            10.4, 10.4, 14.7, 32.4, 30.4, 33.9, 21.5, 15.5, 15.2, 13.3, 19.2, 27.3, 26.0, 30.4,
            15.8, 19.7, 15.0, 21.4,
        ];
        let expected = [
            (0.0, 10.4),
            (0.25, 15.425),
            (0.5, 19.2),
            (0.75, 22.8),
            (1.0, 33.9),
        ];
        assert_quantiles(mpg, &expected);
    }

    #[test]
    fn quantiles_are_those_of_numpy_s_manual() {
        // numpy.quantile: a = [[10, 7, 4], [3, 2, 1]]; quantile(a, 0.5) = 3.5.
        assert_quantiles(vec![10.0, 7.0, 4.0, 3.0, 2.0, 1.0], &[(0.5, 3.5)]);
    }

    #[test]
    fn quantiles_of_one_to_ten_tell_type_seven_from_the_others() {
        // At 0.1, types 1 to 9 give 1, 1.5, 1, 1, 1.5, 1.1, 1.9, 1.366.., 1.4.
        let values = (1..=10).map(f64::from).collect();
        assert_quantiles(values, &[(0.1, 1.9), (0.25, 3.25), (0.9, 9.1)]);
    }

    #[test]
    fn levels_beyond_the_ends_are_the_ends() {
        assert_quantiles(vec![2.0, 5.0], &[(-0.5, 2.0), (1.5, 5.0)]);
        assert_quantiles(vec![4.0], &[(0.0, 4.0), (0.7, 4.0)]);
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[1.0], f64::NAN), None);
    }

    #[test]
    fn an_infinite_value_reaches_only_the_levels_above_its_finite_neighbour() {
        let values = [1.0, 2.0, f64::INFINITY];
        assert_eq!(quantile(&values, 0.5), Some(2.0));
        assert_eq!(quantile(&values, 0.6), Some(f64::INFINITY));
        assert_eq!(quantile(&[f64::INFINITY; 2], 0.5), Some(f64::INFINITY));
    }
}
