//! Whether workers, and the load generator, had the CPUs they needed.

use std::collections::BTreeSet;

use schema::{Cell, Cores, Measured};

use super::{Finding, a_few};
use crate::{
    Run,
    groups::{counted, in_words, workers},
};

/// A cell that emulated cores are set beside: it has real ones, where there are too few for all cells,
/// and its plan says which.
fn is_for_fidelity(run: &Run, cell: &Cell) -> bool {
    cell.cores == Cores::Real && run.plan.cores.kind == Cores::Emulated
}

pub(super) fn undeclared_overlap(run: &Run) -> Option<Finding> {
    let cores = &run.plan.cores;
    let others = run.plan.cells.iter();
    let servers = others
        .filter(|cell| !is_for_fidelity(run, cell))
        .flat_map(|cell| &cell.cpus);
    let servers: BTreeSet<u32> = servers.chain(&cores.server_cpus).copied().collect();
    let shared: Vec<String> = servers
        .iter()
        .filter(|cpu| cores.generator_cpus.contains(cpu))
        .map(ToString::to_string)
        .collect();
    (!cores.overlapping && !shared.is_empty()).then(|| {
        Finding::broken(format!(
            "Servers and the load generator shared CPU {} although the plan says that they do not.",
            shared.join(", ")
        ))
    })
}

/// CPUs of the generator that real cores were borrowed from.
pub(super) fn borrowed_cpus(run: &Run) -> Option<Finding> {
    let cores = &run.plan.cores;
    let cells: BTreeSet<String> = run
        .measured()
        .filter(|(cell, ..)| is_for_fidelity(run, cell))
        .filter(|(cell, ..)| {
            let borrowed = |cpu| cores.generator_cpus.contains(cpu);
            !cores.overlapping && cell.cpus.iter().any(borrowed)
        })
        .map(|(cell, ..)| in_words(cell))
        .collect();
    let cells: Vec<String> = cells.into_iter().collect();
    (!cells.is_empty()).then(|| {
        Finding::caveat(format!(
            "To set emulated cores beside real ones, {} ran on a CPU of the load generator too, as there are no others: those real figures are a little lower than they would be.",
            a_few(&cells)
        ))
    })
}

pub(super) fn more_workers_than_cpus(run: &Run) -> Option<Finding> {
    let shared = |(cell, ..): &(&Cell, u32, &Measured)| cell.cores == Cores::Shared;
    let (cell, ..) = run
        .measured()
        .filter(shared)
        .max_by_key(|(cell, ..)| cell.workers)?;
    let cpus = cell.cpus.len();
    (cell.workers as usize > cpus).then(|| {
        Finding::caveat(format!(
            "{} shared {}, so more workers than that cannot serve more there: beyond {cpus}, the figures show what workers cost, not what they gain.",
            workers(cell.workers),
            counted(cpus, "CPU")
        ))
    })
}

pub(super) fn shared_cpus(run: &Run) -> Option<Finding> {
    run.plan.cores.overlapping.then(|| {
        Finding::caveat(
            "Servers and the load generator shared their CPUs, as this machine has too few to keep them apart: each took time from the other, and no figure is a server's capacity.".into(),
        )
    })
}

/// What a core is wherever one is emulated.
pub(super) fn emulated_cores(run: &Run) -> Option<Finding> {
    let emulated = |(cell, ..): (&Cell, u32, &Measured)| cell.cores == Cores::Emulated;
    run.measured().any(emulated).then(|| {
        Finding::caveat(format!(
            "Cores are emulated where a figure says so ({}): ratios of throughput and CPU time per request hold, and latency, which would be the quota's, is not shown.",
            run.plan.cores.reason.trim_end_matches('.')
        ))
    })
}
