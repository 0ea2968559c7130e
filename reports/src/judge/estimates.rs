//! What was measured of each cell.

use analysis::{Sample, estimate};
use schema::{Accept, AtShare, Cell, Cores, Estimate, Estimates, LatencyQuantiles};

use super::bottleneck::held_back;
use crate::{
    measurements::Measurements,
    trials::{Trial, Trials},
};

/// One row for each cell with a trial that can be judged, in the order of the plan.
pub(super) fn estimates(measurements: &Measurements<'_>) -> Vec<Estimates> {
    let plan = &measurements.run.plan;
    plan.cells
        .iter()
        .filter_map(|cell| {
            let at_least = held_back(measurements, cell).is_some();
            row(cell, &measurements.trials(&cell.id), at_least, plan.seed)
        })
        .collect()
}

fn row<'a>(cell: &Cell, trials: &Trials<'a>, at_least: bool, seed: u64) -> Option<Estimates> {
    let mean = |figure: fn(Trial<'a>) -> f64| mean(trials, seed, |trial| Some(figure(trial)));
    Some(Estimates {
        cell: cell.id.clone(),
        trials: u32::try_from(trials.len()).ok()?,
        throughput_per_s: mean(Trial::throughput_per_s)?,
        throughput_at_least: at_least,
        user_ns_per_request: mean(Trial::user_ns_per_request)?,
        system_ns_per_request: mean(Trial::system_ns_per_request)?,
        cpu_ns_per_request: mean(Trial::cpu_ns_per_request)?,
        switches_per_request: self::mean(trials, seed, |trial| {
            // What is left of them is those of the acceptor alone.
            let told = cell.model.accept != Accept::PerConnection;
            told.then(|| trial.switches_per_request())
        }),
        p50_ns: mean(|trial| trial.latency().p50_ns as f64)?,
        p90_ns: mean(|trial| trial.latency().p90_ns as f64)?,
        p99_ns: mean(|trial| trial.latency().p99_ns as f64)?,
        p999_ns: mean(|trial| trial.latency().p999_ns as f64)?,
        // Servers that run at the same time share the pages of their program, and one's share depends on
        // how many there are.
        pss_bytes: self::mean(trials, seed, |trial| {
            let pss = trial.pss_bytes().filter(|_| cell.cores != Cores::Emulated);
            pss.map(|bytes| bytes as f64)
        }),
        at_share: at_share(trials, seed),
    })
}

/// Absent where no trial has what followed the window.
fn at_share(trials: &Trials<'_>, seed: u64) -> Option<AtShare> {
    let percent = trials
        .values()
        .find_map(|trial| trial.measured.then.as_ref())?
        .percent;
    let latency = |quantile: fn(&LatencyQuantiles) -> u64| {
        mean(trials, seed, |trial| {
            let response = trial.measured.then.as_ref()?.load.response.as_ref();
            response.map(|response| quantile(response) as f64)
        })
    };
    Some(AtShare {
        percent,
        rate_per_s: mean(trials, seed, |trial| {
            trial.measured.then.as_ref().map(|then| then.rate_per_s)
        })?,
        p50_ns: latency(|response| response.p50_ns)?,
        p99_ns: latency(|response| response.p99_ns)?,
    })
}

/// The mean over the trials that have the figure; `None` where none has.
pub(super) fn mean<'a>(
    trials: &Trials<'a>,
    seed: u64,
    figure: impl Fn(Trial<'a>) -> Option<f64>,
) -> Option<Estimate> {
    let values = trials.values().filter_map(|&trial| figure(trial)).collect();
    let sample = Sample::new(values).ok()?;
    Some(estimate(&sample, seed))
}
