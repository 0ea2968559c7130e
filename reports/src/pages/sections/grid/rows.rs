//! Processes over threads, row by row, and what comes of all rows.

use schema::{Comparison, GridRow, Metric, Verdict};

use crate::{
    figures::{in_letters, ratio, ratio_interval},
    groups::counted,
    pages::{
        badge,
        sections::{Head, Table, with_interval},
    },
};

pub(super) const WHY_BY_CPU: &str = "Where the load generator was the limit, rows are judged by CPU time per request: servers that it holds back serve alike whatever they are, and what they use for a request is their own.";

const HEADS: &[Head] = &[
    Head::Words("Line"),
    Head::Words("Processes"),
    Head::Words("Judged by"),
    Head::Number("Requests per second, ratio"),
    Head::Number("CPU per request, ratio"),
];

/// Rows that are furthest from equal are named, so many of them.
const NAMED: usize = 2;

/// Each row that has figures of both.
pub(super) fn table(rows: &[&GridRow]) -> Table {
    let compared = rows.iter().filter_map(|row| Some((row, row.judged()?)));
    let or_dash = |comparison: &Option<Comparison>| {
        let comparison = comparison.as_ref();
        comparison.map_or_else(|| "–".to_owned(), |c| with_interval(&c.ratio))
    };
    let row = |(row, judged): (&&GridRow, &Comparison)| {
        let (sign, word) = badge(judged.verdict);
        let by = match row.judged_by {
            Metric::CpuPerRequest => "CPU\u{a0}time",
            Metric::Throughput | Metric::P99 => "throughput",
        };
        vec![
            name(row),
            format!("{sign}\u{a0}{word}"),
            by.to_owned(),
            or_dash(&row.throughput),
            or_dash(&row.cpu),
        ]
    };
    Table {
        heads: HEADS,
        rows: compared.map(row).collect(),
    }
}

/// What comes of the rows, as in `Of 11 lines, processes serve more in four, threads in two, three are
/// alike and two stay open.`
pub(in crate::pages) fn told(rows: &[&GridRow]) -> String {
    let by = |metric: Metric| -> Vec<Verdict> {
        let rows = rows.iter().filter(|row| row.judged_by == metric);
        let judged = rows.filter_map(|row| row.judged());
        judged.map(|comparison| comparison.verdict).collect()
    };
    let (throughput, cpu) = (by(Metric::Throughput), by(Metric::CpuPerRequest));
    let (serve, take) = ("serve more", "take less CPU time for a request");
    match (throughput.len(), cpu.len()) {
        (0, 0) => "No line has figures of both, so nothing is compared.".to_owned(),
        (lines, 0) => format!(
            "Of {}, {}.",
            counted(lines, "line"),
            tallied(&throughput, serve)
        ),
        (0, lines) => format!("Of {}, {}.", counted(lines, "line"), tallied(&cpu, take)),
        (some, others) => format!(
            "By throughput ({}), {}; by CPU time ({}), {}.",
            counted(some, "line"),
            tallied(&throughput, serve),
            counted(others, "line"),
            tallied(&cpu, take)
        ),
    }
}

fn tallied(verdicts: &[Verdict], better: &str) -> String {
    let count = |wanted: Verdict| verdicts.iter().filter(|v| **v == wanted).count();
    let in_words = |count: usize| match count {
        0 => "none".to_owned(),
        _ => in_letters(u32::try_from(count).unwrap_or(u32::MAX)),
    };
    let open = count(Verdict::Undecided);
    if open == verdicts.len() {
        return "processes cannot be told from threads in any".to_owned();
    }
    let mut parts = vec![
        format!("processes {better} in {}", in_words(count(Verdict::Better))),
        format!("threads in {}", in_words(count(Verdict::Worse))),
    ];
    for (count, one, more) in [
        (count(Verdict::Equivalent), "is alike", "are alike"),
        (open, "stays open", "stay open"),
    ] {
        if count > 0 {
            let verb = if count == 1 { one } else { more };
            parts.push(format!("{} {verb}", in_words(count)));
        }
    }
    let last = parts.pop().unwrap_or_default();
    format!("{} and {last}", parts.join(", "))
}

/// The decided rows whose ratio is furthest from 1.
pub(super) fn furthest(rows: &[&GridRow]) -> Option<String> {
    let mut decided: Vec<(&GridRow, &Comparison)> = rows
        .iter()
        .filter_map(|row| Some((*row, row.judged()?)))
        .filter(|(_, judged)| matches!(judged.verdict, Verdict::Better | Verdict::Worse))
        .collect();
    let distance = |comparison: &Comparison| comparison.ratio.point.ln().abs();
    decided.sort_by(|(_, a), (_, b)| distance(b).total_cmp(&distance(a)));
    let named: Vec<String> = decided
        .iter()
        .take(NAMED)
        .map(|(row, judged)| {
            let interval = ratio_interval(&judged.ratio);
            let interval = interval.map(|interval| format!(" ({interval})"));
            let times = ratio(&judged.ratio);
            let what = match row.judged_by {
                Metric::CpuPerRequest => {
                    format!("a request takes processes {times} times the CPU time")
                }
                Metric::Throughput | Metric::P99 => {
                    format!("processes serve {times} times what threads serve")
                }
            };
            format!(
                "{}, where {what}{}",
                name(row),
                interval.unwrap_or_default()
            )
        })
        .collect();
    (!named.is_empty()).then(|| format!("They differ most in {}.", named.join(", and in ")))
}

fn name(row: &GridRow) -> String {
    format!("{}/{}", row.style, row.accept)
}
