//! One trial: launch, warm up, load, observe, stop.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hdrhistogram::Histogram;
use load::{LoadError, LoadSpec, Window};
use schema::{
    Cell, Failure, Measured, Observation, Outcome, Plan, SCHEMA_VERSION, Stage, TreeUsage,
};

use crate::{
    contenders::Contender,
    interrupt::Interrupt,
    launch::{Server, Trouble, launch},
    progress::Progress,
    resources::{Counters, Tree, pss_below},
};

/// How long the server's end may lag behind the broken connections it causes.
const END_LAG: Duration = Duration::from_millis(200);
const TICK: Duration = Duration::from_millis(100);

/// What all trials of a run have in common.
pub struct Setting<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// How long a server may take until it is ready.
    pub ready_timeout: Duration,
    /// How long one request may take.
    pub timeout: Duration,
    /// Where guests' files go.
    pub scratch: &'a Path,
    /// Set once the user wants to leave.
    pub interrupt: &'a Interrupt,
}

/// What came of a trial.
pub struct Trial {
    /// To be written down.
    pub observation: Observation,
    /// Every latency, where it was measured.
    pub latency: Option<Histogram<u64>>,
    /// What did not go as it should but took nothing from the measurement.
    pub warning: Option<String>,
}

/// Makes one trial; nothing where the user wants to leave.
pub fn make(
    setting: &Setting,
    cell: &Cell,
    block: u32,
    contender: &dyn Contender,
    progress: &Progress,
) -> Option<Trial> {
    let started = unix_ns();
    let trial = |outcome, latency, warning| {
        let observation = Observation {
            schema_version: SCHEMA_VERSION,
            cell: cell.id.clone(),
            block,
            started_unix_ns: started,
            outcome,
        };
        Some(Trial {
            observation,
            latency,
            warning,
        })
    };
    if let Err(absent) = contender.find() {
        let outcome = Outcome::NotMeasured {
            reason: absent.reason,
            cure: absent.cure,
        };
        return trial(outcome, None, None);
    }
    match measure(setting, cell, contender, progress) {
        Ok((measured, latency, warning)) => trial(
            Outcome::Measured(Box::new(measured)),
            Some(latency),
            warning,
        ),
        Err(Trouble::Failed(failure)) => trial(Outcome::Failed(failure), None, None),
        Err(Trouble::Interrupted) => None,
    }
}

/// The time since the Unix epoch, ns.
pub fn unix_ns() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn measure(
    setting: &Setting,
    cell: &Cell,
    contender: &dyn Contender,
    progress: &Progress,
) -> Result<(Measured, Histogram<u64>, Option<String>), Trouble> {
    let cores = &setting.plan.cores;
    let recipe = contender
        .recipe(cell.workers, setting.scratch)
        .map_err(|error| {
            let reason = format!("{error:#}");
            Trouble::Failed(Failure {
                stage: Stage::Launch,
                reason,
                stderr: String::new(),
            })
        })?;
    let mut server = launch(
        &recipe,
        &cores.server_cpus,
        setting.ready_timeout,
        setting.interrupt,
    )?;
    let usage = Arc::new(Mutex::new(Usage::default()));
    let spec = LoadSpec {
        target: cell.workload.target(),
        connections: cell.connections,
        cpus: cores.generator_cpus.clone(),
        warm_up: Duration::from_nanos(setting.plan.warm_up_ns),
        measure: Duration::from_nanos(setting.plan.measure_ns),
        timeout: setting.timeout,
        on_window: Usage::reader(&usage, server.guard_pid()),
        ..LoadSpec::to(server.address, 0)
    };
    let loaded = drive(spec, &mut server, setting.interrupt, progress)?;
    let used = usage
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .total(server.guard_pid());
    let used = used.map_err(|error| server.failure(Stage::Load, format!("{error:#}")))?;
    let measured = Measured {
        ready_after_ns: u64::try_from(server.ready_after.as_nanos()).unwrap_or(u64::MAX),
        load: loaded.result,
        server: used,
        stop: server.stop(),
    };
    let warning = measured
        .stop
        .as_ref()
        .map(|words| format!("{} {words}", cell.id));
    Ok((measured, loaded.latencies.response(), warning))
}

/// Drives the load while the server lives and the user stays.
fn drive(
    spec: LoadSpec,
    server: &mut Server,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<load::Loaded, Trouble> {
    let mut running = load::start(spec).map_err(|error| at_warm_up(server, &error))?;
    while !running.wait(TICK) {
        progress.tick();
        if interrupt.is_set() {
            return Err(Trouble::Interrupted);
        }
        if server.has_ended(Duration::ZERO) {
            let stage = if running.is_counting() {
                Stage::Load
            } else {
                Stage::WarmUp
            };
            return Err(server.ended_at(stage));
        }
    }
    let counting = running.is_counting();
    match running.finish() {
        Ok(loaded) if server.has_ended(Duration::ZERO) => {
            drop(loaded);
            Err(server.ended_at(Stage::Load))
        }
        Ok(loaded) => Ok(loaded),
        Err(error) if counting => Err(server.failure(Stage::Load, error.to_string())),
        Err(error) => Err(at_warm_up(server, &error)),
    }
}

/// Broken connections are how the generator sees a server's end; that is the better reason.
fn at_warm_up(server: &mut Server, error: &LoadError) -> Trouble {
    if server.has_ended(END_LAG) {
        server.ended_at(Stage::WarmUp)
    } else {
        server.failure(Stage::WarmUp, error.to_string())
    }
}

/// The server's counters at both edges of the window.
#[derive(Default)]
struct Usage {
    tree: Option<anyhow::Result<Tree>>,
    opened: Option<anyhow::Result<Counters>>,
    closed: Option<anyhow::Result<Counters>>,
}

impl Usage {
    /// What the load generator calls at the edges. As the window opens the server is at work, so its
    /// processes are found before; once it has closed nothing is asked of them any more, and there is
    /// time to look for new ones.
    fn reader(usage: &Arc<Mutex<Self>>, guard: i32) -> Arc<dyn Fn(Window) + Send + Sync> {
        let usage = Arc::clone(usage);
        Arc::new(move |window| {
            let mut usage = usage.lock().unwrap_or_else(PoisonError::into_inner);
            match window {
                Window::Approaches => usage.tree = Some(Tree::below(guard)),
                Window::Opened => {
                    let tree = usage.tree.take();
                    usage.opened = tree.map(|tree| tree.and_then(|tree| tree.read()));
                }
                Window::Closed => usage.closed = Some(Counters::below(guard)),
            }
        })
    }

    /// The difference, and the memory held now.
    fn total(&mut self, guard: i32) -> anyhow::Result<TreeUsage> {
        match (self.opened.take(), self.closed.take()) {
            (Some(opened), Some(closed)) => Ok(closed?.since(&opened?, pss_below(guard)?)),
            _ => {
                anyhow::bail!("the server's CPU time was not read; this is an error in the harness")
            }
        }
    }
}
