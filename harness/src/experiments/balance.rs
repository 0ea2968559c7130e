//! How evenly workers share what comes, by accept policy: under load and with little of it, with
//! connections that are kept and with new ones.
//!
//! With little load, most workers wait, and who is woken shows: the kernel's epoll wakes the last to have
//! come, a blocking accept the first. Before that load lone connections are made one after the other,
//! and who answers each is written down. A model that makes a worker for each connection has nothing to
//! share out, and is left out.

use schema::{Accept, Cell, Preset, Reuse, Style};

use super::{Ask, Experiment};
use crate::{
    contenders::{Contender, own},
    plan::{Draft, Timing},
};

/// Connections under load.
const MANY: u32 = 64;
/// Connections that are kept with little load.
const FEW: u32 = 16;
/// Requests a second that are little load.
const LITTLE_PER_S: u32 = 200;
/// Lone connections.
const WAKES: u32 = 32;

pub(super) fn draft(ask: &Ask) -> Draft {
    let contenders = ask.of_the_grid(&[own::EXCLUSIVE]);
    let sets = contenders
        .into_iter()
        .filter(|contender| contender.model().accept != Accept::PerConnection)
        .flat_map(|contender| cells(ask, contender))
        .filter(|cell| !starves(cell))
        .map(|cell| vec![cell])
        .collect();
    let timing = match ask.preset {
        Preset::Smoke => Timing::new(50, 100, 30, 1, 0.05),
        Preset::Quick => Timing::new(50, 200, 40, 3, 0.05),
        Preset::Full => Timing::new(100, 500, 3 * 60, 10, 0.02),
    };
    Draft {
        name: Experiment::Balance.name().to_owned(),
        timing,
        sets,
        targets: Vec::new(),
    }
}

/// With a listener each, kept connections that the kernel gives to the same blocking worker wait for one
/// another, and at little load for longer than any request may take.
fn starves(cell: &Cell) -> bool {
    let kept_and_idle = cell.reuse == Reuse::KeepAlive && cell.rate_per_s.is_some();
    let (style, accept) = (cell.model.style, cell.model.accept);
    kept_and_idle && (style, accept) == (Style::Blocking, Accept::Reuseport)
}

fn cells(ask: &Ask, contender: &dyn Contender) -> [Cell; 4] {
    let cell = ask.on_shared_cpus(Experiment::Balance.name(), contender, ask.pool());
    let kept = |connections| match cell.model.style {
        Style::Evented => connections,
        // Each has one, and holds it.
        Style::Blocking => cell.workers,
    };
    [
        Cell {
            id: format!("{}-keep-high", cell.id),
            connections: kept(MANY),
            ..cell.clone()
        },
        Cell {
            id: format!("{}-keep-low", cell.id),
            connections: kept(FEW),
            rate_per_s: Some(LITTLE_PER_S),
            ..cell.clone()
        },
        Cell {
            id: format!("{}-new-high", cell.id),
            connections: MANY,
            reuse: Reuse::NewConnection,
            ..cell.clone()
        },
        Cell {
            id: format!("{}-new-low", cell.id),
            connections: MANY,
            reuse: Reuse::NewConnection,
            rate_per_s: Some(LITTLE_PER_S),
            wakes: WAKES,
            ..cell
        },
    ]
}
