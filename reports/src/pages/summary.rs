//! The short account for a terminal.

use std::fmt::Write as _;

use schema::Verdicts;

use super::{GroupPages, group_panels, headline::Headline};
use crate::{
    Run,
    figures::{duration, interval, mebibytes, micros, rate},
    groups::counted,
};

const HEADS: [&str; 7] = [
    "server",
    "workers",
    "requests/s",
    "",
    "CPU/request",
    "p50",
    "p99",
];

/// The figures of a run and its main answer, as text of a few lines without a newline at its end.
#[must_use]
pub fn summary(run: &Run, verdicts: &Verdicts) -> String {
    let headline = Headline::new(run, verdicts);
    let mut text = String::new();
    for group in group_panels(run, verdicts) {
        let _ = writeln!(text, "{}", group.group.describe());
        text.push_str(&table(&group));
        text.push('\n');
    }
    let _ = writeln!(text, "{}", headline.answer());
    let about = headline.throughput.into_iter().chain(headline.cpu);
    for comparison in about.chain(headline.growth.iter().map(|growth| growth.comparison)) {
        let _ = writeln!(text, "- {}", comparison.sentence);
    }
    if !verdicts.caveats.is_empty() {
        let _ = writeln!(
            text,
            "\nBefore quoting this ({}):",
            counted(verdicts.caveats.len(), "caveat")
        );
        for caveat in &verdicts.caveats {
            let _ = writeln!(text, "- {caveat}");
        }
    }
    // Names and reasons come from outside and must not steer the terminal.
    let mut text: String = text
        .chars()
        .filter(|&c| c == '\n' || !c.is_control())
        .collect();
    text.truncate(text.trim_end().len());
    text
}

fn table(group: &GroupPages<'_>) -> String {
    let mut rows: Vec<Vec<String>> = vec![HEADS.map(str::to_owned).to_vec()];
    rows[0].push("PSS".to_owned());
    for bar in &group.panel.bars {
        let row = bar.figures;
        let served = interval(&row.throughput_per_s, rate);
        rows.push(vec![
            bar.cell.server.clone(),
            bar.cell.workers.to_string(),
            rate(row.throughput_per_s.point),
            served
                .map(|interval| format!("({interval})"))
                .unwrap_or_default(),
            format!("{} µs", micros(row.cpu_ns_per_request.point)),
            duration(row.p50_ns.point),
            duration(row.p99_ns.point),
            row.pss_bytes.map_or_else(
                || "–".to_owned(),
                |size| format!("{} MiB", mebibytes(size.point)),
            ),
        ]);
    }
    if rows.len() == 1 {
        return "nothing of this was measured\n".to_owned();
    }
    aligned(&rows)
}

/// Columns of equal width: the first flush left, numbers flush right.
fn aligned(rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = if column == 0 {
                write!(line, "{cell:<width$}")
            } else {
                write!(line, "  {cell:>width$}")
            };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}
