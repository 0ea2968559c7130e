//! `counters run`: plan, make each experiment until it is narrow enough or its time is spent, append
//! every trial, report.

use std::{env, time::Duration};

use ::cores::{Cgroups, Topology, Unavailable, Wanted};
use schema::{
    Cell, CellSet, Cores, ExperimentPlan, Mark, Observation, Origin, Outcome, Plan, StopReason,
};

use crate::{
    binaries::Binaries,
    calibrate::keep,
    cli::RunArgs,
    contenders::{self, Contender},
    exit::{Exit, usage},
    experiments::{self, Choice, Experiment},
    interrupt::Interrupt,
    limits, machine,
    plan::{self, Frame, Wishes},
    primitives,
    progress::Progress,
    report, say,
    stopping::Stopping,
    store::{self, Store},
    trial::{self, Setting, Trial, Turn, unix_ns},
};

/// Measures and reports. The last line on stdout is the report's path.
pub fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    let experiments = if args.only.is_empty() {
        Experiment::of(args.preset.into())
    } else {
        Experiment::named(&args.only)?
    };
    let binaries = Binaries::provide(args.bin_dir.as_deref())?;
    let contenders = contenders::all(&binaries);
    let topology = Topology::read()?;
    let cgroups = Cgroups::here();
    let plan = make_plan(args, experiments, &topology, cgroups.as_ref(), &contenders)?;
    require_own(&plan, &contenders)?;
    let open_files = limits::raise_open_files(most_connections(&plan))?;
    let machine = machine::describe(&topology, open_files, &contenders)?;
    let named = args.primitives.as_deref();
    let primitives = match named.map(|file| primitives::named(file, &machine)) {
        Some(found) => Ok(Some(found?)),
        None => primitives::beside(&binaries, &machine),
    };
    let mut store = Store::create(
        &args
            .out
            .clone()
            .unwrap_or_else(|| store::default_dir(&plan)),
    )?;
    store.write("plan.json", &plan)?;
    store.write("machine.json", &machine)?;
    match keep::kept(&machine) {
        Ok(Some(calibration)) => store.write(keep::FILE, &calibration)?,
        Ok(None) => {}
        Err(reason) => say::trouble(reason),
    }
    match primitives {
        Ok(Some(found)) => found.put(store.dir())?,
        Ok(None) => {}
        Err(reason) => say::trouble(reason),
    }
    if machine.build.profile != "release" {
        say::trouble("this is a debug build, its figures say little; use --release");
    }
    if let Ok(cgroups) = &cgroups {
        match ::cores::clean(cgroups) {
            Ok(left_over) => left_over.iter().for_each(say::line),
            Err(error) => say::trouble(error),
        }
    }
    // From here on Ctrl-C ends the run in order.
    let interrupt = Interrupt::watch()?;
    ::cores::bind(&plan.cores.generator_cpus)?;
    let scratch = store.guests();
    let slot_cpus = topology.first_cpus(&plan.cores.server_cpus);
    let setting = Setting {
        plan: &plan,
        slot_cpus: &slot_cpus,
        cgroups: cgroups.as_ref().ok(),
        contenders: &contenders,
        ready_timeout: args.ready_timeout,
        timeout: args.timeout,
        scratch: &scratch,
        interrupt: &interrupt,
    };
    measure(&setting, &mut store)?;
    let valid = report::write(store.dir())?;
    Ok(if interrupt.is_set() {
        say::trouble("interrupted; the report covers the trials made until then");
        Exit::Interrupted
    } else if valid {
        Exit::Fine
    } else {
        say::trouble("the run is invalid; the report says why under 'What to know'");
        Exit::Invalid
    })
}

fn make_plan(
    args: &RunArgs,
    experiments: Vec<Experiment>,
    topology: &Topology,
    cgroups: Result<&Cgroups, &Unavailable>,
    contenders: &[Box<dyn Contender>],
) -> anyhow::Result<Plan> {
    let choice = Choice {
        experiments,
        servers: args.servers.clone(),
        workers: args.workers.clone(),
        connections: args.connections,
    };
    let most = args.workers.iter().copied().max();
    let cores = ::cores::plan(
        topology,
        ::cores::limits::here().as_ref(),
        Wanted {
            cores: most.unwrap_or(args.cores),
            kind: args.core_kind.into(),
        },
        cgroups.map(|_| ()),
    )
    .map_err(|error| usage(error.to_string()))?;
    let preset = args.preset.into();
    let wishes = Wishes {
        warm_up: args.warm_up,
        measure: args.measure,
        blocks: args.blocks,
        budget: args.budget,
        half_width: args.half_width,
    };
    let drafts = experiments::drafts(&choice, preset, &cores, contenders)?;
    let created = unix_ns();
    let frame = Frame {
        seed: args.seed.unwrap_or(created),
        preset,
        command: ["counters".to_owned()]
            .into_iter()
            .chain(env::args().skip(1))
            .collect(),
        created_unix_ns: created,
        slot_cpus: topology.first_cpus(&cores.server_cpus).len(),
        cores,
    };
    plan::make(frame, &wishes, drafts)
}

