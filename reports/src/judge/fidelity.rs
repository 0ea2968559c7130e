//! How true emulated cores are to real ones.

use std::collections::BTreeMap;

use analysis::{Sample, estimate};
use schema::{AgainstReal, Cell, Cores, Estimate, Fidelity, SlotUsage};

use super::{pairs::Pair, ratios::ratio};
use crate::{groups::experiment, measurements::Measurements, trials::Trial};

/// What no share of a CPU can stand in for.
const CANNOT_SHOW: [&str; 4] = [
    "Absolute latency: a worker that has used up its quota waits for the next period, so no latency below a period's length means anything.",
    "Contention for cache lines and memory, and how locks scale: workers that take turns on one CPU never touch the same line at the same time.",
    "Fairness to threads that share: one that is stopped while it holds a lock, or the runtime's poller, keeps the others waiting until its next period, as a real core would not.",
    "A lone worker's best: by itself it is woken and put to sleep more often for its share of a CPU than it would be on a core of its own, so one worker may come out dearer than on a real core.",
];

/// `None` where no core was emulated.
pub(super) fn fidelity(measurements: &Measurements<'_>) -> Option<Fidelity> {
    let slots: Vec<Slots<'_>> = measurements
        .all()
        .filter(|(cell, ..)| cell.cores == Cores::Emulated)
        .map(|(cell, block, trial)| Slots {
            cell,
            block,
            usage: &trial.measured.slots,
        })
        .collect();
    if slots.iter().all(|slots| slots.usage.is_empty()) {
        return None;
    }
    Some(Fidelity {
        given_over_quota: by_block(&slots, measurements.run.plan.seed),
        worst: worst(&slots),
        throttled_share: throttled_share(&slots),
        against_real: against_real(measurements),
        cannot_show: CANNOT_SHOW.map(str::to_owned).into(),
    })
}

/// The slots of one trial.
struct Slots<'a> {
    cell: &'a Cell,
    block: u32,
    usage: &'a [SlotUsage],
}

impl<'a> Slots<'a> {
    /// Given over quota, of slots whose worker used up its quota more often than not: what the others
    /// were given says what was asked of them.
    fn used_up(&self) -> impl Iterator<Item = f64> + use<'a> {
        self.usage
            .iter()
            .filter(|slot| slot.quota_ns > 0 && slot.throttled_periods * 2 > slot.periods)
            .map(|slot| slot.given_ns as f64 / slot.quota_ns as f64)
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    Sample::new(values.to_vec())
        .ok()
        .map(|sample| sample.mean())
}

/// Slots of one block ran at the same time, so that a block is one value.
fn by_block(slots: &[Slots<'_>], seed: u64) -> Option<Estimate> {
    let mut blocks: BTreeMap<(&str, u32), Vec<f64>> = BTreeMap::new();
    for trial in slots {
        let block = (trial.cell.experiment.as_str(), trial.block);
        blocks.entry(block).or_default().extend(trial.used_up());
    }
    let means = blocks.values().filter_map(|values| mean(values)).collect();
    let sample = Sample::new(means).ok()?;
    Some(estimate(&sample, seed))
}

/// The cell furthest from what its quota says.
fn worst(slots: &[Slots<'_>]) -> Option<(String, f64)> {
    let mut cells: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for trial in slots {
        let cell = cells.entry(&trial.cell.id).or_default();
        cell.extend(trial.used_up());
    }
    let means = cells.into_iter();
    means
        .filter_map(|(cell, values)| Some((cell.to_owned(), mean(&values)?)))
        .max_by(|(_, a), (_, b)| (a - 1.0).abs().total_cmp(&(b - 1.0).abs()))
}

fn throttled_share(slots: &[Slots<'_>]) -> Option<f64> {
    let all = || slots.iter().flat_map(|slots| slots.usage);
    let periods: u64 = all().map(|slot| slot.periods).sum();
    let throttled: u64 = all().map(|slot| slot.throttled_periods).sum();
    (periods > 0).then(|| throttled as f64 / periods as f64)
}

fn against_real(measurements: &Measurements<'_>) -> Vec<AgainstReal> {
    let of_kind = |cores: Cores| {
        let cells = measurements.run.plan.cells.iter();
        cells.filter(move |cell| cell.experiment == experiment::FIDELITY && cell.cores == cores)
    };
    let alike = |a: &Cell, b: &Cell| a.server == b.server && a.workload == b.workload;
    let speedup = |cell: &Cell| {
        let alone = |one: &&Cell| one.workers == 1 && alike(one, cell);
        let reference = of_kind(cell.cores).find(alone)?;
        let pair = Pair {
            reference,
            subject: cell,
        };
        let grown = || ratio(measurements, pair, Trial::throughput_per_s);
        (cell.workers > 1).then(grown).flatten()
    };
    of_kind(Cores::Real)
        .filter_map(|real| {
            let twin = |cell: &&Cell| cell.workers == real.workers && alike(cell, real);
            let emulated = of_kind(Cores::Emulated).find(twin)?;
            let pair = Pair {
                reference: real,
                subject: emulated,
            };
            Some(AgainstReal {
                real: real.id.clone(),
                emulated: emulated.id.clone(),
                workers: real.workers,
                per_cpu: ratio(measurements, pair, Trial::requests_per_cpu_s)?,
                speedup_real: speedup(real),
                speedup_emulated: speedup(emulated),
            })
        })
        .collect()
}
