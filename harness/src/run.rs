//! `counters run`: plan, make the trials, append each, report.

use std::env;

use schema::{Observation, Origin, Outcome, Plan};

use crate::{
    binaries::Binaries,
    cli::RunArgs,
    contenders::{self, Contender},
    cores::{self, Topology},
    exit::{Exit, usage},
    experiments::{self, Choice, Experiment},
    interrupt::Interrupt,
    limits, machine,
    plan::{self, Blocks, Timing},
    progress::Progress,
    report, say,
    store::{self, Store},
    trial::{self, Setting, unix_ns},
};

/// Measures and reports. The last line on stdout is the report's path.
pub fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    let experiments = Experiment::named(&args.only)?;
    let open_files = limits::raise_open_files(args.connections)?;
    let contenders = contenders::all(&Binaries::provide(args.bin_dir.as_deref())?);
    let topology = Topology::read()?;
    let plan = make_plan(args, experiments, &topology, &contenders)?;
    require_own(&plan, &contenders)?;
    let machine = machine::describe(&topology, open_files, &contenders)?;
    let mut store = Store::create(
        &args
            .out
            .clone()
            .unwrap_or_else(|| store::default_dir(&plan)),
    )?;
    store.write("plan.json", &plan)?;
    store.write("machine.json", &machine)?;
    if machine.build.profile != "release" {
        say::trouble("this is a debug build, its figures say little; use --release");
    }
    // From here on Ctrl-C ends the run in order.
    let interrupt = Interrupt::watch()?;
    cores::bind(&plan.cores.generator_cpus)?;
    measure(args, &plan, &contenders, &mut store, &interrupt)?;
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
    contenders: &[Box<dyn Contender>],
) -> anyhow::Result<Plan> {
    let choice = Choice {
        experiments,
        servers: args.servers.clone(),
        workers: args.workers.clone(),
        connections: args.connections,
    };
    let preset = args.preset.into();
    let mut timing = Timing::of(preset);
    timing.warm_up = args.warm_up.unwrap_or(timing.warm_up);
    timing.measure = args.measure.unwrap_or(timing.measure);
    timing.blocks = args.blocks.map_or(timing.blocks, Blocks::Exactly);
    let core_plan = topology.plan();
    let cells = experiments::cells(&choice, preset, &core_plan, contenders)?;
    let created = unix_ns();
    let command = ["counters".to_owned()]
        .into_iter()
        .chain(env::args().skip(1))
        .collect();
    let seed = args.seed.unwrap_or(created);
    Ok(plan::make(
        seed, preset, timing, command, created, core_plan, cells,
    ))
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

/// Makes every trial of the plan, or as many as the user lets it.
fn measure(
    args: &RunArgs,
    plan: &Plan,
    contenders: &[Box<dyn Contender>],
    store: &mut Store,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let scratch = store.guests();
    let setting = Setting {
        plan,
        ready_timeout: args.ready_timeout,
        timeout: args.timeout,
        scratch: &scratch,
        interrupt,
    };
    let mut progress = Progress::over(plan);
    for (block, order) in plan.blocks.iter().enumerate() {
        progress.block(block);
        for cell in order.iter().map(|&index| &plan.cells[index]) {
            let Some(contender) = contenders.iter().find(|one| one.name() == cell.server) else {
                continue;
            };
            progress.trial(block, cell);
            let number = u32::try_from(block).unwrap_or(u32::MAX);
            let made = trial::make(&setting, cell, number, contender.as_ref(), &progress);
            let Some(trial) = made else {
                progress.finish();
                return Ok(());
            };
            tell(&progress, &trial.observation, trial.warning.as_deref());
            store.append(&trial.observation)?;
            if let Some(latency) = &trial.latency {
                let elapsed = std::time::Duration::from_nanos(plan.measure_ns);
                store.write_latency(&trial.observation, elapsed, latency)?;
            }
            progress.trial_done();
            if interrupt.is_set() {
                progress.finish();
                return Ok(());
            }
        }
    }
    progress.finish();
    Ok(())
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