/// At the same time, in any set.
fn most_connections(plan: &Plan) -> u32 {
    let of_set = |set: &CellSet| {
        set.cells
            .iter()
            .map(|&cell| plan.cells[cell].connections * plan.cells[cell].copies)
            .sum()
    };
    let sets = plan
        .experiments
        .iter()
        .flat_map(|experiment| &experiment.sets);
    sets.map(of_set).max().unwrap_or(0)
}

/// A guest that is absent is reported as such; a server of our own must be there.
fn require_own(plan: &Plan, contenders: &[Box<dyn Contender>]) -> anyhow::Result<()> {
    for contender in contenders
        .iter()
        .filter(|contender| contender.origin() == Origin::Own)
    {
        let planned = plan
            .cells
            .iter()
            .any(|cell| cell.server == contender.name());
        if planned && let Err(absent) = contender.find() {
            return Err(usage(absent.to_string()));
        }
    }
    Ok(())
}

/// Makes every experiment of the plan, or as much as the user lets it.
pub fn measure(setting: &Setting, store: &mut Store) -> anyhow::Result<()> {
    let mut progress = Progress::over(setting.plan);
    for experiment in &setting.plan.experiments {
        let mut stopping = Stopping::of(setting.plan, experiment);
        progress.experiment(experiment);
        let reason = loop {
            if let Some(reason) = stopping.reason() {
                break reason;
            }
            progress.block(&stopping);
            if !make_block(setting, experiment, &mut stopping, store, &mut progress)? {
                break StopReason::Interrupted;
            }
        };
        let stop = stopping.stop(reason);
        store.append_stop(&stop)?;
        progress.experiment_done(&stop);
        if reason == StopReason::Interrupted {
            break;
        }
    }
    progress.finish();
    Ok(())
}

/// Every set once; false where the user wants to leave, or a failed trial has made the rest needless.
pub fn make_block(
    setting: &Setting,
    experiment: &ExperimentPlan,
    stopping: &mut Stopping<'_>,
    store: &mut Store,
    progress: &mut Progress,
) -> anyhow::Result<bool> {
    let block = stopping.blocks();
    for &number in &experiment.blocks[block as usize] {
        let set = &experiment.sets[number];
        if !stopping.wants(set) {
            continue;
        }
        for attempt in 0..2 {
            progress.trial(&setting.plan.cells, set);
            let turn = Turn {
                experiment,
                set,
                block,
                attempt,
            };
            stopping.tries();
            let Some(trials) = trial::make(setting, turn, progress) else {
                return Ok(false);
            };
            let marked = record(setting, &trials, stopping, store, progress)?;
            if setting.interrupt.is_set() || stopping.gives_up() {
                return Ok(false);
            }
            if marked.is_empty() || !stopping.may_repeat() {
                break;
            }
            if attempt == 0 {
                progress.say(&again(&setting.plan.cells[trials[0].cell], set, &marked));
                stopping.repeats();
            }
        }
    }
    stopping.block_done();
    Ok(true)
}

/// Writes trials down; what disturbed them is returned.
fn record(
    setting: &Setting,
    trials: &[Trial],
    stopping: &mut Stopping<'_>,
    store: &mut Store,
    progress: &Progress,
) -> anyhow::Result<Vec<Mark>> {
    for trial in trials {
        tell(progress, &trial.observation, trial.warning.as_deref());
        store.append(&trial.observation)?;
        let observation = &trial.observation;
        stopping.observed(trial.cell, observation);
        let cell = &setting.plan.cells[trial.cell];
        // Under a quota, latency says how long a period is.
        if let Some(latency) = &trial.latency
            && cell.cores != Cores::Emulated
            && let Outcome::Measured(measured) = &observation.outcome
        {
            let elapsed = Duration::from_nanos(measured.load.elapsed_ns);
            store.write_latency(observation, elapsed, latency)?;
        }
    }
    let noise = trials.iter().find_map(Trial::noise);
    Ok(noise.map(|noise| noise.marks.clone()).unwrap_or_default())
}

fn again(first: &Cell, set: &CellSet, marks: &[Mark]) -> String {
    let others = match set.cells.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let because: Vec<String> = marks
        .iter()
        .map(|mark| {
            format!(
                "{} for {:.0} % of the time, and {:.0} % is the limit",
                mark.kind.name(),
                mark.figure * 100.0,
                mark.limit * 100.0
            )
        })
        .collect();
    format!(
        "{}{others} measured again: {}",
        first.id,
        because.join("; ")
    )
}

/// Says at once what went wrong; a guest that is absent is told in the first block alone.
fn tell(progress: &Progress, observation: &Observation, warning: Option<&str>) {
    let cell = &observation.cell;
    match &observation.outcome {
        Outcome::Failed(failure) => {
            progress.say(&format!(
                "{cell} failed at {}: {}",
                failure.stage.name(),
                failure.reason
            ));
            for line in failure.stderr.lines() {
                progress.say(&format!("    {line}"));
            }
        }
        Outcome::NotMeasured { reason, cure } if observation.block == 0 => {
            progress.say(&format!("{cell} not measured: {reason}, {cure}"));
        }
        Outcome::NotMeasured { .. } | Outcome::Measured(_) => {}
    }
    if let Some(warning) = warning {
        progress.say(&format!("warning: {warning}"));
    }
}
