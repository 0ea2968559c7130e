//! The main question: how much more do as many workers as there are cores serve than one, processes
//! and threads, and which of the two serve more.

use schema::{Preset, Workload};

use super::{Ask, Experiment, over_one_worker};
use crate::plan::{Draft, Timing};

pub(super) fn draft(ask: &Ask) -> Option<Draft> {
    let name = Experiment::Headline.name();
    let most = ask.worker_counts().last().copied().unwrap_or(1);
    let cells: Vec<_> = ask
        .own(&["cluster", "threads"])
        .into_iter()
        .flat_map(|contender| [1, most].map(|workers| (contender, workers)))
        .map(|(contender, workers)| ask.on_cores(name, contender, workers, Workload::Hello))
        .collect();
    if most < 2 {
        return None;
    }
    let mut targets = over_one_worker(&cells);
    let many: Vec<_> = cells.iter().filter(|cell| cell.workers == most).collect();
    if let [processes, threads] = many.as_slice() {
        targets.push((threads.id.clone(), processes.id.clone()));
    }
    let timing = match ask.preset {
        Preset::Smoke => Timing::new(300, 900, 6, 2, 0.02),
        Preset::Quick => Timing::new(300, 2_900, 82, 60, 0.02),
        Preset::Full => Timing::new(500, 5_000, 8 * 60, 200, 0.01),
    };
    Some(Draft {
        name: name.to_owned(),
        timing,
        sets: ask.sets(cells),
        targets,
    })
}
