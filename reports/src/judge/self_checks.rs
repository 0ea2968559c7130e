//! Checks of single trials that the figures cannot be believed without.

use std::collections::BTreeMap;

use schema::{Cell, LoadResult, Outcome, Reuse};

use super::{
    bottleneck::BUSY_SERVER,
    findings::{Finding, a_few, gathered, in_experiment},
};
use crate::{
    Run,
    groups::{counted, experiment, in_words},
    trials::Trial,
};

/// Little's law may be off by this much.
const LITTLE_TOLERANCE: f64 = 0.05;

/// With less than this share of its connections busy, a server has been kept waiting.
const LEAST_BUSY: f64 = 0.80;

/// What breaks a rule of measurement in any trial.
pub(super) fn broken_rules(run: &Run) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(failed_trials(run));
    findings.extend(wrong_answers(run));
    findings.extend(counts_that_do_not_add_up(run));
    findings.extend(empty_windows(run));
    findings.extend(littles_law(run));
    findings
}

fn failed_trials(run: &Run) -> Option<Finding> {
    let failures = run.failures();
    let mut by_cell: BTreeMap<&str, usize> = BTreeMap::new();
    for failed in &failures {
        *by_cell.entry(&failed.cell.id).or_default() += 1;
    }
    let cells: Vec<String> = by_cell.iter().map(|(id, n)| format!("{id}: {n}")).collect();
    let made = run
        .observations
        .iter()
        .filter(|o| !matches!(o.outcome, Outcome::NotMeasured { .. }))
        .count();
    let failed = if failures.len() == 1 {
        "failed"
    } else {
        "have failed"
    };
    (!failures.is_empty()).then(|| {
        Finding::broken(format!(
            "{} of {made} {failed} ({}), so what was measured may be the luckier part; each failure is listed with its reason.",
            counted(failures.len(), "trial"),
            a_few(&cells)
        ))
    })
}

/// Answers that were wrong or late, over all trials of a cell.
struct Wrong<'a> {
    cell: &'a Cell,
    errors: u64,
    timeouts: u64,
    first: Option<&'a str>,
}

fn wrong_answers(run: &Run) -> Option<Finding> {
    let mut by_cell: BTreeMap<&str, Wrong<'_>> = BTreeMap::new();
    for (cell, _, measured) in run.measured() {
        let seen = by_cell.entry(&cell.id).or_insert(Wrong {
            cell,
            errors: 0,
            timeouts: 0,
            first: None,
        });
        let after = measured.then.as_ref().map(|then| &then.load);
        for load in [Some(&measured.load), after].into_iter().flatten() {
            seen.errors += load.errors;
            seen.timeouts += load.timeouts;
            let first = load.error_kinds.first().map(|kind| kind.first.as_str());
            seen.first = seen.first.or(first);
        }
    }
    by_cell.retain(|_, seen| seen.errors + seen.timeouts > 0);
    let found: Vec<Wrong<'_>> = by_cell.into_values().collect();
    let count = |wrong: &Wrong<'_>| {
        let first = wrong.first.map(|f| format!("; the first: {f}"));
        format!(
            "{} and {}{}",
            counted(usize::try_from(wrong.errors).unwrap_or(usize::MAX), "error"),
            counted(
                usize::try_from(wrong.timeouts).unwrap_or(usize::MAX),
                "timeout"
            ),
            first.unwrap_or_default()
        )
    };
    gathered(
        &found,
        |wrong| (wrong.errors + wrong.timeouts) as f64,
        |wrong| {
            format!(
                "{} did not answer everything rightly and in time: {}.",
                in_words(wrong.cell),
                count(wrong)
            )
        },
        |many, worst| {
            format!(
                "In {many} cells not everything was answered rightly and in time, worst with {}: {}.",
                in_experiment(worst.cell),
                count(worst)
            )
        },
    )
    .map(Finding::broken)
}

fn counts_that_do_not_add_up(run: &Run) -> Option<Finding> {
    let accounted = |load: &LoadResult| {
        load.completed
            .checked_add(load.errors)
            .and_then(|sum| sum.checked_add(load.timeouts))
            .and_then(|sum| sum.checked_add(load.unfinished))
    };
    let found: Vec<(&Cell, u32, &LoadResult)> = run
        .measured()
        .map(|(cell, block, measured)| (cell, block, &measured.load))
        .filter(|(.., load)| accounted(load) != Some(load.offered))
        .collect();
    let count = |&(cell, block, load): &(&Cell, u32, &LoadResult)| {
        format!(
            "{} in block {block}: {} requests were offered, but {} completed + {} errors + {} timeouts + {} unfinished were accounted for",
            in_words(cell),
            load.offered,
            load.completed,
            load.errors,
            load.timeouts,
            load.unfinished
        )
    };
    gathered(
        &found,
        |(.., load)| {
            let accounted = accounted(load).unwrap_or(u64::MAX);
            accounted.abs_diff(load.offered) as f64
        },
        |one| format!("The load generator lost count of {}.", count(one)),
        |many, worst| {
            format!(
                "The load generator lost count in {many} trials, worst of {}.",
                count(worst)
            )
        },
    )
    .map(Finding::broken)
}

