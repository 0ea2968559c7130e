//! Figures in text that is written for people.

use anyhow::Context;

/// The rest of the first line that starts with `label`, spaces aside.
pub fn after<'t>(text: &'t str, label: &str) -> Option<&'t str> {
    text.lines()
        .find_map(|line| line.trim_start().strip_prefix(label))
        .map(str::trim)
}

/// The first word after `label`, as a finite number.
pub fn number(text: &str, label: &str) -> anyhow::Result<f64> {
    let rest = after(text, label).with_context(|| format!("it did not say {label:?}"))?;
    let word = rest.split_whitespace().next().unwrap_or_default();
    word.parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
        .with_context(|| format!("it said {label:?} and then {rest:?}, which is no number"))
}

/// The first word after `label`, as a count.
pub fn count(text: &str, label: &str) -> anyhow::Result<u64> {
    let rest = after(text, label).with_context(|| format!("it did not say {label:?}"))?;
    let word = rest.split_whitespace().next().unwrap_or_default();
    word.parse()
        .with_context(|| format!("it said {label:?} and then {rest:?}, which is no count"))
}

/// Counts with their names behind them, as in `3 done, 4 failed`: the one named.
pub fn counted(list: &str, name: &str) -> anyhow::Result<u64> {
    list.split(',')
        .find_map(|item| item.trim().strip_suffix(name)?.trim_end().parse().ok())
        .with_context(|| format!("there is no count of {name:?} in {list:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_first_word_after_its_label() {
        let text = "Summary:\n  Total:\t1.0022 secs\n";
        assert!((number(text, "Total:").unwrap() - 1.0022).abs() < 1e-12);
        assert!(number(text, "Rate:").is_err());
        assert!(number("Average:  NaN secs", "Average:").is_err());
    }

    #[test]
    fn counts_are_found_by_the_names_behind_them() {
        let list = "0 failed, 12 done";
        assert_eq!(counted(list, "done").unwrap(), 12);
        assert!(counted(list, "timeout").is_err());
    }
}
