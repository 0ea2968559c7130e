//! Who held a trial back: the server, as it should be, or the generator.

use schema::Cell;

use crate::{
    groups::{experiment, server},
    measurements::Measurements,
    trials::{Trial, Trials},
};

/// A generator that uses more of its CPUs than this has little left to give.
pub(super) const BUSY_GENERATOR: f64 = 0.80;

/// A server that uses more of its CPUs than this is at its own limit, however busy the generator.
/// Below 1, as the kernel does not charge all its work for a server to the server.
pub(super) const BUSY_SERVER: f64 = 0.90;

/// Mean CPU shares over a cell's trials where the generator was busy and the server was not full: the
/// figures then show the generator's limit. Where cores are emulated, the server is full at its
/// quota, and the generator serves every cell that is measured at the same time.
#[derive(Clone, Copy)]
pub(crate) struct HeldBack {
    pub(super) generator_share: f64,
    pub(super) server_share: f64,
}

/// Whether the generator, not the server, was the limit of a cell.
pub(crate) fn held_back(measurements: &Measurements<'_>, cell: &Cell) -> Option<HeldBack> {
    let trials = measurements.trials(&cell.id);
    let plan = &measurements.run.plan;
    let shares = HeldBack {
        generator_share: mean(&trials, |trial| trial.generator_share(plan))?,
        server_share: mean(&trials, |trial| trial.server_share(cell))?,
    };
    let limited = shares.generator_share > BUSY_GENERATOR && shares.server_share < BUSY_SERVER;
    limited.then_some(shares)
}

/// The busiest that the generator ever was while a server could have done more, and in which cell of
/// those whose throughput is a figure: a server at its quota is not held back by anyone.
pub(super) fn busiest_generator<'a>(measurements: &Measurements<'a>) -> Option<(f64, &'a Cell)> {
    let plan = &measurements.run.plan;
    measurements
        .all()
        // The floor is in no comparison, and meant to be faster than any load.
        .filter(|(cell, ..)| cell.server != server::FLOOR)
        .filter(|(cell, ..)| experiment::shows_throughput(&cell.experiment))
        .filter(|(cell, _, trial)| {
            let given = trial.given_over_quota(cell);
            given.is_none_or(|given| given < BUSY_SERVER)
        })
        .map(|(cell, _, trial)| (trial.generator_share(plan), cell))
        .max_by(|a, b| a.0.total_cmp(&b.0))
}

fn mean(trials: &Trials<'_>, share: impl Fn(Trial<'_>) -> f64) -> Option<f64> {
    let shares: Vec<f64> = trials.values().map(|&trial| share(trial)).collect();
    (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
}
