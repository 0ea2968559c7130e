//! Two servers, measured in turns.
//!
//! Order of events: each is launched once, to learn what it says of itself and that it starts at all;
//! a plan is made, of one experiment with two cells; then blocks of four launches, A B B A or B A A B
//! as the seed draws it, until the throughput ratio is narrow enough or the time is spent. The plan's
//! blocks hold each server once, so two of them, one in each order, are a block of four. The first
//! trial that fails ends it: nothing that came after could make it valid.
//!
//! Everything is a run as any other: launches behind a guard, on the server CPUs, the load from its
//! own, observations written to a folder, and that folder is what is judged.

use std::{
    env,
    path::{Path, PathBuf},
};

use ::cores::{Topology, Wanted, WantedKind};
use analysis::LEAST_FOR_AN_INTERVAL;
use anyhow::Context;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schema::{
    Cell, CorePlan, Cores, Failure, Observation, Origin, Outcome, Plan, Preset, Stage, StopReason,
    Workload,
};
use tempfile::TempDir;

use super::{CompareArgs, args::MeasureArgs, end, tell};
use crate::{
    contenders::{
        Contender,
        command::{CommandServer, Known},
    },
    exit::{Exit, usage},
    interrupt::Interrupt,
    launch::{Trouble, launch},
    limits, machine,
    plan::{self, Draft, Frame, Timing, Wishes},
    progress::Progress,
    run, say,
    stopping::Stopping,
    store::Store,
    trial::{Setting, unix_ns},
};

const EXPERIMENT: &str = "compare";
/// A budget may be long and trials short; so many blocks of four decide anything.
const MOST_BLOCKS: u32 = 1_000;

/// Measures both command lines, and tells B over A.
pub fn compare(args: &CompareArgs, a: Vec<String>, b: Vec<String>) -> anyhow::Result<Exit> {
    let topology = Topology::read()?;
    let wanted = Wanted {
        cores: 1,
        kind: WantedKind::Real,
    };
    let cores = ::cores::plan(&topology, ::cores::limits::here().as_ref(), wanted, Ok(()))
        .map_err(|error| usage(error.to_string()))?;
    let unknown = Known::default_on(&cores.server_cpus);
    let servers = [
        CommandServer::new("A", a, unknown),
        CommandServer::new("B", b, unknown),
    ];
    for server in &servers {
        server
            .find()
            .map_err(|absent| usage(format!("{}: {absent}", server.name())))?;
    }
    let open_files = limits::raise_open_files(args.load.connections)?;
    // From here on Ctrl-C ends the comparison in order.
    let interrupt = Interrupt::watch()?;
    let mut contenders: Vec<CommandServer> = Vec::new();
    for server in servers {
        let name = server.label();
        let hint = if server.takes_port() {
            ""
        } else {
            "; without {port} in its command line, a server must say this project's ready line"
        };
        match learn(server, &args.load, &cores.server_cpus, &interrupt) {
            Ok(server) => contenders.push(server),
            Err(Trouble::Interrupted) => return Ok(interrupted()),
            Err(Trouble::Failed(failure)) => {
                say::trouble(in_one_line(name, &failure) + hint);
                return Ok(Exit::Invalid);
            }
        }
    }
    let plan = make_plan(&args.load, &contenders, cores)?;
    let contenders: Vec<Box<dyn Contender>> = contenders
        .into_iter()
        .map(|server| -> Box<dyn Contender> { Box::new(server) })
        .collect();
    let folder = Folder::of(args.load.out.as_ref())?;
    let mut store = Store::create(folder.path())?;
    store.write("plan.json", &plan)?;
    let machine = machine::describe(&topology, open_files, &contenders)?;
    store.write("machine.json", &machine)?;
    ::cores::bind(&plan.cores.generator_cpus)?;
    let scratch = store.guests();
    let setting = Setting {
        plan: &plan,
        slot_cpus: &[],
        cgroups: None,
        contenders: &contenders,
        ready_timeout: args.load.ready_timeout,
        timeout: args.load.timeout,
        scratch: &scratch,
        interrupt: &interrupt,
    };
    measure(&setting, &mut store)?;
    let run = reports::read_folder(store.dir())?;
    let report = tell(args, reports::compare_blocks(&run, &args.a, &args.b))?;
    if interrupt.is_set() {
        return Ok(interrupted());
    }
    let failed = run.observations.iter().find_map(failure_of);
    Ok(match failed {
        Some((cell, failure)) => {
            say::trouble(in_one_line(&cell.to_uppercase(), failure));
            Exit::Invalid
        }
        None => end(&report),
    })
}

/// Launches a server and ends it again.
fn learn(
    server: CommandServer,
    args: &MeasureArgs,
    cpus: &[u32],
    interrupt: &Interrupt,
) -> Result<CommandServer, Trouble> {
    let failed = |error: anyhow::Error| {
        Trouble::Failed(Failure {
            stage: Stage::Launch,
            reason: format!("{error:#}"),
            stderr: String::new(),
        })
    };
    let recipe = server.recipe(1, Path::new("."), &[]).map_err(failed)?;
    let mut launched = launch(&recipe, cpus, None, args.ready_timeout, interrupt)?;
    let known = launched.announced.take();
    // How it ends is looked at in every trial.
    let _ = launched.stop();
    Ok(match known {
        Some(ready) => server.known(Known::from(&ready)),
        None => server,
    })
}

