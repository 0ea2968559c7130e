//! What is asked of a server: the load of the window, and the one that may follow it.

use std::time::Duration;

use load::{Expectation, LoadSpec};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schema::{Arrivals, Cell, LoadResult, OpenLoop, Pace, Workload};

use super::{Entrant, Setting, Turn};
use crate::plan::{THEN_WARM_UP, then_window};

/// How long slots are limited before the window opens, beside one of their periods.
const LIMITED_BEFORE: Duration = Duration::from_millis(100);

/// The load of the window: a closed loop, or an open one where the cell names a rate.
pub(super) fn in_the_window(setting: &Setting, turn: Turn<'_>, entrant: &Entrant<'_>) -> LoadSpec {
    let period = turn.set.slots.map_or(0, |slots| slots.period_ns);
    let [seed, _] = seeds(setting.plan.seed, entrant.launch.cell, turn.block);
    let pace = match entrant.cell.rate_per_s {
        Some(rate) => poisson(f64::from(rate), seed),
        None => Pace::ClosedLoop { think_ns: 0 },
    };
    LoadSpec {
        pace,
        warm_up: Duration::from_nanos(turn.experiment.warm_up_ns_of(turn.set, &setting.plan.cells)),
        measure: Duration::from_nanos(turn.set.measure_ns),
        held: true,
        lead: LIMITED_BEFORE + Duration::from_nanos(period),
        ..to(setting, entrant)
    }
}

/// The load after the window, an open loop at this share of what was served in it, and its rate;
/// nothing where nothing was served.
pub(super) fn after_the_window(
    setting: &Setting,
    turn: Turn<'_>,
    entrant: &Entrant<'_>,
    percent: u32,
    served: &LoadResult,
) -> Option<(f64, LoadSpec)> {
    let capacity = served.completed as f64 * 1e9 / served.elapsed_ns.max(1) as f64;
    let rate = capacity * f64::from(percent) / 100.0;
    if rate <= 0.0 {
        return None;
    }
    let [_, seed] = seeds(setting.plan.seed, entrant.launch.cell, turn.block);
    let spec = LoadSpec {
        pace: poisson(rate, seed),
        warm_up: THEN_WARM_UP,
        measure: then_window(turn.set.measure_ns),
        ..to(setting, entrant)
    };
    Some((rate, spec))
}

/// What all loads over a server have in common.
fn to(setting: &Setting, entrant: &Entrant<'_>) -> LoadSpec {
    LoadSpec {
        target: entrant.cell.target(),
        expect: expectation(entrant.cell),
        connections: entrant.cell.connections,
        reuse: entrant.cell.reuse,
        cpus: setting.plan.cores.generator_cpus.clone(),
        timeout: setting.timeout,
        ..LoadSpec::to(entrant.server.address, 0)
    }
}

/// A server that is asked for a path of its own has bodies of its own.
fn expectation(cell: &Cell) -> Expectation {
    match (&cell.path, cell.workload) {
        (Some(_), _) => Expectation::AsTheFirst,
        (None, Workload::Bytes { n }) => Expectation::HelloAndDots { length: n.into() },
        (None, _) => Expectation::HelloFromWorker,
    }
}

const fn poisson(per_s: f64, seed: u64) -> Pace {
    Pace::OpenLoop(OpenLoop {
        from_per_s: per_s,
        to_per_s: per_s,
        arrivals: Arrivals::Poisson,
        seed,
    })
}

/// For the arrivals of the window and of what follows it. A trial that is made again has the same ones.
fn seeds(plan: u64, cell: usize, block: u32) -> [u64; 2] {
    let mut random = ChaCha8Rng::seed_from_u64(plan);
    random.set_stream((cell as u64) << 32 | u64::from(block));
    [random.next_u64(), random.next_u64()]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn arrivals_are_the_same_for_the_same_plan_and_others_for_every_cell_and_block() {
        assert_eq!(seeds(7, 3, 2), seeds(7, 3, 2));
        let all: BTreeSet<u64> = [(7, 3, 2), (8, 3, 2), (7, 2, 3), (7, 3, 3)]
            .into_iter()
            .flat_map(|(plan, cell, block)| seeds(plan, cell, block))
            .collect();
        assert_eq!(all.len(), 8);
    }
}
