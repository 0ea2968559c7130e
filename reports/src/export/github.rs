//! The custom tools of github-action-benchmark
//! (<https://github.com/benchmark-action/github-action-benchmark>): an array of named values, all of
//! which should be great, or all small.

use schema::{Cell, Direction, Estimates, Verdicts};
use serde::Serialize;

use super::{Measure, measures, name, rounded, rows};
use crate::{Run, figures::interval, groups::counted};

/// Bencher has a measure of that name of its own; here the tail alone is kept watch on.
const NOT_WATCHED: &str = "latency";

#[derive(Serialize)]
struct Entry {
    /// The action knows a series by it.
    name: String,
    unit: &'static str,
    value: f64,
    /// Shown behind the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<String>,
    /// Shown beside the value in charts.
    extra: String,
}

pub(super) fn export(run: &Run, verdicts: &Verdicts, direction: Direction) -> String {
    let entries: Vec<Entry> = rows(run, verdicts)
        .flat_map(|(cell, row)| {
            let wanted = measures(cell, row)
                .into_iter()
                .filter(|measure| measure.direction == direction && measure.slug != NOT_WATCHED);
            wanted.map(|measure| entry(cell, row, verdicts.valid, &measure))
        })
        .collect();
    super::json(&entries)
}

fn entry(cell: &Cell, row: &Estimates, valid: bool, measure: &Measure) -> Entry {
    let range = interval(&measure.estimate, measure.show);
    let mut extra = vec![
        counted(row.trials as usize, "trial"),
        format!("{}, {} cores", cell.model, cell.cores.name()),
        format!(
            "GET {} over {}",
            cell.target(),
            counted(cell.connections as usize, "connection")
        ),
    ];
    if !valid {
        extra.push("the run is invalid".to_owned());
    }
    Entry {
        name: format!("{}: {}", name(cell), measure.title),
        unit: measure.unit,
        value: rounded(measure.estimate.point),
        range: range.map(|range| format!("95 %: {range}")),
        extra: extra.join("\n"),
    }
}