/// Blocks of four until it is enough; a trial that failed is the last one's.
fn measure(setting: &Setting, store: &mut Store) -> anyhow::Result<()> {
    let experiment = &setting.plan.experiments[0];
    let mut stopping = Stopping::in_turns(setting.plan, experiment);
    let mut progress = Progress::over(setting.plan);
    progress.experiment(experiment);
    while !stopping.gives_up() {
        if let Some(reason) = stopping.reason() {
            store.append_stop(&stopping.stop(reason))?;
            break;
        }
        progress.block(&stopping);
        let whole = run::make_block(setting, experiment, &mut stopping, store, &mut progress)?;
        if !whole && !stopping.gives_up() {
            store.append_stop(&stopping.stop(StopReason::Interrupted))?;
            break;
        }
    }
    progress.finish();
    Ok(())
}

fn make_plan(
    args: &MeasureArgs,
    servers: &[CommandServer],
    cores: CorePlan,
) -> anyhow::Result<Plan> {
    let created = unix_ns();
    let seed = args.seed.unwrap_or(created);
    let cells: Vec<Cell> = servers
        .iter()
        .map(|server| cell(server, args, &cores))
        .collect();
    let targets = vec![(cells[0].id.clone(), cells[1].id.clone())];
    let blocks = most_blocks(args);
    let draft = Draft {
        name: EXPERIMENT.to_owned(),
        timing: Timing {
            warm_up: args.warm_up,
            measure: args.measure,
            budget: args.budget,
            blocks: 2 * blocks,
            half_width: args.half_width,
        },
        sets: cells.into_iter().map(|cell| vec![cell]).collect(),
        targets,
    };
    let frame = Frame {
        seed,
        preset: Preset::Quick,
        command: ["counters".to_owned()]
            .into_iter()
            .chain(env::args().skip(1))
            .collect(),
        created_unix_ns: created,
        slot_cpus: 0,
        cores,
    };
    let mut plan = plan::make(frame, &Wishes::default(), vec![draft])?;
    plan.experiments[0].blocks = orders(seed, blocks);
    Ok(plan)
}

fn cell(server: &CommandServer, args: &MeasureArgs, cores: &CorePlan) -> Cell {
    Cell {
        id: server.name().to_lowercase(),
        experiment: EXPERIMENT.to_owned(),
        server: server.name().to_owned(),
        origin: Origin::Guest,
        model: server.model(),
        workers: server.worker_count(),
        cores: Cores::Shared,
        cpus: cores.server_cpus.clone(),
        copies: 1,
        workload: Workload::Hello,
        connections: args.connections,
        path: Some(args.path.clone()),
        reuse: schema::Reuse::KeepAlive,
        rate_per_s: None,
        warm_up_ns: None,
        then_percent: None,
        wakes: 0,
    }
}

/// As many blocks of four as the time can hold, but enough for an interval.
fn most_blocks(args: &MeasureArgs) -> u32 {
    let block = 4 * (args.warm_up + args.measure).as_nanos().max(1);
    let blocks = args.budget.as_nanos().div_ceil(block);
    let least = u32::try_from(LEAST_FOR_AN_INTERVAL).unwrap_or(MOST_BLOCKS);
    u32::try_from(blocks).map_or(MOST_BLOCKS, |blocks| blocks.clamp(least, MOST_BLOCKS))
}

/// Which of both is first, as indices into the sets: A B B A, or B A A B.
fn orders(seed: u64, blocks: u32) -> Vec<Vec<usize>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..blocks)
        .flat_map(|_| {
            if random.random_bool(0.5) {
                [vec![0, 1], vec![1, 0]]
            } else {
                [vec![1, 0], vec![0, 1]]
            }
        })
        .collect()
}

/// Where the run is written: the folder that was asked for, or one that goes away again.
enum Folder {
    Kept(PathBuf),
    Passing(TempDir),
}

impl Folder {
    fn of(out: Option<&PathBuf>) -> anyhow::Result<Self> {
        Ok(match out {
            Some(dir) => Self::Kept(dir.clone()),
            None => {
                Self::Passing(tempfile::tempdir().context(
                    "cannot make a temporary folder; set TMPDIR, or name one with --out",
                )?)
            }
        })
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(dir) => dir,
            Self::Passing(dir) => dir.path(),
        }
    }
}

fn interrupted() -> Exit {
    say::trouble("interrupted; what is told is of the blocks made until then");
    Exit::Interrupted
}

fn failure_of(observation: &Observation) -> Option<(&str, &Failure)> {
    match &observation.outcome {
        Outcome::Failed(failure) => Some((&observation.cell, failure)),
        Outcome::Measured(_) | Outcome::NotMeasured { .. } => None,
    }
}

/// What failed, with the last words of the server.
fn in_one_line(name: &str, failure: &Failure) -> String {
    let mut line = format!(
        "{name} failed at {}: {}",
        failure.stage.name(),
        failure.reason
    );
    if let Some(last) = failure.stderr.lines().rfind(|line| !line.trim().is_empty()) {
        line = format!("{line}; its last words: {}", last.trim());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_of_four_is_the_same_forwards_and_backwards_and_the_seed_draws_it() {
        let of_seed = orders(7, 50);
        assert_eq!(of_seed, orders(7, 50));
        assert_ne!(of_seed, orders(8, 50));
        for four in of_seed.chunks(2).map(<[_]>::concat) {
            let mut backwards = four.clone();
            backwards.reverse();
            assert_eq!(four, backwards);
            assert_eq!(four.iter().sum::<usize>(), 2);
        }
        let firsts = of_seed
            .iter()
            .step_by(2)
            .filter(|order| order[0] == 0)
            .count();
        assert!((10..=40).contains(&firsts), "{firsts}");
    }
}
