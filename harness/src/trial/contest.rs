//! Loading the servers of a set at the same time, and their accounts.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use ::cores::Slots;
use load::{LoadError, LoadSpec, Loaded};
use schema::{CellSet, Measured, Outcome, Stage};

use super::{
    End, Entrant, Left, Setting, Turn,
    asked::in_the_window,
    following::follow,
    window::{Readings, Used, Watch},
};
use crate::{launch::Trouble, noise::Watched, progress::Progress};

/// How long the server's end may lag behind the broken connections it causes.
const END_LAG: Duration = Duration::from_millis(200);
/// How soon progress is shown and an interrupt seen.
const TICK: Duration = Duration::from_millis(100);
/// From when every load is told of the start until it comes: they have to notice.
const START_IN: Duration = Duration::from_millis(20);

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
            ..in_the_window(setting, turn, &entrant)
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
        ended.push(finish(setting, turn, entrant, &mut readings, progress)?);
    }
    Ok(ended)
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

/// The account of one server, which is stopped once what is to follow its window has been.
fn finish(
    setting: &Setting,
    turn: Turn<'_>,
    mut entrant: Entrant<'_>,
    readings: &mut Readings,
    progress: &Progress,
) -> Result<End, Left> {
    let launch = entrant.launch;
    let (loaded, used) = match account(&mut entrant, turn.set, readings) {
        Ok(account) => account,
        Err(trouble) => return Ok(End::of(launch, trouble)),
    };
    let then = match follow(setting, turn, &mut entrant, &loaded.result, progress)? {
        Ok(then) => then,
        Err(trouble) => return Ok(End::of(launch, trouble)),
    };
    let measured = Measured {
        ready_after_ns: u64::try_from(entrant.server.ready_after.as_nanos()).unwrap_or(u64::MAX),
        load: loaded.result,
        server: used.tree,
        slots: used.slots,
        noise: used.noise,
        then,
        wake_order: entrant.wake_order,
        stop: entrant.server.stop(),
    };
    let warning = measured
        .stop
        .as_ref()
        .map(|words| format!("{} {words}", entrant.cell.id));
    Ok(End {
        launch,
        outcome: Outcome::Measured(Box::new(measured)),
        latency: Some(loaded.latencies.response()),
        warning,
    })
}

/// What the generator saw in the window, and what the server used in it.
fn account(
    entrant: &mut Entrant<'_>,
    set: &CellSet,
    readings: &mut Readings,
) -> Result<(Loaded, Used), Trouble> {
    let Some(running) = entrant.running.take() else {
        return Err(failed(entrant, &LoadError::Stopped, Stage::Load));
    };
    let counting = running.is_counting();
    let stage = if counting { Stage::Load } else { Stage::WarmUp };
    let loaded = match running.finish() {
        Err(error) => return Err(failed(entrant, &error, stage)),
        Ok(_) if entrant.server.has_ended(Duration::ZERO) => {
            return Err(entrant.server.ended_at(Stage::Load));
        }
        Ok(loaded) => loaded,
    };
    let slots = set.slots.map(|plan| (entrant.slots.clone(), plan));
    match readings.usage(entrant.server.guard_pid(), slots) {
        Ok(used) => Ok((loaded, used)),
        Err(error) => Err(entrant.server.failure(Stage::Load, format!("{error:#}"))),
    }
}

/// Broken connections are how the generator sees a server's end; that is the better reason.
fn failed(entrant: &mut Entrant<'_>, error: &LoadError, stage: Stage) -> Trouble {
    if entrant.server.has_ended(END_LAG) {
        entrant.server.ended_at(stage)
    } else {
        entrant.server.failure(stage, error.to_string())
    }
}

fn end_of_failed(mut entrant: Entrant<'_>, error: &LoadError, stage: Stage) -> End {
    let trouble = failed(&mut entrant, error, stage);
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
