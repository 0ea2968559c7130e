//! Throughput by number of cores: one curve for each server and workload.

use analysis::{Sample, estimate};
use schema::{Cell, Cores, ScalingCurve, ScalingPoint};

use super::{
    causes::cause,
    law::law,
    pairs::Pair,
    ratios::{ratio, times},
};
use crate::{
    figures::{self, in_letters},
    groups::{Group, experiment, groups},
    measurements::Measurements,
    trials::Trial,
};

/// With less than this efficiency the most workers fall short of that many times one.
const LEAST_EFFICIENCY: f64 = 0.95;

/// The curves, in the order of the plan.
pub(super) fn curves(measurements: &Measurements<'_>) -> Vec<ScalingCurve> {
    groups(&measurements.run.plan)
        .iter()
        .filter(|group| group.experiment == experiment::SCALING && group.cores != Cores::Shared)
        .flat_map(|group| {
            // Cells of a group stand in the order of their servers.
            let mut servers: Vec<&str> = group.cells.iter().map(|c| c.server.as_str()).collect();
            servers.dedup();
            let curves = servers
                .into_iter()
                .filter_map(|server| curve(measurements, group, server));
            curves.collect::<Vec<_>>()
        })
        .collect()
}

/// `None` where one worker was not measured, as every point is held against it.
fn curve(measurements: &Measurements<'_>, group: &Group<'_>, server: &str) -> Option<ScalingCurve> {
    let mut cells: Vec<&Cell> = group.cells.clone();
    cells.retain(|cell| cell.server == server);
    cells.sort_by_key(|cell| cell.workers);
    let one = *cells.first().filter(|cell| cell.workers == 1)?;
    let points: Vec<ScalingPoint> = cells
        .iter()
        .filter_map(|cell| point(measurements, one, cell))
        .collect();
    let most = points.last()?;
    Some(ScalingCurve {
        experiment: group.experiment.to_owned(),
        server: server.to_owned(),
        workload: group.workload,
        cores: group.cores,
        law: law(measurements, &cells),
        shortfall: shortfall(measurements, one, most),
        points,
    })
}

fn point(measurements: &Measurements<'_>, one: &Cell, cell: &Cell) -> Option<ScalingPoint> {
    let pair = Pair {
        reference: one,
        subject: cell,
    };
    let workers = f64::from(cell.workers);
    let speedup = ratio(measurements, pair, Trial::throughput_per_s)?;
    let by_cpu = ratio(measurements, pair, Trial::requests_per_cpu_s)?;
    let trials = measurements.trials(&cell.id);
    let mean = |figure: &dyn Fn(Trial<'_>) -> Option<f64>| {
        let values = trials.values().filter_map(|&trial| figure(trial));
        let sample = Sample::new(values.collect()).ok()?;
        Some(estimate(&sample, measurements.run.plan.seed))
    };
    Some(ScalingPoint {
        cell: cell.id.clone(),
        workers: cell.workers,
        throughput_per_s: mean(&|trial| Some(trial.throughput_per_s()))?,
        speedup,
        efficiency: times(speedup, 1.0 / workers),
        speedup_by_cpu_given: times(by_cpu, workers),
        cpu_ns_per_request: mean(&|trial| Some(trial.cpu_ns_per_request()))?,
        given_over_quota: mean(&|trial| trial.given_over_quota(cell)),
    })
}

fn shortfall(measurements: &Measurements<'_>, one: &Cell, most: &ScalingPoint) -> Option<String> {
    if most.efficiency.point >= LEAST_EFFICIENCY {
        return None;
    }
    let many = measurements.run.cell(&most.cell)?;
    let cause = cause(measurements, one, many)?;
    Some(format!(
        "{} workers of {} serve {} times what one serves, {} short of {}: {cause}.",
        figures::capital(&in_letters(most.workers)),
        many.server,
        figures::ratio(&most.speedup),
        figures::percent(1.0 - most.efficiency.point),
        in_letters(most.workers),
    ))
}
