//! Throughput across cores: one worker, two, and so on up to the number of cores, for each server that
//! can be given workers and each workload.

use schema::{Preset, Workload};

use super::{Ask, Experiment, over_one_worker};
use crate::plan::{Draft, Timing};

pub(super) fn draft(ask: &Ask) -> Option<Draft> {
    let name = Experiment::Scaling.name();
    let counts = ask.worker_counts();
    if counts.len() < 2 {
        return None;
    }
    let (mut sets, mut targets) = (Vec::new(), Vec::new());
    for workload in workloads(ask.preset) {
        let cells: Vec<_> = ask
            .own(&["cluster", "threads"])
            .into_iter()
            .flat_map(|contender| counts.iter().map(move |&workers| (contender, workers)))
            .map(|(contender, workers)| ask.on_cores(name, contender, workers, workload))
            .collect();
        targets.extend(over_one_worker(&cells));
        sets.extend(ask.sets(cells));
    }
    let timing = match ask.preset {
        Preset::Smoke => Timing::new(300, 500, 5, 1, 0.05),
        Preset::Quick => Timing::new(300, 2_000, 36, 30, 0.03),
        Preset::Full => Timing::new(500, 5_000, 12 * 60, 100, 0.01),
    };
    Some(Draft {
        name: name.to_owned(),
        timing,
        sets,
        targets,
    })
}

/// What requests ask for. On a short run those that show most.
pub(super) fn workloads(preset: Preset) -> Vec<Workload> {
    match preset {
        Preset::Smoke => vec![Workload::Hello],
        Preset::Quick => vec![Workload::Hello, Workload::Cpu { us: 200 }],
        Preset::Full => vec![
            Workload::Hello,
            Workload::Cpu { us: 200 },
            Workload::Wait { us: 5_000 },
        ],
    }
}
