//! Numbers as people read them.

use schema::Estimate;

/// A number with as many decimals as leave `digits` significant ones, never in powers of ten.
pub(crate) fn significant(value: f64, digits: i32) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value:.0}");
    }
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a decimal exponent is small"
    )]
    let magnitude = value.abs().log10().floor() as i32;
    let decimals = usize::try_from(digits - 1 - magnitude).unwrap_or(0);
    format!("{value:.decimals$}")
}

/// Requests per second: `141k`, `9.42k`, `182`.
pub(crate) fn rate(per_s: f64) -> String {
    match per_s {
        _ if per_s >= 999_500.0 => format!("{}M", significant(per_s / 1e6, 3)),
        _ if per_s >= 99_950.0 => format!("{}k", significant(per_s / 1e3, 4)),
        _ if per_s >= 999.5 => format!("{}k", significant(per_s / 1e3, 3)),
        _ => significant(per_s, 3),
    }
}

/// A figure, as a lower bound where it is one: `at least 25.7k/s`.
pub(crate) fn at_least(figure: String, is_bound: bool) -> String {
    if is_bound {
        format!("at least {figure}")
    } else {
        figure
    }
}

/// Microseconds, without the unit.
pub(crate) fn micros(ns: f64) -> String {
    significant(ns / 1e3, 3)
}

/// Milliseconds, without the unit.
pub(crate) fn millis(ns: f64) -> String {
    significant(ns / 1e6, 3)
}

/// A duration with the unit that fits it: `412 µs`, `1.83 ms`, `2.10 s`.
pub(crate) fn duration(ns: f64) -> String {
    match ns {
        _ if ns < 999.5 => format!("{} ns", significant(ns, 3)),
        _ if ns < 999_500.0 => format!("{} µs", significant(ns / 1e3, 3)),
        _ if ns < 999_500_000.0 => format!("{} ms", significant(ns / 1e6, 3)),
        _ => format!("{} s", significant(ns / 1e9, 3)),
    }
}

/// Bytes in MiB, without the unit.
pub(crate) fn mebibytes(bytes: f64) -> String {
    significant(bytes / 1_048_576.0, 3)
}

/// A number for an axis, without decimals that say nothing: `50`, `2.5`.
pub(crate) fn trimmed(number: &str) -> String {
    if number.contains('.') {
        number
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    } else {
        number.to_owned()
    }
}

/// The same before a suffix: `50k`, `1.5M`.
pub(crate) fn trimmed_suffix(number: &str) -> String {
    let digits = number.trim_end_matches(char::is_alphabetic);
    format!("{}{}", trimmed(digits), &number[digits.len()..])
}

/// The same before a unit: `500 µs`, `2 ms`.
pub(crate) fn trimmed_unit(number: &str) -> String {
    match number.split_once(' ') {
        Some((digits, unit)) => format!("{} {unit}", trimmed(digits)),
        None => trimmed(number),
    }
}

/// A share in per cent: `97 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// A number as a sentence has it: in letters up to ten.
pub(crate) fn in_letters(number: u32) -> String {
    const LETTERS: [&str; 11] = [
        "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    ];
    let letters = LETTERS.get(number as usize);
    letters.map_or_else(|| number.to_string(), |&letters| letters.to_owned())
}

/// A text with a capital at its beginning.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// A small share in per cent, with the digits that it needs: `2 %`, `3.1 %`.
pub(crate) fn small_percent(share: f64) -> String {
    format!("{} %", trimmed(&significant(share * 100.0, 2)))
}

/// Decimals that a ratio needs for its interval to be seen beside 1.
fn ratio_decimals(ratio: &Estimate) -> usize {
    let narrow = ratio.interval.is_some_and(|(low, high)| high - low < 0.02);
    match ratio.point {
        p if p < 0.1 || (narrow && p < 2.0) => 3,
        p if p < 10.0 => 2,
        _ => 1,
    }
}

/// A ratio without its interval: `0.99`.
pub(crate) fn ratio(ratio: &Estimate) -> String {
    format!("{:.*}", ratio_decimals(ratio), ratio.point)
}

/// A ratio for a headline: never more than two decimals.
pub(crate) fn ratio_in_brief(ratio: &Estimate) -> String {
    format!("{:.*}", ratio_decimals(ratio).min(2), ratio.point)
}

/// The interval of a ratio: `0.97 to 1.01`.
pub(crate) fn ratio_interval(ratio: &Estimate) -> Option<String> {
    let decimals = ratio_decimals(ratio);
    let (low, high) = ratio.interval?;
    Some(format!("{low:.decimals$} to {high:.decimals$}"))
}

/// The interval of an estimate, each bound as `show` writes it.
pub(crate) fn interval(estimate: &Estimate, show: impl Fn(f64) -> String) -> Option<String> {
    let (low, high) = estimate.interval?;
    Some(format!("{} to {}", show(low), show(high)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_the_digits_that_matter() {
        assert_eq!(rate(141_234.0), "141.2k");
        assert_eq!(rate(9_421.0), "9.42k");
        assert_eq!(rate(182.4), "182");
        assert_eq!(rate(1_234_567.0), "1.23M");
        assert_eq!(rate(0.0), "0");
        assert_eq!(micros(4_312.0), "4.31");
        assert_eq!(duration(412_000.0), "412 µs");
        assert_eq!(duration(1_830_000.0), "1.83 ms");
        assert_eq!(duration(2_100_000_000.0), "2.10 s");
        assert_eq!(mebibytes(12_900_000.0), "12.3");
    }

    #[test]
    fn labels_of_axes_carry_no_empty_decimals() {
        assert_eq!(trimmed("50.0"), "50");
        assert_eq!(trimmed("500"), "500");
        assert_eq!(trimmed_suffix("1.50M"), "1.5M");
        assert_eq!(trimmed_suffix("200"), "200");
        assert_eq!(trimmed_unit("2.00 ms"), "2 ms");
    }

    #[test]
    fn a_narrow_interval_of_a_ratio_is_not_rounded_away() {
        let narrow = Estimate {
            point: 0.9991,
            interval: Some((0.9982, 1.0003)),
        };
        assert_eq!(ratio(&narrow), "0.999");
        assert_eq!(ratio_interval(&narrow).unwrap(), "0.998 to 1.000");
        let wide = Estimate {
            point: 12.34,
            interval: Some((11.0, 13.0)),
        };
        assert_eq!(ratio_interval(&wide).unwrap(), "11.0 to 13.0");
    }
}
