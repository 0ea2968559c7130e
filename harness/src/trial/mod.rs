//! One trial of one set: launch its servers, warm them up, load them all at the same time, observe,
//! stop them.
//!
//! Order of events: slots are made where cores are emulated, without a limit yet; the servers are
//! launched one after another and their workers join their slots ([`entering`]); connections are made
//! one by one where a cell asks for that ([`waking`]); every load connects; all begin at the same instant
//! ([`contest`]). The warm-up runs at full speed. Shortly before the window opens the slots get their
//! limits; at its edges every counter is read ([`window`]). What a cell asks for after its window comes
//! when all windows are over and read ([`following`]), and takes nothing from their figures. A server
//! that fails takes nothing from the others of its set but its load.

mod asked;
mod contest;
mod entering;
mod following;
mod waking;
mod window;

use std::{
    ops::Range,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ::cores::Cgroups;
use hdrhistogram::Histogram;
use load::Running;
use schema::{
    Cell, CellSet, ExperimentPlan, Failure, Noise, Observation, Outcome, Plan, SCHEMA_VERSION,
    Stage,
};

use self::{contest::contend, entering::enter};
use crate::{
    contenders::Contender,
    interrupt::Interrupt,
    launch::{Server, Trouble},
    progress::Progress,
};

/// What all trials of a run have in common.
pub struct Setting<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// CPUs that slots are shares of: the first of each physical core that serves.
    pub slot_cpus: &'a [u32],
    /// How to make slots; absent where the plan has none.
    pub cgroups: Option<&'a Cgroups>,
    /// Who is measured.
    pub contenders: &'a [Box<dyn Contender>],
    /// How long a server may take until it is ready.
    pub ready_timeout: Duration,
    /// How long one request may take.
    pub timeout: Duration,
    /// Where guests' files go.
    pub scratch: &'a Path,
    /// Set once the user wants to leave.
    pub interrupt: &'a Interrupt,
}

/// Which trial.
#[derive(Clone, Copy)]
pub struct Turn<'a> {
    /// Of which experiment.
    pub experiment: &'a ExperimentPlan,
    /// Of which set.
    pub set: &'a CellSet,
    /// In which block.
    pub block: u32,
    /// 0, or 1 where the first one was marked.
    pub attempt: u32,
}

/// What came of a trial, for one cell.
pub struct Trial {
    /// Index into the plan's cells.
    pub cell: usize,
    /// To be written down.
    pub observation: Observation,
    /// Every latency, where it was measured.
    pub latency: Option<Histogram<u64>>,
    /// What did not go as it should but took nothing from the measurement.
    pub warning: Option<String>,
}

impl Trial {
    /// What disturbed it.
    pub fn noise(&self) -> Option<&Noise> {
        match &self.observation.outcome {
            Outcome::Measured(measured) => Some(&measured.noise),
            Outcome::Failed(_) | Outcome::NotMeasured { .. } => None,
        }
    }
}

/// One of the launches of a cell: its index into the plan's cells, and which of its copies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Launch {
    cell: usize,
    copy: u32,
}

/// A server under load.
struct Entrant<'a> {
    launch: Launch,
    cell: &'a Cell,
    server: Server,
    running: Option<Running>,
    /// Its workers' slots among those of the set.
    slots: Range<usize>,
    /// Who answered the connections before the load.
    wake_order: Vec<u64>,
}

/// Makes one trial, one for each cell of the set; nothing where the user wants to leave.
pub fn make(setting: &Setting, turn: Turn<'_>, progress: &Progress) -> Option<Vec<Trial>> {
    let started = unix_ns();
    let mut ended = Vec::new();
    let entrants = match enter(setting, turn, &mut ended) {
        Ok(entered) => entered,
        Err(Trouble::Interrupted) => return None,
        Err(Trouble::Failed(failure)) => {
            // Nobody can run: what failed is what all have in common.
            let all = turn.set.cells.iter();
            ended = all
                .map(|&cell| End::failed(Launch { cell, copy: 0 }, failure.clone()))
                .collect();
            None
        }
    };
    if let Some((entrants, slots)) = entrants {
        match contend(setting, turn, entrants, slots.as_ref(), progress) {
            Ok(measured) => ended.extend(measured),
            Err(Left) => return None,
        }
        if let Some(slots) = slots
            && let Some(slots) = Arc::into_inner(slots)
            && let Err(error) = slots.remove()
        {
            progress.say(&format!("warning: {error}"));
        }
    }
    let trial = |end: End| Trial {
        cell: end.launch.cell,
        observation: Observation {
            schema_version: SCHEMA_VERSION,
            cell: setting.plan.cells[end.launch.cell].id.clone(),
            block: turn.block,
            attempt: turn.attempt,
            copy: end.launch.copy,
            started_unix_ns: started,
            outcome: end.outcome,
        },
        latency: end.latency,
        warning: end.warning,
    };
    ended.sort_by_key(|end| end.launch);
    Some(ended.into_iter().map(trial).collect())
}

/// The time since the Unix epoch, ns.
pub fn unix_ns() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The user wants to leave.
struct Left;

/// What came of one cell.
struct End {
    launch: Launch,
    outcome: Outcome,
    latency: Option<Histogram<u64>>,
    warning: Option<String>,
}

impl End {
    fn failed(launch: Launch, failure: Failure) -> Self {
        Self {
            launch,
            outcome: Outcome::Failed(failure),
            latency: None,
            warning: None,
        }
    }

    fn of(launch: Launch, trouble: Trouble) -> Self {
        match trouble {
            Trouble::Failed(failure) => Self::failed(launch, failure),
            Trouble::Interrupted => Self::failed(
                launch,
                Failure {
                    stage: Stage::Load,
                    reason: "it was interrupted".to_owned(),
                    stderr: String::new(),
                },
            ),
        }
    }
}
