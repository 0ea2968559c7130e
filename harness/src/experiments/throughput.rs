//! What a few CPUs serve, by number of workers that share them.

use std::collections::BTreeSet;

use schema::{Cell, Preset, Workload};

use super::{Ask, Experiment, over_one_worker, scaling};
use crate::{
    contenders::{Workers, own},
    plan::{Draft, Timing},
};

pub(super) fn draft(ask: &Ask) -> Draft {
    let name = Experiment::Throughput.name();
    let asked = worker_counts(ask.workers, ask.preset, ask.cores.server_cpus.len());
    let mut cells: Vec<Cell> = Vec::new();
    for workload in workloads(ask.preset) {
        for contender in ask.own_and_guests(&own::BASIC) {
            if workload != Workload::Hello && !contender.does_workloads() {
                continue;
            }
            let counts = match contender.workers() {
                Workers::Any => asked.clone(),
                Workers::Fixed(workers) => vec![workers],
            };
            cells.extend(counts.into_iter().map(|workers| Cell {
                id: format!("{}-w{workers}-{}", contender.name(), workload.name()),
                workload,
                ..ask.on_shared_cpus(name, contender, workers)
            }));
        }
    }
    let timing = match ask.preset {
        Preset::Smoke => Timing::new(300, 300, 8, 1, 0.05),
        Preset::Quick => Timing::new(400, 500, 29, 12, 0.05),
        Preset::Full => Timing::new(2_000, 3_000, 10 * 60, 30, 0.02),
    };
    Draft {
        name: name.to_owned(),
        timing,
        targets: over_one_worker(&cells),
        sets: cells.into_iter().map(|cell| vec![cell]).collect(),
    }
}

fn workloads(preset: Preset) -> Vec<Workload> {
    match preset {
        Preset::Smoke | Preset::Quick => vec![Workload::Hello],
        Preset::Full => scaling::workloads(preset),
    }
}

/// Powers of two up to the server's CPUs and that number itself, but at least to 4, so that a small
/// machine too shows what more workers than CPUs do. Short runs try the ends alone.
fn worker_counts(asked: &[u32], preset: Preset, server_cpus: usize) -> Vec<u32> {
    if !asked.is_empty() {
        return asked
            .iter()
            .copied()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
    }
    let cpus = u32::try_from(server_cpus).unwrap_or(u32::MAX);
    match preset {
        Preset::Smoke => return vec![1, cpus.max(2)],
        Preset::Quick => return vec![1, cpus.max(4)],
        Preset::Full => {}
    }
    let powers = (0..u32::BITS)
        .map(|bit| 1 << bit)
        .take_while(|&power| power <= cpus.max(4));
    powers
        .chain([cpus])
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_go_up_to_the_cpus_and_at_least_to_four() {
        assert_eq!(worker_counts(&[], Preset::Full, 1), [1, 2, 4]);
        assert_eq!(worker_counts(&[], Preset::Full, 6), [1, 2, 4, 6]);
        assert_eq!(worker_counts(&[], Preset::Full, 32), [1, 2, 4, 8, 16, 32]);
        assert_eq!(worker_counts(&[], Preset::Quick, 1), [1, 4]);
        assert_eq!(worker_counts(&[], Preset::Smoke, 1), [1, 2]);
        assert_eq!(worker_counts(&[8, 2, 8], Preset::Quick, 1), [2, 8]);
    }
}