fn empty_windows(run: &Run) -> Option<Finding> {
    let found: Vec<(&Cell, u32)> = run
        .measured()
        .filter(|(_, _, measured)| Trial::new(measured).is_none())
        .map(|(cell, block, _)| (cell, block))
        .collect();
    gathered(
        &found,
        |_| 0.0,
        |(cell, block)| {
            format!(
                "{} completed no request in block {block}, so that trial has no figures.",
                in_words(cell)
            )
        },
        |many, (cell, block)| {
            format!(
                "{many} trials completed no request and have no figures, one of them that of {} in block {block}.",
                in_experiment(cell)
            )
        },
    )
    .map(Finding::broken)
}

/// Busy connections, counted and expected.
struct Busy<'a> {
    cell: &'a Cell,
    counted: f64,
    expected: f64,
}

impl Busy<'_> {
    fn off(&self) -> f64 {
        (self.expected - self.counted).abs() / self.counted.max(f64::MIN_POSITIVE)
    }
}

/// The clocks and the counts must agree with each other.
fn littles_law(run: &Run) -> Option<Finding> {
    let mut worst: BTreeMap<&str, Busy<'_>> = BTreeMap::new();
    for (cell, trial) in closed_loops(run) {
        let busy = Busy {
            cell,
            counted: trial.busy_completed(),
            expected: trial.busy_by_littles_law(),
        };
        let known = worst.get(cell.id.as_str()).map_or(0.0, Busy::off);
        if busy.off() > LITTLE_TOLERANCE && busy.off() > known {
            worst.insert(&cell.id, busy);
        }
    }
    let found: Vec<Busy<'_>> = worst.into_values().collect();
    let count = |busy: &Busy<'_>| {
        format!(
            "throughput times mean service time gives {:.1} busy connections, and {:.1} were counted",
            busy.expected, busy.counted
        )
    };
    gathered(
        &found,
        Busy::off,
        |busy| {
            format!(
                "Little's law fails for {}: {}.",
                in_words(busy.cell),
                count(busy)
            )
        },
        |many, busy| {
            format!(
                "Little's law fails for {many} cells, worst for {}: {}.",
                in_experiment(busy.cell),
                count(busy)
            )
        },
    )
    .map(Finding::broken)
}

/// In a closed loop over kept connections every connection is busy all the time, but for the
/// generator's own pauses: it reads all answers at hand before it sends again. A connection that is
/// made for each request has none under way while it is made, whoever is the slower.
pub(super) fn idle_connections(run: &Run) -> Option<Finding> {
    let mut least: BTreeMap<&str, (&Cell, f64)> = BTreeMap::new();
    let kept = |(cell, _): &(&Cell, Trial<'_>)| {
        cell.reuse == Reuse::KeepAlive && experiment::shows_throughput(&cell.experiment)
    };
    for (cell, trial) in closed_loops(run).filter(kept) {
        let busy = trial.busy_connections();
        let all = f64::from(cell.connections.max(1));
        // A worker that used up its quota was kept waiting by nobody.
        let full = trial
            .given_over_quota(cell)
            .is_some_and(|share| share > BUSY_SERVER);
        if busy < all * LEAST_BUSY && !full {
            let seen = least.entry(&cell.id).or_insert((cell, busy));
            seen.1 = seen.1.min(busy);
        }
    }
    let found: Vec<(&Cell, f64)> = least.into_values().collect();
    gathered(
        &found,
        |(cell, busy)| -busy / f64::from(cell.connections.max(1)),
        |(cell, busy)| {
            format!(
                "Connections to {} were idle for part of the time: {busy:.1} of {} were busy on average in the worst trial, so the load generator kept the server waiting and its throughput is a lower bound.",
                in_words(cell), cell.connections
            )
        },
        |many, (cell, busy)| {
            format!(
                "In {many} cells connections were idle for part of the time, so the load generator kept the server waiting and throughput there is a lower bound: worst was {}, with {busy:.1} of {} busy on average.",
                in_experiment(cell), cell.connections
            )
        },
    )
    .map(Finding::caveat)
}

fn closed_loops(run: &Run) -> impl Iterator<Item = (&Cell, Trial<'_>)> {
    run.measured()
        .filter(|(cell, ..)| cell.rate_per_s.is_none())
        .filter_map(|(cell, _, measured)| Some((cell, Trial::new(measured)?)))
}
