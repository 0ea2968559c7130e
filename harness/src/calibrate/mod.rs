//! `counters calibrate`: what the instrument's own error is on this machine.
//!
//! Two runs, planned, made, recorded and read as any other:
//! - `same`: eight servers that are one and the same, as four pairs. A comparison that finds a
//!   difference is mistaken; about 5 % must be, at 95 % confidence.
//! - `power`: the same server beside some that were made slower by a known part. How often is that
//!   found in a run of a given length?
//!
//! The judgement ([`judgement`]) is the one that runs get: blocks, paired ratios, 95 % intervals. The
//! outcome is kept beside the user's other state ([`keep`]), whence later runs on the same machine take
//! it into their reports.

mod judgement;
pub mod keep;

use std::{env, path::Path};

use ::cores::{Cgroups, Topology, Wanted};
use schema::{Calibration, Cell, CorePlan, Cores, Origin, Preset, SCHEMA_VERSION, Workload};

use self::judgement::{Served, power, same};
use crate::{
    binaries::Binaries,
    cli::CalibrateArgs,
    contenders::{Contender, own},
    exit::{Exit, usage},
    interrupt::Interrupt,
    limits, machine,
    plan::{self, Draft, Frame, Timing, Wishes},
    run, say,
    store::{self, Store},
    trial::{Setting, unix_ns},
};

/// Pairs of equal servers that are measured at the same time.
const PAIRS: u32 = 4;
/// What is asked for: most of its time is the server's own, so that a part of it can be added.
const WORKLOAD: Workload = Workload::Cpu { us: 200 };
const CONNECTIONS: u32 = 20;
const PLAIN: &str = "plain";

/// Measures the instrument and keeps what it finds.
pub fn calibrate(args: &CalibrateArgs) -> anyhow::Result<Exit> {
    let binaries = Binaries::provide(args.bin_dir.as_deref())?;
    let topology = Topology::read()?;
    let cgroups = Cgroups::here();
    let open_files = limits::raise_open_files(CONNECTIONS * 2 * PAIRS)?;
    let wanted = Wanted {
        kind: args.core_kind.into(),
        ..Wanted::default()
    };
    let slots = cgroups.as_ref().map(|_| ());
    let cores = ::cores::plan(&topology, ::cores::limits::here().as_ref(), wanted, slots)
        .map_err(|error| usage(error.to_string()))?;
    let created = unix_ns();
    let bench = Bench {
        args,
        seed: args.seed.unwrap_or(created),
        created,
        machine: machine::describe(&topology, open_files, &crate::contenders::all(&binaries))?,
        cgroups: cgroups.as_ref().ok(),
        interrupt: Interrupt::watch()?,
        slot_cpus: topology.first_cpus(&cores.server_cpus),
        cores,
        binaries: &binaries,
    };
    ::cores::bind(&bench.cores.generator_cpus)?;
    let dir = args
        .out
        .clone()
        .unwrap_or_else(|| store::dated_dir(created, "calibration"));

    let names: Vec<String> = (1..=2 * PAIRS).map(|n| format!("same-{n}")).collect();
    let equals: Vec<_> = names.iter().map(|name| (name.clone(), 0)).collect();
    let Some(served) = bench.measure(&dir.join("same"), &equals, bench.same())? else {
        return Ok(ended_early());
    };
    let pairs: Vec<_> = names
        .chunks_exact(2)
        .map(|pair| (&*pair[0], &*pair[1]))
        .collect();
    let same = same(&served, &pairs, args.blocks as usize, bench.seed)?;

    let request_ns = served.cpu_ns_per_request()?;
    let slowed: Vec<(f64, String)> = args
        .slowdowns
        .iter()
        .map(|&part| (part, format!("slower-by-{}%", part * 100.0)))
        .collect();
    let mut servers = vec![(PLAIN.to_owned(), 0)];
    servers.extend(slowed.iter().map(|(part, name)| {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of microseconds, in nanoseconds"
        )]
        let spin_ns = (part * request_ns).round() as u64;
        (name.clone(), spin_ns)
    }));
    let Some(served) = bench.measure(&dir.join("power"), &servers, bench.power())? else {
        return Ok(ended_early());
    };
    let calibration = Calibration {
        schema_version: SCHEMA_VERSION,
        made_unix_ns: unix_ns(),
        seed: bench.seed,
        machine: bench.machine,
        setting: format!(
            "`single` at GET {}, {CONNECTIONS} connections, on {} cores",
            WORKLOAD.target(),
            bench.cores.kind.name()
        ),
        same,
        power: slowed
            .iter()
            .map(|(part, name)| {
                power(
                    &served,
                    (PLAIN, name),
                    *part,
                    args.runs as usize,
                    bench.seed,
                )
            })
            .collect::<anyhow::Result<_>>()?,
    };
    store::write_whole(&dir.join(keep::FILE), &calibration)?;
    let kept = keep::keep(&calibration)?;
    say::result(judgement::InWords(&calibration))?;
    say::result(kept.display())?;
    Ok(Exit::Fine)
}

