//! Loading the servers of a set at the same time, and their accounts.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use ::cores::Slots;
use load::{Expectation, LoadError, LoadSpec};
use schema::{Cell, CellSet, Measured, Outcome, Stage};

use super::{
    End, Entrant, Left, Setting, Turn,
    window::{Readings, Watch},
};
use crate::{noise::Watched, progress::Progress};

/// How long the server's end may lag behind the broken connections it causes.
const END_LAG: Duration = Duration::from_millis(200);
/// How soon progress is shown and an interrupt seen.
const TICK: Duration = Duration::from_millis(100);
/// From when every load is told of the start until it comes: they have to notice.
const START_IN: Duration = Duration::from_millis(20);
/// How long slots are limited before the window opens, beside one of their periods.
const LIMITED_BEFORE: Duration = Duration::from_millis(100);

/// Loads all servers at the same time.
pub(super) fn contend(
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
fn finish(mut entrant: Entrant<'_>, set: &CellSet, readings: &mut Readings) -> End {
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
        then: None,
        wake_order: Vec::new(),
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
