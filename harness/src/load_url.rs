//! `counters load URL`: the load generator by itself.
//!
//! `URL -> target -> CPUs -> load, watched -> result -> checks -> report`. Results go to stdout, the
//! live line to a terminal on stderr.

mod args;
mod cpus;
mod files;
mod listener;
mod live;
mod target;
mod text;

use std::time::Duration;

use load::{Expectation, LoadError, LoadSpec, Loaded, Running};
use schema::{Arrivals, LoadReport, OpenLoop, Pace, Reuse, SCHEMA_VERSION};

pub use self::args::LoadArgs;
use self::{files::Files, live::Live, target::Target};
use crate::{
    exit::{Exit, usage},
    interrupt::Interrupt,
    limits, say,
    trial::unix_ns,
};

/// How often a signal is looked for.
const TICK: Duration = Duration::from_millis(50);

/// Drives the load and reports.
pub fn load_url(args: &LoadArgs) -> anyhow::Result<Exit> {
    let target = Target::resolve(&args.url, args.allow_remote)?;
    limits::raise_open_files(args.connections)?;
    let server_cpus = listener::cpus_of(target.address);
    let cpus = cpus::choose(args, server_cpus.as_deref())?;
    let started_unix_ns = unix_ns();
    let spec = specify(args, &target, cpus, started_unix_ns);
    let mut files = Files::create(args, started_unix_ns)?;
    let interrupt = Interrupt::watch()?;
    let loaded = match drive(spec.clone(), &interrupt, &mut files) {
        Err(error) if matches!(error.downcast_ref(), Some(LoadError::Stopped)) => {
            say::trouble("interrupted before anything was measured");
            return Ok(Exit::Interrupted);
        }
        loaded => loaded?,
    };
    files.finish(&loaded)?;
    let report = report(args, &spec, loaded, server_cpus.as_deref(), started_unix_ns);
    if args.json {
        say::result(serde_json::to_string_pretty(&report)?)?;
    } else {
        say::result(text::of(&report))?;
    }
    Ok(if report.interrupted {
        Exit::Interrupted
    } else if report.valid {
        Exit::Fine
    } else {
        Exit::Invalid
    })
}

fn specify(args: &LoadArgs, target: &Target, cpus: Vec<u32>, now_ns: u64) -> LoadSpec {
    let pace = match &args.rate {
        None => Pace::ClosedLoop {
            think_ns: nanos(args.think.unwrap_or_default()),
        },
        Some(rate) => Pace::OpenLoop(OpenLoop {
            from_per_s: rate.from_per_s,
            to_per_s: rate.to_per_s,
            arrivals: args.arrivals.map_or(Arrivals::Poisson, Arrivals::from),
            seed: args.seed.unwrap_or(now_ns),
        }),
    };
    LoadSpec {
        host: target.host.clone(),
        target: target.path.clone(),
        headers: args.headers.clone(),
        connections: args.connections,
        cpus,
        pace,
        reuse: if args.new_connections {
            Reuse::NewConnection
        } else {
            Reuse::KeepAlive
        },
        warm_up: args.warm_up.unwrap_or_default(),
        measure: args.duration,
        timeout: args.timeout,
        interval: Some(args.interval),
        expect: Expectation::AsTheFirst,
        transport: args.transport.map(Into::into),
        ..LoadSpec::to(target.address, 0)
    }
}

/// Lets the load run to its end, or to a signal.
fn drive(spec: LoadSpec, interrupt: &Interrupt, files: &mut Files) -> anyhow::Result<Loaded> {
    let mut live = Live::over(&spec);
    let mut running = load::start(spec)?;
    while !running.wait(TICK) {
        if interrupt.is_set() {
            running.stop();
        }
        take_intervals(&mut running, &mut live, files)?;
        live.tick(running.completed());
    }
    take_intervals(&mut running, &mut live, files)?;
    live.finish();
    Ok(running.finish()?)
}

fn take_intervals(running: &mut Running, live: &mut Live, files: &mut Files) -> anyhow::Result<()> {
    for interval in running.intervals() {
        live.interval(&interval);
        files.interval(&interval)?;
    }
    Ok(())
}

fn report(
    args: &LoadArgs,
    spec: &LoadSpec,
    loaded: Loaded,
    server_cpus: Option<&[u32]>,
    started_unix_ns: u64,
) -> LoadReport {
    let checks = load::checks(spec, &loaded.result, server_cpus);
    LoadReport {
        schema_version: SCHEMA_VERSION,
        command: ["counters".to_owned()]
            .into_iter()
            .chain(std::env::args().skip(1))
            .collect(),
        url: args.url.clone(),
        started_unix_ns,
        valid: !loaded.interrupted && checks.iter().all(|check| check.passed),
        interrupted: loaded.interrupted,
        pace: spec.pace,
        reuse: spec.reuse,
        connections: spec.connections,
        cpus: spec.cpus[..spec.threads()].to_vec(),
        warm_up_ns: nanos(spec.warm_up),
        measure_ns: nanos(spec.measure),
        timeout_ns: nanos(spec.timeout),
        result: loaded.result,
        checks,
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// An argument that says nothing sensible, with what to say instead.
fn wrong(argument: &str, value: &str, instead: &str) -> anyhow::Error {
    usage(format!("{argument} '{value}': {instead}"))
}
