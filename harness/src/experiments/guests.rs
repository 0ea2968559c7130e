//! Throughput across cores of a guest that can be given workers: of Node's cluster, and of others where
//! they are asked for by name. Each is compared with itself alone and takes as long as all of our servers
//! together.
//!
//! They are warmed up for longer than our servers, at full speed: a virtual machine that compiles
//! while it runs is not at its speed before each worker has used about a second of CPU time.

use schema::{Origin, Preset, Workload};

use super::{Ask, Experiment, over_one_worker};
use crate::{
    contenders::Workers,
    plan::{Draft, Timing},
};

/// The guest of whoever names none.
const WANTED: &str = "node-cluster";

pub(super) fn draft(ask: &Ask) -> Option<Draft> {
    let name = Experiment::ScalingGuests.name();
    let counts = match ask.preset {
        Preset::Smoke | Preset::Quick => {
            let all = ask.worker_counts();
            [all.first(), all.last()]
                .into_iter()
                .flatten()
                .copied()
                .collect()
        }
        Preset::Full => ask.worker_counts(),
    };
    if counts.last().is_none_or(|&most| most < 2) {
        return None;
    }
    let (mut sets, mut targets) = (Vec::new(), Vec::new());
    for contender in &ask.contenders {
        let can = contender.origin() == Origin::Guest && contender.workers() == Workers::Any;
        if !can || !(ask.named || contender.name() == WANTED) {
            continue;
        }
        let cells: Vec<_> = counts
            .iter()
            .map(|&workers| ask.on_cores(name, *contender, workers, Workload::Hello))
            .collect();
        targets.extend(over_one_worker(&cells));
        sets.extend(ask.sets(cells));
    }
    let timing = match ask.preset {
        Preset::Smoke => Timing::new(1_000, 900, 5, 1, 0.05),
        Preset::Quick => Timing::new(2_500, 1_500, 26, 10, 0.05),
        Preset::Full => Timing::new(20_000, 5_000, 4 * 60, 30, 0.02),
    };
    Some(Draft {
        name: name.to_owned(),
        timing,
        sets,
        targets,
    })
}
