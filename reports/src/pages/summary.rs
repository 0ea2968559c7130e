//! The short account for a terminal.

mod alone;

use std::{collections::BTreeSet, fmt::Write as _};

use schema::{Estimate, ScalingCurve, Verdicts};

use super::{
    GroupPages, group_panels,
    headline::Headline,
    sections::{curves, handoff_sentence},
};
use crate::{
    Run,
    figures::{capital, duration, interval, mebibytes, micros, rate},
    groups::{counted, experiment},
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

/// The main answer of a run and its figures, as text of a few lines without a newline at its end.
#[must_use]
pub fn summary(run: &Run, verdicts: &Verdicts) -> String {
    let headline = Headline::new(run, verdicts);
    let mut text = String::new();
    let _ = writeln!(text, "{}", headline.answer());
    for answer in headline.answers() {
        let _ = writeln!(text, "- {}", capital(answer.sentence()));
    }
    for remark in headline.remarks() {
        let _ = writeln!(text, "- {remark}");
    }
    let mut groups = group_panels(run, verdicts);
    // It is the instrument that they are about, and the pages tell it.
    groups.retain(|group| group.group.experiment != experiment::FIDELITY);
    for group in groups {
        let curves: Vec<&ScalingCurve> = curves(&group.group, verdicts).collect();
        let _ = writeln!(text, "\n{}", group.group.describe());
        text.push_str(&if curves.is_empty() {
            table(&group)
        } else {
            speedups(&curves)
        });
    }
    for (title, table) in alone::tables(verdicts) {
        let _ = write!(text, "\n{title}\n{table}");
    }
    if !verdicts.handoffs.is_empty() {
        let _ = writeln!(
            text,
            "\nhandoffs: their share of CPU time, predicted by cargo bench"
        );
        for share in &verdicts.handoffs {
            let _ = writeln!(text, "- {}", handoff_sentence(share));
        }
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

/// One line for each server: speed-up by number of cores.
fn speedups(curves: &[&ScalingCurve]) -> String {
    let counts: BTreeSet<u32> = curves
        .iter()
        .flat_map(|curve| curve.points.iter().map(|point| point.workers))
        .collect();
    let mut rows = vec![vec!["speed-up by cores".to_owned()]];
    rows[0].extend(counts.iter().map(ToString::to_string));
    for curve in curves {
        let mut row = vec![curve.server.clone()];
        row.extend(counts.iter().map(|&count| {
            let mut points = curve.points.iter();
            points
                .find(|point| point.workers == count)
                .map_or_else(String::new, |point| format!("{:.2}", point.speedup.point))
        }));
        rows.push(row);
    }
    aligned(&rows)
}

fn table(group: &GroupPages<'_>) -> String {
    let latency = |estimate: Estimate| match group.no_latency() {
        None => duration(estimate.point),
        Some(_) => "–".to_owned(),
    };
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
            latency(row.p50_ns),
            latency(row.p99_ns),
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
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
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
