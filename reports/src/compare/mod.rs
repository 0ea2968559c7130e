//! B over A, for whoever asks: two runs, or two servers that were measured in turns.
//!
//! The flow, each step pure: two run folders -> [`compare_runs`], or one run of two servers ->
//! [`compare_blocks`], -> [`CompareReport`](schema::CompareReport) -> [`gate`] (may B pass?) ->
//! [`compare_text`], [`compare_markdown`].
//!
//! What is measured in turns shares its disturbances, and the ratio is paired by blocks. Two runs do
//! not, and their ratio is that of two independent samples: what differed between the two times for
//! all trials of a run is in the ratio and not in its interval. Margins, and what a busy load
//! generator leaves of a verdict, are the judge's.

mod blocks;
mod caveats;
mod gates;
mod markdown;
mod runs;
mod text;

use analysis::{Sample, estimate, verdict};
use schema::{Cell, Compared, Comparison, Cores, Estimate, Metric};

pub use self::{
    blocks::{compare_blocks, throughput_in_turns},
    gates::gate,
    markdown::compare_markdown,
    runs::compare_runs,
    text::compare_text,
};
use crate::{
    figures::{self, duration, rate},
    judge::{Limits, METRICS, figure, held_back, margin, outcome},
    measurements::Measurements,
};

/// A cell in the run that it was measured in.
#[derive(Clone, Copy)]
struct Side<'m, 'a> {
    measurements: &'m Measurements<'a>,
    cell: &'a Cell,
}

impl Side<'_, '_> {
    fn trials(&self) -> u32 {
        u32::try_from(self.measurements.trials(&self.cell.id).len()).unwrap_or(u32::MAX)
    }

    /// A metric of each trial that is judged, by block.
    fn figures(&self, metric: Metric) -> Vec<(u32, f64)> {
        let trials = self.measurements.trials(&self.cell.id);
        trials
            .iter()
            .map(|(&block, &trial)| (block, figure(trial, metric)))
            .collect()
    }

    fn mean(&self, metric: Metric) -> Option<Estimate> {
        let figures = self.figures(metric).into_iter().map(|(_, figure)| figure);
        let sample = Sample::new(figures.collect()).ok()?;
        Some(estimate(&sample, self.measurements.run.plan.seed))
    }
}

/// What a ratio rests on.
enum Basis {
    /// So many blocks that hold both.
    Blocks(u32),
    /// Trials of two runs.
    Trials,
}

/// Metrics that may be compared: on emulated cores, latency would be the quota's.
fn metrics(cell: &Cell) -> impl Iterator<Item = Metric> {
    let emulated = cell.cores == Cores::Emulated;
    METRICS
        .into_iter()
        .filter(move |&metric| metric != Metric::P99 || !emulated)
}

/// A ratio with its verdict; `None` where a side has no trial.
fn compared(
    cell: Option<String>,
    (a, b): (Side<'_, '_>, Side<'_, '_>),
    metric: Metric,
    ratio: Estimate,
    basis: &Basis,
) -> Option<Compared> {
    let limits = Limits {
        reference: held_back(a.measurements, a.cell),
        subject: held_back(b.measurements, b.cell),
    };
    let seen = verdict(&ratio, margin(metric), metric.direction());
    let allowed = limits.allow(seen, metric);
    let trials = (a.trials(), b.trials());
    let mut comparison = Comparison {
        question: within(
            cell.as_deref(),
            &format!("is the {} of B better than that of A?", title(metric)),
        ),
        reference: a.cell.id.clone(),
        subject: b.cell.id.clone(),
        metric,
        blocks: match basis {
            Basis::Blocks(blocks) => *blocks,
            Basis::Trials => 0,
        },
        ratio,
        equivalence_margin: margin(metric),
        verdict: allowed,
        sentence: String::new(),
    };
    let limit = limits.either().filter(|_| metric != Metric::CpuPerRequest);
    let outcome = match ratio.interval {
        None => "undecided".to_owned(),
        Some(_) => outcome(&comparison, limit),
    };
    let finding = format!(
        "{} of B is {} times that of A ({}): {outcome}.",
        title(metric),
        figures::ratio(&ratio),
        evidence(&ratio, basis, trials)
    );
    comparison.sentence = within(cell.as_deref(), &finding);
    Some(Compared {
        cell,
        trials,
        a: a.mean(metric)?,
        b: b.mean(metric)?,
        withheld: allowed != seen,
        comparison,
    })
}

/// A sentence with the cell that it is about.
fn within(cell: Option<&str>, sentence: &str) -> String {
    match cell {
        Some(cell) => format!("{cell}: {sentence}"),
        None => sentence.to_owned(),
    }
}

/// What a row of a table is about.
fn row(compared: &Compared) -> String {
    let title = title(compared.comparison.metric);
    match &compared.cell {
        Some(cell) => format!("{cell}, {title}"),
        None => title.to_owned(),
    }
}

fn evidence(ratio: &Estimate, basis: &Basis, (a, b): (u32, u32)) -> String {
    let basis = match basis {
        Basis::Blocks(1) => "1 block".to_owned(),
        Basis::Blocks(blocks) => format!("{blocks} blocks"),
        Basis::Trials => format!("{a} and {b} trials"),
    };
    match figures::ratio_interval(ratio) {
        Some(interval) => format!("95 % interval {interval}, {basis}"),
        None => format!("{basis}, too few for an interval"),
    }
}

const fn title(metric: Metric) -> &'static str {
    match metric {
        Metric::Throughput => "throughput",
        Metric::CpuPerRequest => "CPU time per request",
        Metric::P99 => "p99 latency",
    }
}

/// A metric's figure with its unit.
fn shown(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Throughput => format!("{}/s", rate(value)),
        Metric::CpuPerRequest | Metric::P99 => duration(value),
    }
}
