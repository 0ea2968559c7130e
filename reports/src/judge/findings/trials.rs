//! How many trials there are, and what became of the rest.

use std::collections::BTreeMap;

use analysis::{LEAST_FOR_AN_INTERVAL, RELIABLE_FROM};
use schema::{Cell, ExperimentPlan, Stop, StopReason};

use super::{Finding, a_few, gathered, in_experiment};
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

/// An experiment that ran out of time before its intervals were narrow enough.
struct Spent<'a> {
    stop: &'a Stop,
    aim: f64,
}

/// Experiments that ran out of time before their intervals were narrow enough.
pub(super) fn spent_budgets(run: &Run) -> Option<Finding> {
    let spent: Vec<Spent<'_>> = run
        .stops
        .iter()
        .filter(|stop| stop.reason == StopReason::Budget)
        .filter_map(|stop| {
            let named = |planned: &&ExperimentPlan| planned.name == stop.experiment;
            let aim = run.plan.experiments.iter().find(named)?.stop.half_width;
            Some(Spent { stop, aim })
        })
        .filter(|Spent { stop, aim }| stop.widest.is_none_or(|widest| widest > *aim))
        .collect();
    let reached = |stop: &Stop| match stop.widest {
        Some(widest) => format!(
            "its intervals are up to ±{} wide",
            figures::small_percent(widest)
        ),
        None => "too few for an interval".to_owned(),
    };
    gathered(
        &spent,
        |Spent { stop, aim }| stop.widest.map_or(f64::INFINITY, |widest| widest / aim),
        |Spent { stop, aim }| {
            format!(
                "The time for {} was spent after {}: {}, and ±{} was the aim.",
                stop.experiment,
                counted(stop.blocks as usize, "block"),
                reached(stop),
                figures::small_percent(*aim)
            )
        },
        |many, Spent { stop, aim }| {
            format!(
                "The time for {many} experiments was spent before their intervals were as narrow as was the aim, furthest from it {} after {}: {}, and ±{} was the aim.",
                stop.experiment,
                counted(stop.blocks as usize, "block"),
                reached(stop),
                figures::small_percent(*aim)
            )
        },
    )
    .map(Finding::caveat)
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

/// Servers that did not end as they should.
pub(super) fn stops(run: &Run) -> Option<Finding> {
    let mut by_cell: BTreeMap<&str, (&Cell, usize, &str)> = BTreeMap::new();
    for (cell, _, measured) in run.measured() {
        if let Some(words) = &measured.stop {
            by_cell.entry(&cell.id).or_insert((cell, 0, words)).1 += 1;
        }
    }
    let found: Vec<(&Cell, usize, &str)> = by_cell.into_values().collect();
    let all: usize = found.iter().map(|(_, times, _)| times).sum();
    gathered(
        &found,
        |(_, times, _)| *times as f64,
        |(cell, times, first)| {
            format!(
                "In {}, {} did not end in order after it was measured (the first time, it {}): the figures were taken before that and stand.",
                counted(*times, "trial"),
                in_words(cell),
                first.trim_end_matches('.')
            )
        },
        |many, (cell, _, first)| {
            format!(
                "In {} of {many} cells, servers did not end in order after they were measured (most often {}, which {}): the figures were taken before that and stand.",
                counted(all, "trial"),
                in_experiment(cell),
                first.trim_end_matches('.')
            )
        },
    )
    .map(Finding::caveat)
}

/// Servers that could not be tried, by the reason and its cure.
pub(super) fn not_measured(run: &Run) -> Option<Finding> {
    let mut by_reason: Vec<((&str, &str), Vec<String>)> = Vec::new();
    for missing in run.missing_servers() {
        let why = (missing.reason, missing.cure);
        let name = in_words(missing.cell);
        match by_reason.iter_mut().find(|(known, _)| *known == why) {
            Some((_, names)) => names.push(name),
            None => by_reason.push((why, vec![name])),
        }
    }
    let parts: Vec<String> = by_reason
        .iter()
        .map(|((reason, cure), names)| {
            let cure = cure.trim_end_matches('.');
            format!("{} ({reason}, {cure})", a_few(names))
        })
        .collect();
    (!parts.is_empty()).then(|| Finding::caveat(format!("Not measured: {}.", parts.join("; "))))
}
