//! How true emulated cores are to real ones: the same cells on one and two of each.
//!
//! Real ones are the CPUs of this machine, one for each worker. Where there are too few of them to
//! leave the generator its own, two workers take one of its: the work is the servers', 200 µs a
//! request, against which the generator's part is small.

use schema::{Cell, Cores, Preset, Workload};

use super::{Ask, Experiment, over_one_worker};
use crate::plan::{Draft, Timing};

const WORKLOAD: Workload = Workload::Cpu { us: 200 };

pub(super) fn draft(ask: &Ask) -> Option<Draft> {
    let name = Experiment::Fidelity.name();
    if ask.cores.kind != Cores::Emulated {
        return None;
    }
    let cpus: Vec<u32> = ask
        .cores
        .server_cpus
        .iter()
        .chain(&ask.cores.generator_cpus)
        .copied()
        .collect();
    let mut emulated = Vec::new();
    let mut sets = Vec::new();
    let mut targets = Vec::new();
    for contender in ask.own(&["cluster", "threads"]) {
        let cells = [1, 2].map(|workers| Cell {
            cores: Cores::Emulated,
            ..ask.on_cores(name, contender, workers, WORKLOAD)
        });
        let real = cells.clone().map(|cell| Cell {
            id: format!("{}-real", cell.id),
            cores: Cores::Real,
            copies: 1,
            cpus: cpus[..(cell.workers as usize).min(cpus.len())].to_vec(),
            ..cell
        });
        let real: Vec<Cell> = real
            .into_iter()
            .filter(|cell| cell.cpus.len() == cell.workers as usize)
            .collect();
        targets.extend(over_one_worker(&cells));
        targets.extend(over_one_worker(&real));
        emulated.extend(cells);
        sets.extend(real.into_iter().map(|cell| vec![cell]));
    }
    sets.extend(ask.sets(emulated));
    let timing = match ask.preset {
        Preset::Smoke => Timing::new(200, 400, 6, 1, 0.05),
        Preset::Quick => Timing::new(100, 400, 15, 10, 0.05),
        Preset::Full => Timing::new(500, 3_000, 2 * 60, 20, 0.02),
    };
    Some(Draft {
        name: name.to_owned(),
        timing,
        sets,
        targets,
    })
}
