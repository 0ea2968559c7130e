//! How many trials there are, and what became of the rest.

use std::collections::BTreeMap;

use analysis::{LEAST_FOR_AN_INTERVAL, RELIABLE_FROM};
use schema::{Cell, ExperimentPlan, Origin, StopReason};

use super::Finding;
use crate::{
    Run, figures,
    groups::{counted, in_words},
    measurements::Measurements,
};

pub(super) fn nothing_measured(run: &Run) -> Option<Finding> {
    run.measured().next().is_none().then(|| {
        Finding::broken("No trial was measured, so this run says nothing about any server.".into())
    })
}

pub(super) fn partial_run(run: &Run) -> Vec<Finding> {
    let (made, planned) = run.progress();
    let mut findings = Vec::new();
    if made < planned {
        findings.push(Finding::caveat(format!(
            "{made} of {} were made: the run was ended early, so some cells rest on fewer trials than others.",
            counted(planned, "trial")
        )));
    }
    if run.cut_off {
        findings.push(Finding::caveat(
            "The last line of the observations was cut off: the run was ended while writing it, and that trial is left out.".into(),
        ));
    }
    findings
}

/// Experiments that ran out of time before their intervals were narrow enough.
pub(super) fn spent_budgets(run: &Run) -> Vec<Finding> {
    run.stops
        .iter()
        .filter(|stop| stop.reason == StopReason::Budget)
        .filter_map(|stop| {
            let named = |planned: &&ExperimentPlan| planned.name == stop.experiment;
            let aim = run.plan.experiments.iter().find(named)?.stop.half_width;
            let reached = match stop.widest {
                Some(widest) if widest <= aim => return None,
                Some(widest) => format!(
                    "its intervals are up to ±{} wide",
                    figures::small_percent(widest)
                ),
                None => "too few for an interval".to_owned(),
            };
            Some(Finding::caveat(format!(
                "The time for {} was spent after {}: {reached}, and ±{} was the aim.",
                stop.experiment,
                counted(stop.blocks as usize, "block"),
                figures::small_percent(aim)
            )))
        })
        .collect()
}

pub(super) fn few_trials(measurements: &Measurements<'_>) -> Option<Finding> {
    let trials = |id: &str| measurements.trials(id).len();
    let fewest = measurements
        .run
        .plan
        .cells
        .iter()
        .map(|cell| trials(&cell.id))
        .filter(|&count| count > 0)
        .min()?;
    let counted = counted(fewest, "trial");
    if fewest < LEAST_FOR_AN_INTERVAL {
        Some(Finding::caveat(format!(
            "Some figures rest on {counted}: an interval takes {LEAST_FOR_AN_INTERVAL}, and without one nothing is decided."
        )))
    } else if fewest < RELIABLE_FROM {
        let coverage = if fewest == LEAST_FOR_AN_INTERVAL {
            "75 %"
        } else {
            "87 %"
        };
        Some(Finding::caveat(format!(
            "Some figures rest on {counted}: from so few, an interval meant to hold the truth in 95 % of cases held it in about {coverage} of simulated ones."
        )))
    } else {
        None
    }
}

/// Servers that did not end as they should, by cell.
pub(super) fn stops(run: &Run) -> Vec<Finding> {
    let mut by_cell: BTreeMap<&str, (&Cell, usize, &str)> = BTreeMap::new();
    for (cell, _, measured) in run.measured() {
        if let Some(words) = &measured.stop {
            by_cell.entry(&cell.id).or_insert((cell, 0, words)).1 += 1;
        }
    }
    by_cell
        .into_values()
        .map(|(cell, times, first)| {
            let name = in_words(cell);
            Finding::caveat(format!(
                "In {}, {name} did not end in order after it was measured (the first time, it {}): the figures were taken before that and stand.",
                counted(times, "trial"),
                first.trim_end_matches('.')
            ))
        })
        .collect()
}

pub(super) fn not_measured(run: &Run) -> Vec<Finding> {
    let missing = run.missing_servers().into_iter();
    let sentences = missing.map(|missing| {
        let kind = match missing.cell.origin {
            Origin::Own => "Server",
            Origin::Guest => "Guest",
        };
        format!(
            "{kind} {} was not measured: {}, {}.",
            in_words(missing.cell),
            missing.reason,
            missing.cure.trim_end_matches('.')
        )
    });
    sentences.map(Finding::caveat).collect()
}
