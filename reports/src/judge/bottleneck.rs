//! Who held a trial back: the server, as it should be, or the generator.

use schema::{Cell, Plan};

use crate::{
    Run,
    trials::{Trial, Trials},
};

/// A generator that uses more of its CPUs than this has little left to give.
pub(super) const BUSY_GENERATOR: f64 = 0.80;

/// A server that uses more of its CPUs than this is at its own limit, however busy the generator.
/// Below 1, as the kernel does not charge all its work for a server to the server.
const BUSY_SERVER: f64 = 0.90;

/// Mean CPU shares over a cell's trials where the generator was busy and the server was not: the
/// figures then show the generator's limit.
#[derive(Clone, Copy)]
pub(super) struct HeldBack {
    pub(super) generator_share: f64,
    pub(super) server_share: f64,
}

/// Whether the generator, not the server, was the limit of a cell.
pub(super) fn held_back(run: &Run, cell: &Cell) -> Option<HeldBack> {
    let trials = run.trials(&cell.id);
    let shares = HeldBack {
        generator_share: mean(&trials, |trial| trial.generator_share(&run.plan))?,
        server_share: mean(&trials, |trial| trial.server_share(&run.plan, cell))?,
    };
    let limited = shares.generator_share > BUSY_GENERATOR && shares.server_share < BUSY_SERVER;
    limited.then_some(shares)
}

/// The busiest that the generator ever was, and in which cell.
pub(super) fn busiest_generator(run: &Run) -> Option<(f64, &Cell)> {
    let share = |plan: &Plan, trial: Trial<'_>| trial.generator_share(plan);
    run.measured()
        .filter_map(|(cell, _, measured)| Some((share(&run.plan, Trial::new(measured)?), cell)))
        .max_by(|a, b| a.0.total_cmp(&b.0))
}

fn mean(trials: &Trials<'_>, share: impl Fn(Trial<'_>) -> f64) -> Option<f64> {
    let shares: Vec<f64> = trials.values().map(|&trial| share(trial)).collect();
    (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
}
