//! A comparison as a table for a terminal.

use std::fmt::Write as _;

use schema::CompareReport;

use super::{gates, row, shown};
use crate::{
    figures::{ratio, ratio_interval},
    groups::counted,
    pages::{aligned, badge},
};

/// What A and B are, every ratio, and what must be known, without a newline at its end.
#[must_use]
pub fn compare_text(report: &CompareReport) -> String {
    let mut text = format!("A: {}\nB: {}\n\n", report.a, report.b);
    text.push_str(&table(report));
    for (name, only) in [("A", &report.only_in_a), ("B", &report.only_in_b)] {
        if !only.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\nonly in {name}: {}", only.join(", "));
        }
    }
    if let Some(gate) = &report.gate {
        let _ = writeln!(text, "\n{}", gates::in_words(gate));
    }
    if !report.caveats.is_empty() {
        let count = counted(report.caveats.len(), "caveat");
        let _ = writeln!(text, "\nBefore quoting this ({count}):");
        for caveat in &report.caveats {
            let _ = writeln!(text, "- {caveat}");
        }
    }
    // Names and command lines come from outside and must not steer the terminal.
    text.retain(|c| c == '\n' || !c.is_control());
    text.truncate(text.trim_end().len());
    text
}

fn table(report: &CompareReport) -> String {
    if report.compared.is_empty() {
        return "nothing could be compared\n".to_owned();
    }
    let heads = ["", "A", "B", "B/A", "95 % interval", "verdict"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(report.compared.iter().map(|compared| {
        let comparison = &compared.comparison;
        let (sign, verdict) = badge(comparison.verdict);
        vec![
            row(compared),
            shown(comparison.metric, compared.a.point),
            shown(comparison.metric, compared.b.point),
            ratio(&comparison.ratio),
            ratio_interval(&comparison.ratio).unwrap_or_else(|| "–".to_owned()),
            format!("{sign} {verdict}"),
        ]
    }));
    aligned(&rows)
}
