//! Numbers for people.

use schema::Estimate;

/// Rounded to a whole number, thousands apart: `1,234,567`.
pub fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Nanoseconds in the unit that leaves three or four digits: `1.87 µs`, `41.2 µs`, `1.52 ms`.
pub fn time(ns: f64) -> String {
    let (value, unit) = if ns < 1e6 {
        (ns / 1e3, "µs")
    } else if ns < 1e9 {
        (ns / 1e6, "ms")
    } else {
        (ns / 1e9, "s")
    };
    let decimals = match value {
        value if value < 10.0 => 2,
        value if value < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

/// `0.72 (0.70 to 0.75)`.
pub fn ratio(ratio: &Estimate) -> String {
    match ratio.interval {
        Some((low, high)) => format!("{} ({} to {})", part(ratio.point), part(low), part(high)),
        None => part(ratio.point),
    }
}

/// Two decimals, or as many as leave a small ratio two digits.
fn part(value: f64) -> String {
    let decimals = (2..9).find(|&decimals| value * 10_f64.powi(decimals) >= 9.5);
    let decimals = usize::try_from(decimals.unwrap_or(2)).unwrap_or(2);
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (value, text) in [(0.0, "0"), (999.6, "1,000"), (1_234_567.2, "1,234,567")] {
            assert_eq!(grouped(value), text);
        }
    }

    #[test]
    fn times_take_the_unit_that_suits_them() {
        for (ns, text) in [
            (1_870.0, "1.87 µs"),
            (41_230.0, "41.2 µs"),
            (152_300.0, "152 µs"),
            (1_523_000.0, "1.52 ms"),
            (2_000_000_000.0, "2.00 s"),
        ] {
            assert_eq!(time(ns), text);
        }
    }

    #[test]
    fn a_ratio_shows_its_interval_where_it_has_one() {
        let mut estimate = Estimate {
            point: 0.5,
            interval: Some((0.0401, 1.204)),
        };
        assert_eq!(ratio(&estimate), "0.50 (0.040 to 1.20)");
        estimate.interval = None;
        assert_eq!(ratio(&estimate), "0.50");
    }

    #[test]
    fn small_ratios_are_told_from_nothing() {
        for (value, text) in [
            (0.098, "0.10"),
            (0.0943, "0.094"),
            (0.000_34, "0.00034"),
            (0.0, "0.00"),
        ] {
            assert_eq!(part(value), text);
        }
    }
}
