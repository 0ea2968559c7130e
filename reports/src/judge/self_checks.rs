//! Checks of single trials that the figures cannot be believed without.

use std::collections::BTreeMap;

use schema::{Cell, LoadResult, Outcome};

use super::{bottleneck::BUSY_SERVER, findings::Finding};
use crate::{
    Run,
    groups::{counted, in_words},
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
    findings.extend(idle_connections(run));
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
            cells.join(", ")
        ))
    })
}

fn wrong_answers(run: &Run) -> Vec<Finding> {
    let mut by_cell: BTreeMap<&str, (&Cell, u64, u64, Option<&str>)> = BTreeMap::new();
    for (cell, _, measured) in run.measured() {
        let load = &measured.load;
        let seen = by_cell.entry(&cell.id).or_insert((cell, 0, 0, None));
        for load in [Some(load), measured.then.as_ref().map(|then| &then.load)] {
            let Some(load) = load else { continue };
            seen.1 += load.errors;
            seen.2 += load.timeouts;
            seen.3 = seen
                .3
                .or(load.error_kinds.first().map(|kind| kind.first.as_str()));
        }
    }
    by_cell
        .into_values()
        .filter(|(_, errors, timeouts, _)| errors + timeouts > 0)
        .map(|(cell, errors, timeouts, first)| {
            let first = first.map(|f| format!("; the first: {f}")).unwrap_or_default();
            Finding::broken(format!(
                "{} did not answer everything rightly and in time: {errors} errors and {timeouts} timeouts{first}.",
                in_words(cell)
            ))
        })
        .collect()
}

fn counts_that_do_not_add_up(run: &Run) -> Vec<Finding> {
    let adds_up = |load: &LoadResult| {
        load.completed
            .checked_add(load.errors)
            .and_then(|sum| sum.checked_add(load.timeouts))
            .and_then(|sum| sum.checked_add(load.unfinished))
            == Some(load.offered)
    };
    run.measured()
        .filter(|(_, _, measured)| !adds_up(&measured.load))
        .map(|(cell, block, measured)| {
            let load = &measured.load;
            Finding::broken(format!(
                "The load generator lost count of {} in block {block}: {} requests were offered, but {} completed + {} errors + {} timeouts + {} unfinished were accounted for.",
                in_words(cell), load.offered, load.completed, load.errors, load.timeouts, load.unfinished
            ))
        })
        .collect()
}

fn empty_windows(run: &Run) -> Vec<Finding> {
    run.measured()
        .filter(|(_, _, measured)| Trial::new(measured).is_none())
        .map(|(cell, block, _)| {
            Finding::broken(format!(
                "{} completed no request in block {block}, so that trial has no figures.",
                in_words(cell)
            ))
        })
        .collect()
}

/// The clocks and the counts must agree with each other.
fn littles_law(run: &Run) -> Vec<Finding> {
    let mut worst: BTreeMap<&str, (&Cell, f64, f64)> = BTreeMap::new();
    for (cell, trial) in closed_loops(run) {
        let (counted, expected) = (trial.busy_completed(), trial.busy_by_littles_law());
        let off = (expected - counted).abs() / counted.max(f64::MIN_POSITIVE);
        let known = worst
            .get(cell.id.as_str())
            .map_or(0.0, |&(_, counted, expected)| {
                (expected - counted).abs() / counted.max(f64::MIN_POSITIVE)
            });
        if off > LITTLE_TOLERANCE && off > known {
            worst.insert(&cell.id, (cell, counted, expected));
        }
    }
    worst
        .into_values()
        .map(|(cell, counted, expected)| {
            Finding::broken(format!(
                "Little's law fails for {}: throughput times mean service time gives {expected:.1} busy connections, and {counted:.1} were counted.",
                in_words(cell)
            ))
        })
        .collect()
}

/// In a closed loop every connection is busy all the time, but for the generator's own pauses: it
/// reads all answers at hand before it sends again.
fn idle_connections(run: &Run) -> Vec<Finding> {
    let mut least: BTreeMap<&str, (&Cell, f64)> = BTreeMap::new();
    for (cell, trial) in closed_loops(run) {
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
    least
        .into_values()
        .map(|(cell, busy)| {
            Finding::caveat(format!(
                "Connections to {} were idle for part of the time: {busy:.1} of {} were busy on average in the worst trial, so the load generator kept the server waiting and its throughput is a lower bound.",
                in_words(cell), cell.connections
            ))
        })
        .collect()
}

fn closed_loops(run: &Run) -> impl Iterator<Item = (&Cell, Trial<'_>)> {
    run.measured()
        .filter(|(cell, ..)| cell.rate_per_s.is_none())
        .filter_map(|(cell, _, measured)| Some((cell, Trial::new(measured)?)))
}
