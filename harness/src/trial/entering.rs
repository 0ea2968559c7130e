//! Launching the servers of a set, their workers in their slots, and seeing whom lone connections wake.

use std::{ops::Range, path::PathBuf, sync::Arc};

use ::cores::Slots;
use schema::{Cell, CellSet, Failure, Outcome, Stage};

use super::{End, Entrant, Launch, Setting, Turn, waking::wake};
use crate::{
    contenders::{Contender, Seat},
    launch::{self, Server, Trouble},
    resources,
};

/// Servers that are ready, and the slots of their workers; nothing where none is on this machine.
type Entered<'a> = Option<(Vec<Entrant<'a>>, Option<Arc<Slots>>)>;

/// Launches every server of the set. Those that are not on this machine or fail go to `ended`.
pub(super) fn enter<'a>(
    setting: &Setting<'a>,
    turn: Turn<'_>,
    ended: &mut Vec<End>,
) -> Result<Entered<'a>, Trouble> {
    let mut present = Vec::new();
    for &number in &turn.set.cells {
        let cell = &setting.plan.cells[number];
        let Some(contender) = setting.contenders.iter().find(|c| c.name() == cell.server) else {
            continue;
        };
        match contender.find() {
            Ok(()) => {
                let launch = |copy| Launch { cell: number, copy };
                let launches = (0..cell.copies).map(launch);
                present.extend(launches.map(|launch| (launch, cell, contender.as_ref())));
            }
            Err(absent) => ended.push(End {
                launch: Launch {
                    cell: number,
                    copy: 0,
                },
                outcome: Outcome::NotMeasured {
                    reason: absent.reason,
                    cure: absent.cure,
                },
                latency: None,
                warning: None,
            }),
        }
    }
    if present.is_empty() {
        return Ok(None);
    }
    let workers = |cell: &Cell| cell.workers as usize;
    let all_workers = present.iter().map(|(_, cell, _)| workers(cell)).sum();
    let slots = make_slots(setting, turn.set, all_workers)?;
    let mut entrants = Vec::new();
    let mut first = 0;
    for (launch, cell, contender) in present {
        let range = first..first + workers(cell);
        first = range.end;
        let entered = start(setting, cell, contender, slots.as_deref(), range.clone()).and_then(
            |mut server| {
                let wake_order = wake(setting, cell, &mut server)?;
                Ok((server, wake_order))
            },
        );
        match entered {
            Ok((server, wake_order)) => entrants.push(Entrant {
                launch,
                cell,
                server,
                running: None,
                slots: range,
                wake_order,
            }),
            Err(Trouble::Failed(failure)) => ended.push(End::failed(launch, failure)),
            Err(Trouble::Interrupted) => return Err(Trouble::Interrupted),
        }
    }
    Ok(Some((entrants, slots)))
}

fn make_slots(
    setting: &Setting,
    set: &CellSet,
    workers: usize,
) -> Result<Option<Arc<Slots>>, Trouble> {
    let (Some(plan), Some(cgroups)) = (set.slots, setting.cgroups) else {
        return Ok(None);
    };
    let cpus: Vec<u32> = setting
        .slot_cpus
        .iter()
        .cycle()
        .take(workers)
        .copied()
        .collect();
    Slots::make(cgroups, &cpus, plan)
        .map(|slots| Some(Arc::new(slots)))
        .map_err(|error| at_launch(error.to_string()))
}

fn at_launch(reason: String) -> Trouble {
    Trouble::Failed(Failure {
        stage: Stage::Launch,
        reason,
        stderr: String::new(),
    })
}

/// Launches one server, its workers in their slots.
fn start(
    setting: &Setting,
    cell: &Cell,
    contender: &dyn Contender,
    slots: Option<&Slots>,
    range: Range<usize>,
) -> Result<Server, Trouble> {
    let seats: Vec<Seat> = slots
        .into_iter()
        .flat_map(|slots| range.clone().map(|index| seat(slots, index)))
        .collect();
    let recipe = contender
        .recipe(cell.workers, setting.scratch, &seats)
        .map_err(|error| at_launch(format!("{error:#}")))?;
    let mut server = launch::launch(
        &recipe,
        &cell.cpus,
        slots.and_then(Slots::group),
        setting.ready_timeout,
        setting.interrupt,
    )?;
    if let Some(slots) = slots
        && !contender.joins_slots()
    {
        place(cell, &mut server, slots, range)?;
    }
    Ok(server)
}

fn seat(slots: &Slots, index: usize) -> Seat {
    Seat {
        cpu: slots.cpu(index),
        slot: PathBuf::from(slots.dir(index)),
    }
}

/// Moves a guest's workers into their slots from outside: the children of its main process, or that
/// itself where it has none.
fn place(
    cell: &Cell,
    server: &mut Server,
    slots: &Slots,
    range: Range<usize>,
) -> Result<(), Trouble> {
    let mut workers = server.worker_pids();
    if workers.is_empty() {
        workers = resources::children_of(server.guard_pid());
    }
    workers.sort_unstable();
    if workers.len() != range.len() {
        let reason = format!(
            "{} was to have {} and has {}: they cannot be given a core each",
            cell.server,
            range.len(),
            workers.len()
        );
        return Err(server.failure(Stage::Ready, reason));
    }
    for (index, pid) in range.zip(workers) {
        let moved = slots.move_in(index, pid.cast_unsigned());
        if let Err(error) = moved {
            return Err(server.failure(Stage::Ready, error.to_string()));
        }
    }
    Ok(())
}
