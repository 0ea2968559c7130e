//! What was repeated, how often, and why no more.

use schema::{ExperimentPlan, Stop, StopReason};

use super::{Head, Table};
use crate::{
    Run,
    figures::{duration, small_percent, trimmed_unit},
    groups::counted,
};

const HEADS: &[Head] = &[
    Head::Words("Experiment"),
    Head::Words("Measured"),
    Head::Words("Each trial"),
    Head::Words("How it ended"),
];

pub(in crate::pages) fn experiments(run: &Run) -> Table {
    let rows = run.plan.experiments.iter().map(|experiment| {
        let stop = run.stops.iter().find(|s| s.experiment == experiment.name);
        vec![
            experiment.name.clone(),
            cells(experiment),
            trial(experiment),
            stop.map_or_else(
                || format!("{} planned", counted(experiment.blocks.len(), "block")),
                |stop| ended(stop, experiment),
            ),
        ]
    });
    Table {
        heads: HEADS,
        rows: rows.collect(),
    }
}

fn cells(experiment: &ExperimentPlan) -> String {
    let sets = experiment.sets.iter();
    let cells: usize = sets.clone().map(|set| set.cells.len()).sum();
    let together = sets.map(|set| set.cells.len()).max().unwrap_or(0);
    let how = match together {
        0 | 1 => "one after another".to_owned(),
        _ => format!("up to {together} at the same time"),
    };
    format!("{}, {how}", counted(cells, "cell"))
}

fn trial(experiment: &ExperimentPlan) -> String {
    let show = |ns: u64| trimmed_unit(&duration(ns as f64));
    let mut lengths: Vec<u64> = experiment.sets.iter().map(|set| set.measure_ns).collect();
    lengths.sort_unstable();
    let measured = match (lengths.first(), lengths.last()) {
        (Some(&least), Some(&most)) if least != most => {
            format!("{} to {}", show(least), show(most))
        }
        (Some(&least), _) => show(least),
        _ => "nothing".to_owned(),
    };
    let slots = experiment.sets.iter().find_map(|set| set.slots);
    let quota = slots.map(|slot| {
        format!(
            ", an emulated core being {} of every {} of a CPU",
            show(slot.quota_ns),
            show(slot.period_ns)
        )
    });
    format!(
        "one launch, {} of warm-up, {measured} measured{}",
        show(experiment.warm_up_ns),
        quota.unwrap_or_default()
    )
}

/// As in `reached the target of ±2 % after 14 blocks`.
fn ended(stop: &Stop, experiment: &ExperimentPlan) -> String {
    let blocks = counted(stop.blocks as usize, "block");
    let aim = small_percent(experiment.stop.half_width);
    let at = stop
        .widest
        .map(|widest| format!(" at ±{}", small_percent(widest)))
        .unwrap_or_default();
    match stop.reason {
        StopReason::Target => format!("reached the target of ±{aim} after {blocks}"),
        StopReason::Budget => format!("its time was spent after {blocks}{at}"),
        StopReason::Blocks => format!("made all {blocks}{at}"),
        StopReason::Interrupted => format!("was interrupted after {blocks}{at}"),
    }
}
