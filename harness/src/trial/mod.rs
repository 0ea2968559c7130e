//! One trial of one set: launch its servers, warm them up, load them all at the same time, observe,
//! stop them.
//!
//! Order of events: slots are made where cores are emulated, without a limit yet; the servers are
//! launched one after another and their workers join their slots; every load connects; all begin at
//! the same instant. The warm-up runs at full speed. Shortly before the window opens the slots get
//! their limits ([`LIMITED_BEFORE`]); at its edges every counter is read ([`window`]). A server that
//! fails takes nothing from the others of its set but its load.

mod window;

use std::{
    collections::BTreeSet,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ::cores::{Cgroups, Slots};
use hdrhistogram::Histogram;
use load::{Expectation, LoadError, LoadSpec, Running};
use schema::{
    Cell, CellSet, ExperimentPlan, Failure, Measured, Noise, Observation, Outcome, Plan,
    SCHEMA_VERSION, Stage,
};

use self::window::Watch;
use crate::{
    contenders::{Contender, Seat},
    interrupt::Interrupt,
    launch::{self, Server, Trouble},
    noise::Watched,
    progress::Progress,
    resources,
};

/// How long the server's end may lag behind the broken connections it causes.
const END_LAG: Duration = Duration::from_millis(200);
/// How soon progress is shown and an interrupt seen.
const TICK: Duration = Duration::from_millis(100);
/// From when every load is told of the start until it comes: they have to notice.
const START_IN: Duration = Duration::from_millis(20);
/// How long slots are limited before the window opens, beside one of their periods.
const LIMITED_BEFORE: Duration = Duration::from_millis(100);

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
}

type Entered<'a> = Option<(Vec<Entrant<'a>>, Option<Arc<Slots>>)>;

