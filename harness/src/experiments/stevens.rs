//! Stevens' nine designs of a server, UNIX Network Programming, vol. 1, chapter 30, as the book measured
//! them: ten clients at once, a new connection for each request, 4,000 bytes of answer, a pool of fifteen.
//!
//! The book gives CPU time for 5,000 connections, with that of the iterative server taken off: what
//! control of processes or threads costs. Here the window is of a length and not of a number of
//! connections; CPU time for each is what is compared.

use schema::{Cell, Preset, Reuse, Workload};

use super::{Ask, Experiment};
use crate::{
    contenders::{Contender, own},
    plan::{Draft, Timing},
};

/// Client children of the book, each with one connection at a time.
const CLIENTS: u32 = 10;
/// Children or threads of the book's pools.
const POOL: u32 = 15;
/// Bytes that the book's clients ask for.
const BYTES: u32 = 4_000;

pub(super) fn draft(ask: &Ask) -> Draft {
    let name = Experiment::Stevens.name();
    let pool = ask.workers.iter().copied().max().unwrap_or(POOL);
    let mut designs: Vec<(u8, &dyn Contender)> = ask
        .contenders
        .iter()
        .filter_map(|&contender| Some((number(contender)?, contender)))
        .collect();
    designs.sort_by_key(|&(number, _)| number);
    let cells: Vec<Cell> = designs
        .into_iter()
        .map(|(number, contender)| Cell {
            id: format!("{name}-{number}-{}", contender.name()),
            workload: Workload::Bytes { n: BYTES },
            connections: CLIENTS,
            reuse: Reuse::NewConnection,
            ..ask.on_shared_cpus(name, contender, pool)
        })
        .collect();
    let targets = cells
        .iter()
        .filter(|cell| cell.server != own::SINGLE_BLOCKING)
        .map(|cell| {
            let iterative = format!("{name}-0-{}", own::SINGLE_BLOCKING);
            (iterative, cell.id.clone())
        })
        .collect();
    let timing = match ask.preset {
        Preset::Smoke => Timing::new(50, 200, 6, 1, 0.05),
        Preset::Quick => Timing::new(100, 400, 25, 10, 0.05),
        Preset::Full => Timing::new(500, 2_000, 5 * 60, 30, 0.02),
    };
    Draft {
        name: name.to_owned(),
        timing,
        targets,
        sets: cells.into_iter().map(|cell| vec![cell]).collect(),
    }
}

/// Which of the designs a server is: the iterative one is 0.
fn number(contender: &dyn Contender) -> Option<u8> {
    if contender.name() == own::SINGLE_BLOCKING {
        return Some(0);
    }
    let model = own::stands_for(contender)?;
    model.known().ok()?.stevens
}
