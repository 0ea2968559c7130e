//! A run's figures in the formats of other programs.
//!
//! From a judged run to text, each format in a file of its own, all from the same list of measures:
//! - [`bencher`](ExportFormat::Bencher): Bencher Metric Format;
//! - [`github`](ExportFormat::GithubBigger): the custom tools of github-action-benchmark, which wants
//!   what should be great and what should be small in separate files;
//! - [`markdown`](ExportFormat::Markdown): for a step summary or a comment.
//!
//! Figures on emulated cores have `emulated` in their benchmark's name, as they are not to be set
//! beside others, and no latency, as it would be the quota's. Numbers have six significant digits.

mod bencher;
mod github;
mod markdown;

pub(crate) use self::markdown::folded;
use schema::{Cell, Cores, Direction, Estimate, Estimates, Verdicts};
use serde::Serialize;

use crate::{
    Run,
    figures::{duration, mebibytes, rate},
};

/// Who is to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// Bencher (bencher.dev): Bencher Metric Format, JSON.
    Bencher,
    /// github-action-benchmark, `customBiggerIsBetter`: throughput.
    GithubBigger,
    /// github-action-benchmark, `customSmallerIsBetter`: CPU time per request, p99 latency, memory.
    GithubSmaller,
    /// People, on GitHub: a step summary or a comment.
    Markdown,
}

/// A judged run in another format, with a newline at its end.
#[must_use]
pub fn export(run: &Run, verdicts: &Verdicts, format: ExportFormat) -> String {
    match format {
        ExportFormat::Bencher => bencher::export(run, verdicts),
        ExportFormat::GithubBigger => github::export(run, verdicts, Direction::MoreIsBetter),
        ExportFormat::GithubSmaller => github::export(run, verdicts, Direction::LessIsBetter),
        ExportFormat::Markdown => markdown::export(run, verdicts),
    }
}

/// One figure of a cell.
struct Measure {
    /// As Bencher knows it; `throughput` and `latency` are its own, in requests per second and ns.
    slug: &'static str,
    /// For people.
    title: &'static str,
    unit: &'static str,
    direction: Direction,
    estimate: Estimate,
    /// Writes it with its unit.
    show: fn(f64) -> String,
}

/// Every cell with figures, in the order of the plan.
fn rows<'a>(
    run: &'a Run,
    verdicts: &'a Verdicts,
) -> impl Iterator<Item = (&'a Cell, &'a Estimates)> {
    let estimates = verdicts.estimates.iter();
    estimates.filter_map(|row| Some((run.cell(&row.cell)?, row)))
}

/// A benchmark's name: the cell's, which stays the same from run to run.
pub(crate) fn name(cell: &Cell) -> String {
    match cell.cores {
        Cores::Emulated => format!("{} (emulated cores)", cell.id),
        Cores::Real | Cores::Shared => cell.id.clone(),
    }
}

fn measures(cell: &Cell, row: &Estimates) -> Vec<Measure> {
    let small = |slug, title, unit, estimate, show| Measure {
        slug,
        title,
        unit,
        direction: Direction::LessIsBetter,
        estimate,
        show,
    };
    let mut measures = vec![
        Measure {
            slug: "throughput",
            title: "throughput",
            unit: "requests/s",
            direction: Direction::MoreIsBetter,
            estimate: row.throughput_per_s,
            show: |per_s| format!("{}/s", rate(per_s)),
        },
        small(
            "cpu-per-request",
            "CPU time per request",
            "ns",
            row.cpu_ns_per_request,
            duration,
        ),
    ];
    if cell.cores != Cores::Emulated {
        measures.extend([
            small("latency", "median latency", "ns", row.p50_ns, duration),
            small("latency-p99", "p99 latency", "ns", row.p99_ns, duration),
        ]);
    }
    measures.extend(row.pss_bytes.map(|pss| {
        small("memory", "memory (PSS)", "bytes", pss, |bytes| {
            format!("{} MiB", mebibytes(bytes))
        })
    }));
    measures
}

fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(value);
    text.expect("strings and finite numbers have a place in JSON") + "\n"
}

/// Six significant digits: more than any figure is good for, and short enough to be read.
fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_six_significant_digits() {
        for (value, kept) in [
            (141_234.567, 141_235.0),
            (0.0, 0.0),
            (4.312_345_67, 4.312_35),
        ] {
            assert!((rounded(value) - kept).abs() < 1e-9, "{value}");
        }
    }
}