/// Launches every server of the set. Those that are not on this machine or fail go to `ended`.
fn enter<'a>(
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
        match start(setting, cell, contender, slots.as_deref(), range.clone()) {
            Ok(server) => entrants.push(Entrant {
                launch,
                cell,
                server,
                running: None,
                slots: range,
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
    let main = resources::children_of(server.guard_pid());
    let mut workers: Vec<i32> = main
        .iter()
        .flat_map(|&pid| resources::children_of(pid))
        .collect();
    if workers.is_empty() {
        workers = main;
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

/// Loads all servers at the same time.
fn contend(
    setting: &Setting,
    turn: Turn<'_>,
    entrants: Vec<Entrant<'_>>,
    slots: Option<&Arc<Slots>>,
    progress: &Progress,
) -> Result<Vec<End>, Left> {
    let guards: Vec<i32> = entrants
        .iter()
        .map(|entrant| entrant.server.guard_pid())
        .collect();
    let measure = Duration::from_nanos(turn.set.measure_ns);
    let watch = Watch::over(guards, slots.map(Arc::clone), measure);
    let (mut loaded, mut ended) = (Vec::new(), Vec::new());
    for mut entrant in entrants {
        let spec = LoadSpec {
            on_window: watch.hook(),
            ..spec(setting, turn, &entrant)
        };
        match load::start(spec) {
            Ok(running) => {
                entrant.running = Some(running);
                loaded.push(entrant);
            }
            Err(error) => ended.push(end_of_failed(entrant, &error, Stage::WarmUp)),
        }
    }
    let mut entrants = loaded;
    begin_together(setting, &mut entrants, &mut ended, progress)?;
    let patience = TICK / u32::try_from(entrants.len()).unwrap_or(1).max(1);
    while entrants
        .iter_mut()
        .any(|entrant| !is_over(entrant, patience))
    {
        progress.tick();
        if setting.interrupt.is_set() {
            return Err(Left);
        }
    }
    let watched = watched(setting, turn.set);
    let mut readings = watch.readings(&watched.as_watched());
    // Ending takes CPU time too.
    if let Some(slots) = slots
        && let Err(error) = slots.unlimit()
    {
        progress.say(&format!("warning: {error}"));
    }
    for entrant in entrants {
        ended.push(finish(entrant, turn.set, &mut readings));
    }
    Ok(ended)
}

fn spec(setting: &Setting, turn: Turn<'_>, entrant: &Entrant<'_>) -> LoadSpec {
    let period = turn.set.slots.map_or(0, |slots| slots.period_ns);
    LoadSpec {
        target: entrant.cell.target(),
        expect: expectation(entrant.cell),
        connections: entrant.cell.connections,
        cpus: setting.plan.cores.generator_cpus.clone(),
        warm_up: Duration::from_nanos(turn.experiment.warm_up_ns),
        measure: Duration::from_nanos(turn.set.measure_ns),
        timeout: setting.timeout,
        held: true,
        lead: LIMITED_BEFORE + Duration::from_nanos(period),
        ..LoadSpec::to(entrant.server.address, 0)
    }
}

/// A server that is asked for a path of its own has bodies of its own.
fn expectation(cell: &Cell) -> Expectation {
    match cell.path {
        Some(_) => Expectation::AsTheFirst,
        None => Expectation::HelloFromWorker,
    }
}

/// Waits until every load has its connections, and has all begin at the same instant.
fn begin_together(
    setting: &Setting,
    entrants: &mut Vec<Entrant<'_>>,
    ended: &mut Vec<End>,
    progress: &Progress,
) -> Result<(), Left> {
    let waits = |entrant: &Entrant<'_>| entrant.running.as_ref().is_some_and(|r| !r.is_ready());
    while let Some(at) = entrants.iter().position(waits) {
        progress.tick();
        if setting.interrupt.is_set() {
            return Err(Left);
        }
        let entrant = &mut entrants[at];
        let over = entrant
            .running
            .as_mut()
            .is_none_or(|running| running.wait(Duration::from_millis(5)));
        if over || entrant.server.has_ended(Duration::ZERO) {
            let mut entrant = entrants.remove(at);
            let failed = entrant.running.take().and_then(|running| {
                // It would wait for its word for ever.
                running.stop();
                running.finish().err()
            });
            let error = failed.unwrap_or(LoadError::Stopped);
            ended.push(end_of_failed(entrant, &error, Stage::WarmUp));
        }
    }
    let start = Instant::now() + START_IN;
    for running in entrants.iter_mut().filter_map(|e| e.running.as_mut()) {
        running.begin(start);
    }
    Ok(())
}

/// Whether a load is over, waiting a moment for it. That of a server that has ended is called off.
fn is_over(entrant: &mut Entrant<'_>, patience: Duration) -> bool {
    let Some(running) = &mut entrant.running else {
        return true;
    };
    let over = running.wait(patience);
    if !over && entrant.server.has_ended(Duration::ZERO) {
        running.stop();
    }
    over
}

/// The account of one server, which is stopped.
fn finish(mut entrant: Entrant<'_>, set: &CellSet, readings: &mut window::Readings) -> End {
    let launch = entrant.launch;
    let Some(running) = entrant.running.take() else {
        return end_of_failed(entrant, &LoadError::Stopped, Stage::Load);
    };
    let counting = running.is_counting();
    let stage = if counting { Stage::Load } else { Stage::WarmUp };
    let loaded = match running.finish() {
        Err(error) => return end_of_failed(entrant, &error, stage),
        Ok(_) if entrant.server.has_ended(Duration::ZERO) => {
            return End::of(launch, entrant.server.ended_at(Stage::Load));
        }
        Ok(loaded) => loaded,
    };
    let slots = set.slots.map(|plan| (entrant.slots.clone(), plan));
    let used = match readings.usage(entrant.server.guard_pid(), slots) {
        Ok(used) => used,
        Err(error) => {
            return End::of(
                launch,
                entrant.server.failure(Stage::Load, format!("{error:#}")),
            );
        }
    };
    let measured = Measured {
        ready_after_ns: u64::try_from(entrant.server.ready_after.as_nanos()).unwrap_or(u64::MAX),
        load: loaded.result,
        server: used.tree,
        slots: used.slots,
        noise: used.noise,
        stop: entrant.server.stop(),
    };
    let warning = measured
        .stop
        .as_ref()
        .map(|words| format!("{} {words}", entrant.cell.id));
    End {
        launch,
        outcome: Outcome::Measured(Box::new(measured)),
        latency: Some(loaded.latencies.response()),
        warning,
    }
}

impl End {
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

/// Broken connections are how the generator sees a server's end; that is the better reason.
fn end_of_failed(mut entrant: Entrant<'_>, error: &LoadError, stage: Stage) -> End {
    let trouble = if entrant.server.has_ended(END_LAG) {
        entrant.server.ended_at(stage)
    } else {
        entrant.server.failure(stage, error.to_string())
    };
    End::of(entrant.launch, trouble)
}

/// CPUs that a set's servers and its generator run on.
struct Cpus {
    server: Vec<u32>,
    generator: Vec<u32>,
    slots: bool,
}

impl Cpus {
    fn as_watched(&self) -> Watched<'_> {
        Watched {
            server: &self.server,
            generator: &self.generator,
            slots: self.slots,
        }
    }
}

fn watched(setting: &Setting, set: &CellSet) -> Cpus {
    let server: BTreeSet<u32> = set
        .cells
        .iter()
        .flat_map(|&number| setting.plan.cells[number].cpus.iter().copied())
        .collect();
    Cpus {
        server: server.into_iter().collect(),
        generator: setting.plan.cores.generator_cpus.clone(),
        slots: set.slots.is_some(),
    }
}
