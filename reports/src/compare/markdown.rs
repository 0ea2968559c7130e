//! A comparison in Markdown, for a step summary or a comment.

use std::fmt::Write as _;

use schema::{CompareReport, Verdict};

use super::{gates, row, shown};
use crate::{
    export::folded,
    figures::{ratio, ratio_interval},
    groups::counted,
    pages::{badge, escaped},
};

/// The outcome, every ratio, and what must be known, folded away.
#[must_use]
pub fn compare_markdown(report: &CompareReport) -> String {
    let mut text = format!("## Ten Counters: {}\n\n", headline(report));
    // Writing to a string cannot fail.
    let _ = writeln!(text, "- A: {}", escaped(&report.a));
    let _ = writeln!(text, "- B: {}\n", escaped(&report.b));
    if !report.valid {
        text.push_str("**Do not quote this**: a rule of measurement is broken.\n\n");
    }
    text.push_str("| | A | B | B/A | 95 % interval | verdict on B |\n");
    text.push_str("|---|---:|---:|---:|---:|---|\n");
    for compared in &report.compared {
        let comparison = &compared.comparison;
        let (sign, verdict) = badge(comparison.verdict);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {sign} {verdict} |",
            escaped(&row(compared)),
            shown(comparison.metric, compared.a.point),
            shown(comparison.metric, compared.b.point),
            ratio(&comparison.ratio),
            ratio_interval(&comparison.ratio).unwrap_or_else(|| "–".to_owned()),
        );
    }
    text.push('\n');
    if let Some(gate) = &report.gate {
        for sentence in &gate.failed {
            let _ = writeln!(text, "- {}", escaped(sentence));
        }
        if !gate.failed.is_empty() {
            text.push('\n');
        }
    }
    for (name, only) in [("A", &report.only_in_a), ("B", &report.only_in_b)] {
        if !only.is_empty() {
            let _ = writeln!(text, "Only in {name}: {}\n", escaped(&only.join(", ")));
        }
    }
    text.push_str(&folded("caveat", &report.caveats, !report.valid));
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn headline(report: &CompareReport) -> String {
    if !report.valid {
        return "no answer".to_owned();
    }
    if let Some(gate) = &report.gate {
        return gates::in_words(gate);
    }
    let verdicts = report.compared.iter().map(|c| c.comparison.verdict);
    let count = |wanted| verdicts.clone().filter(|&seen| seen == wanted).count();
    format!(
        "B over A: {}, {} worse, {} better, {} equivalent, {} undecided",
        counted(report.compared.len(), "ratio"),
        count(Verdict::Worse),
        count(Verdict::Better),
        count(Verdict::Equivalent),
        count(Verdict::Undecided)
    )
}