/// What both runs have in common.
struct Bench<'a> {
    args: &'a CalibrateArgs,
    seed: u64,
    created: u64,
    machine: schema::Machine,
    cores: CorePlan,
    slot_cpus: Vec<u32>,
    cgroups: Option<&'a Cgroups>,
    interrupt: Interrupt,
    binaries: &'a Binaries,
}

impl Bench<'_> {
    /// As many blocks as give so many comparisons, [`PAIRS`] at a time.
    fn same(&self) -> Timing {
        let rounds = self.args.comparisons.div_ceil(PAIRS);
        let blocks = rounds * self.args.blocks;
        Timing {
            budget: std::time::Duration::MAX,
            ..Timing::new(200, 600, 0, blocks, f64::MIN_POSITIVE)
        }
    }

    /// As long as all runs take together; which block belongs to which run is told by the clock.
    fn power(&self) -> Timing {
        let timing = Timing::new(200, 1_000, 0, 1, f64::MIN_POSITIVE);
        let trial = timing.warm_up + timing.measure;
        let all = self.args.run_time * self.args.runs;
        let blocks = u32::try_from(all.as_nanos() / trial.as_nanos()).unwrap_or(u32::MAX);
        Timing {
            budget: std::time::Duration::MAX,
            blocks: blocks.max(self.args.runs),
            ..timing
        }
    }

    /// One run of these servers, each with its spin; nothing where the user wants to leave.
    fn measure(
        &self,
        dir: &Path,
        servers: &[(String, u64)],
        timing: Timing,
    ) -> anyhow::Result<Option<Served>> {
        let contenders: Vec<Box<dyn Contender>> = servers
            .iter()
            .map(|(name, spin_ns)| -> Box<dyn Contender> {
                Box::new(own::single_with_spin(self.binaries, name, *spin_ns))
            })
            .collect();
        let cells: Vec<Cell> = contenders
            .iter()
            .map(|contender| Cell {
                id: contender.name().to_owned(),
                experiment: "calibration".to_owned(),
                server: contender.name().to_owned(),
                origin: Origin::Own,
                model: contender.model(),
                workers: 1,
                cores: self.cores.kind,
                cpus: self.cores.server_cpus.clone(),
                copies: 1,
                workload: WORKLOAD,
                connections: CONNECTIONS,
                path: None,
                reuse: schema::Reuse::KeepAlive,
                rate_per_s: None,
                warm_up_ns: None,
                then_percent: None,
                wakes: 0,
            })
            .collect();
        let frame = Frame {
            seed: self.seed,
            preset: Preset::Full,
            command: env::args().collect(),
            created_unix_ns: self.created,
            cores: self.cores.clone(),
            slot_cpus: self.slot_cpus.len(),
        };
        let sets = match self.cores.kind {
            Cores::Emulated => vec![cells],
            Cores::Real | Cores::Shared => cells.into_iter().map(|cell| vec![cell]).collect(),
        };
        let draft = Draft {
            name: "calibration".to_owned(),
            timing,
            sets,
            targets: Vec::new(),
        };
        let plan = plan::make(frame, &Wishes::default(), vec![draft])?;
        let mut store = Store::create(dir)?;
        store.write("plan.json", &plan)?;
        store.write("machine.json", &self.machine)?;
        let scratch = store.guests();
        let setting = Setting {
            plan: &plan,
            slot_cpus: &self.slot_cpus,
            cgroups: self.cgroups,
            contenders: &contenders,
            ready_timeout: self.args.ready_timeout,
            timeout: self.args.timeout,
            scratch: &scratch,
            interrupt: &self.interrupt,
        };
        run::measure(&setting, &mut store)?;
        (!self.interrupt.is_set())
            .then(|| Served::read(store.dir()))
            .transpose()
    }
}

fn ended_early() -> Exit {
    say::trouble("interrupted; nothing is kept of a calibration that is not whole");
    Exit::Interrupted
}
