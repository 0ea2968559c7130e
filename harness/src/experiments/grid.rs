//! The whole grid: every model that can be, with connections that are kept and with new ones.
//!
//! Reading across a row, processes against threads with all else equal, is the answer to the question.
//! Beside the models stand the shared listener of which the kernel wakes one worker alone, the physical
//! limit and the guests. Workers share the server's CPUs. After each window half of its throughput is
//! asked for, at random times: latencies of a closed loop say how long the line was, these what it is like
//! to be served.
//!
//! A blocking worker serves a connection until it is closed, so that no more connections are kept than
//! there are workers; new ones come 64 at once to all.

use schema::{Cell, Model, Origin, Preset, Reuse, Style, Worker};

use super::{Ask, Experiment};
use crate::{
    contenders::{Contender, own},
    plan::{Draft, Timing},
};

/// New connections at once.
const AT_ONCE: u32 = 64;
/// Of the throughput just measured, in what follows.
const THEN_PERCENT: u32 = 50;

pub(super) fn draft(ask: &Ask) -> Draft {
    let name = Experiment::Grid.name();
    let mut cells: Vec<Cell> = Vec::new();
    for contender in ask.of_the_grid(&[own::EXCLUSIVE, own::FLOOR]) {
        for &reuse in reuses(contender, ask.preset) {
            let cell = Cell {
                id: id(contender.name(), reuse),
                reuse,
                then_percent: Some(THEN_PERCENT),
                ..ask.on_shared_cpus(name, contender, ask.pool())
            };
            let connections = match (reuse, cell.model.style) {
                (Reuse::NewConnection, _) => AT_ONCE,
                (Reuse::KeepAlive, Style::Evented) => ask.connections,
                (Reuse::KeepAlive, Style::Blocking) => cell.workers,
            };
            cells.push(Cell {
                connections,
                ..cell
            });
        }
    }
    let timing = match ask.preset {
        Preset::Smoke => Timing::new(50, 100, 30, 1, 0.05),
        Preset::Quick => Timing::new(50, 200, 122, 3, 0.05),
        Preset::Full => Timing::new(300, 1_000, 12 * 60, 60, 0.02),
    };
    Draft {
        name: name.to_owned(),
        timing,
        targets: rows(),
        sets: cells.into_iter().map(|cell| vec![cell]).collect(),
    }
}

/// What no ratio is asked of is looked at once where time is short.
fn reuses(contender: &dyn Contender, preset: Preset) -> &'static [Reuse] {
    let beside = contender.origin() == Origin::Guest || contender.name() == own::FLOOR;
    match preset {
        Preset::Smoke | Preset::Quick if beside => &[Reuse::KeepAlive],
        Preset::Smoke | Preset::Quick | Preset::Full => &[Reuse::KeepAlive, Reuse::NewConnection],
    }
}

fn id(contender: &str, reuse: Reuse) -> String {
    let reuse = match reuse {
        Reuse::KeepAlive => "keep",
        Reuse::NewConnection => "new",
    };
    format!("{}-{contender}-{reuse}", Experiment::Grid.name())
}

/// Processes over threads, of each style and accept policy that both can have.
fn rows() -> Vec<(String, String)> {
    let processes = Model::legal().filter(|model| model.worker == Worker::Process);
    processes
        .map(|process| {
            let thread = Model {
                worker: Worker::Thread,
                ..process
            };
            (thread, process)
        })
        .filter(|(thread, _)| thread.known().is_ok())
        .flat_map(|(thread, process)| {
            [Reuse::KeepAlive, Reuse::NewConnection].map(|reuse| {
                let [reference, subject] =
                    [thread, process].map(|model| id(&own::name_of(model), reuse));
                (reference, subject)
            })
        })
        .collect()
}
