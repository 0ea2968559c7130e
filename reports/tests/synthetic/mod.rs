//! Runs that were never measured, made of the types that a real run is written in.

#![allow(dead_code, reason = "each test file uses its own part")]

pub mod designs;
pub mod emulated;
pub mod pages;

use std::{collections::BTreeMap, fs, path::Path};

use reports::Run;
use schema::{
    Accept, Build, Cell, CellSet, CorePlan, Cores, CpuTime, ExperimentPlan, Failure,
    LatencyQuantiles, LoadResult, Machine, Measured, Model, Noise, Observation, Origin, Outcome,
    Plan, Preset, Program, Reuse, SCHEMA_VERSION, Stage, StopRule, Style, TreeUsage, Worker,
    Workload,
};
use serde::Serialize;

/// Length of every window.
pub const ELAPSED_NS: u64 = 1_000_000_000;

/// When every plan was made.
const PLANNED_UNIX_NS: u64 = 1_767_225_600_000_000_000;

/// A cell as the harness names it: one of its servers, workers, hello.
pub fn cell(server: &str, workers: u32) -> Cell {
    let (worker, accept, origin) = match server {
        "threads" => (Worker::Thread, Accept::Stealing, Origin::Own),
        "node-single" => (Worker::Process, Accept::Shared, Origin::Guest),
        "node-cluster" => (Worker::Process, Accept::Handoff, Origin::Guest),
        _ => (Worker::Process, Accept::Shared, Origin::Own),
    };
    Cell {
        id: format!("{server}-w{workers}-hello"),
        experiment: "throughput".to_owned(),
        server: server.to_owned(),
        origin,
        model: Model {
            worker,
            style: Style::Evented,
            accept,
        },
        workers,
        cores: Cores::Shared,
        cpus: vec![0],
        copies: 1,
        workload: Workload::Hello,
        connections: 64,
        path: None,
        reuse: Reuse::KeepAlive,
        rate_per_s: None,
        warm_up_ns: None,
        then_percent: None,
        wakes: 0,
    }
}

/// Requests per second and CPU nanoseconds per request that a server is made to show.
fn speed(cell: &Cell) -> (f64, f64) {
    match cell.server.as_str() {
        "node-single" => (61_000.0, 11_900.0),
        "node-cluster" => (57_000.0, 13_100.0),
        "threads" => (139_500.0, 5_050.0),
        _ => (141_200.0, 4_300.0),
    }
}

/// A plan of these experiments on two CPUs: one serves, one loads.
pub fn plan_of(cells: Vec<Cell>, experiments: Vec<ExperimentPlan>) -> Plan {
    Plan {
        schema_version: SCHEMA_VERSION,
        seed: 42,
        preset: Preset::Quick,
        command: ["counters", "run", "--preset", "quick"]
            .map(str::to_owned)
            .into(),
        created_unix_ns: PLANNED_UNIX_NS,
        cores: CorePlan {
            server_cpus: vec![0],
            generator_cpus: vec![1],
            overlapping: false,
            kind: Cores::Emulated,
            cores: 10,
            reason: "one CPU is left for servers".to_owned(),
        },
        cells,
        experiments,
    }
}

/// An experiment that visits its sets in turn, so many times.
pub fn experiment(name: &str, sets: Vec<CellSet>, blocks: u32) -> ExperimentPlan {
    let order: Vec<usize> = (0..sets.len()).collect();
    ExperimentPlan {
        name: name.to_owned(),
        warm_up_ns: 300_000_000,
        sets,
        blocks: vec![order; blocks as usize],
        stop: StopRule {
            least_blocks: 5,
            half_width: 0.02,
            targets: Vec::new(),
            budget_ns: 60_000_000_000,
        },
    }
}

/// A cell that is measured by itself.
pub fn alone(cell: usize) -> CellSet {
    CellSet {
        cells: vec![cell],
        measure_ns: ELAPSED_NS,
        slots: None,
    }
}

/// A run in which every trial was measured, one cell after another.
pub fn run_of(cells: Vec<Cell>, blocks: u32) -> Run {
    let sets = (0..cells.len()).map(alone).collect();
    let plan = plan_of(cells, vec![experiment("throughput", sets, blocks)]);
    let observations = (0..blocks)
        .flat_map(|block| {
            let cells = plan.cells.iter().enumerate();
            cells.map(move |(index, cell)| {
                let noise = f64::from((block * 7 + u32::try_from(index).unwrap() * 3) % 5) - 2.0;
                let (per_s, cpu_ns) = speed(cell);
                let measured = measured(cell, per_s * (1.0 + 0.001 * noise), cpu_ns);
                observation(cell, block, Outcome::Measured(Box::new(measured)))
            })
        })
        .collect();
    Run {
        plan,
        machine: machine(),
        observations,
        stops: Vec::new(),
        calibration: None,
        primitives: None,
        primitives_page: false,
        cut_off: false,
    }
}

/// What `counters run` plans on a small machine.
pub fn typical(blocks: u32) -> Run {
    let cells = [
        ("single", 1),
        ("cluster", 1),
        ("cluster", 2),
        ("threads", 1),
        ("threads", 2),
        ("node-single", 1),
        ("node-cluster", 2),
    ];
    run_of(
        cells.map(|(server, workers)| cell(server, workers)).into(),
        blocks,
    )
}

/// The same on a machine with so many CPUs to serve, each adding as much as the first.
pub fn growing(cpus: u32, counts: &[u32], blocks: u32) -> Run {
    let mut cells = vec![cell("single", 1)];
    for server in ["cluster", "threads"] {
        cells.extend(counts.iter().map(|&workers| cell(server, workers)));
    }
    cells.push(cell("node-single", 1));
    cells.push(cell("node-cluster", cpus));
    let mut run = run_of(cells, blocks);
    serve_on(&mut run, &(0..cpus).collect::<Vec<_>>());
    run.plan.cores.generator_cpus = (cpus..3 * cpus).collect();
    for observation in &mut run.observations {
        let cell = run
            .plan
            .cells
            .iter()
            .find(|cell| cell.id == observation.cell)
            .unwrap();
        let (per_s, cpu_ns) = speed(cell);
        let useful = f64::from(cell.workers.min(cpus)).powf(0.94);
        let noise = 1.0 + 0.004 * f64::from(observation.block % 3);
        *measured_of(observation) = measured(cell, per_s * useful * noise, cpu_ns);
    }
    run
}

/// Gives all servers these CPUs to share.
pub fn serve_on(run: &mut Run, cpus: &[u32]) {
    run.plan.cores.server_cpus = cpus.to_vec();
    for cell in &mut run.plan.cells {
        cell.cpus = cpus.to_vec();
    }
}

/// One trial of a server that answers so many requests per second.
pub fn measured(cell: &Cell, per_s: f64, cpu_ns: f64) -> Measured {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "synthetic figures are small and positive"
    )]
    let whole = |value: f64| value.round() as u64;
    let completed = whole(per_s * ELAPSED_NS as f64 / 1e9);
    let workers = u64::from(cell.workers);
    // A closed loop keeps every connection busy: Little's law gives the mean.
    let mean_ns = f64::from(cell.connections) / per_s * 1e9;
    let mut requests_by_worker: BTreeMap<u64, u64> = (0..workers)
        .map(|worker| (4_000 + worker, completed / workers))
        .collect();
    *requests_by_worker.get_mut(&4_000).unwrap() += completed % workers;
    let latency = LatencyQuantiles {
        min_ns: whole(mean_ns * 0.2),
        mean_ns,
        p50_ns: whole(mean_ns * 0.97),
        p90_ns: whole(mean_ns * 1.2),
        p99_ns: whole(mean_ns * 1.9),
        p999_ns: whole(mean_ns * 4.5),
        max_ns: whole(mean_ns * 11.0),
        bounds_from: None,
    };
    Measured {
        ready_after_ns: 12_000_000,
        load: LoadResult {
            elapsed_ns: ELAPSED_NS,
            offered: completed + u64::from(cell.connections),
            completed,
            errors: 0,
            timeouts: 0,
            unfinished: u64::from(cell.connections),
            error_kinds: Vec::new(),
            connections_opened: 0,
            received_bytes: completed * 140,
            unsolicited_bytes: 0,
            response: Some(latency),
            service: Some(latency),
            connection_wait: None,
            lateness: None,
            connections_by_worker: BTreeMap::new(),
            answers_by_another_worker: 0,
            mean_busy_connections: f64::from(cell.connections),
            mean_busy_completed: f64::from(cell.connections),
            generator_busiest: 0.3,
            arrivals: None,
            awake_ns: 0,
            generator_run_queue_wait_ns: Some(0),
            generator_stolen_ns: Some(0),
            clock_reads: 2 * completed,
            transport: "epoll".to_owned(),
            requests_by_worker,
            generator_threads: 1,
            generator_cpu: CpuTime {
                user_ns: whole(completed as f64 * 300.0),
                system_ns: whole(completed as f64 * 3_100.0),
            },
        },
        server: TreeUsage {
            cpu: CpuTime {
                user_ns: whole(completed as f64 * cpu_ns * 0.28),
                system_ns: whole(completed as f64 * cpu_ns * 0.72),
            },
            voluntary_switches: completed / 300,
            involuntary_switches: completed / 4_000,
            pss_bytes: Some(match cell.model.worker {
                Worker::Process => 2_400_000 + 900_000 * workers,
                Worker::Thread => 2_700_000 + 70_000 * workers,
            }),
            processes: cell.workers,
            threads: cell.workers,
        },
        slots: Vec::new(),
        noise: Noise::default(),
        then: None,
        wake_order: Vec::new(),
        stop: None,
    }
}

pub fn observation(cell: &Cell, block: u32, outcome: Outcome) -> Observation {
    Observation {
        schema_version: SCHEMA_VERSION,
        cell: cell.id.clone(),
        block,
        attempt: 0,
        copy: 0,
        started_unix_ns: PLANNED_UNIX_NS + u64::from(block),
        outcome,
    }
}

pub fn failure(reason: &str, stderr: &str) -> Outcome {
    Outcome::Failed(Failure {
        stage: Stage::Ready,
        reason: reason.to_owned(),
        stderr: stderr.to_owned(),
    })
}

pub fn not_found() -> Outcome {
    Outcome::NotMeasured {
        reason: "node not found".to_owned(),
        cure: "install it with: apt-get install nodejs".to_owned(),
    }
}

pub fn machine() -> Machine {
    Machine {
        schema_version: SCHEMA_VERSION,
        cpu_model: "Synthetic CPU @ 3.00GHz".to_owned(),
        cpus_online: 2,
        cpus_allowed: vec![0, 1],
        cores_allowed: 2,
        governor: None,
        memory_bytes: 24 << 30,
        kernel: "6.1.0".to_owned(),
        distribution: "Debian GNU/Linux 12".to_owned(),
        virtual_machine: false,
        open_files_limit: 65_536,
        build: Build {
            version: "0.1.0".to_owned(),
            profile: "release".to_owned(),
            rustc: "rustc 1.95.0".to_owned(),
        },
        programs: vec![Program {
            name: "node".to_owned(),
            version: Some("v20.19.0".to_owned()),
        }],
    }
}

/// The measurement of an observation that has one.
pub fn measured_of(observation: &mut Observation) -> &mut Measured {
    match &mut observation.outcome {
        Outcome::Measured(measured) => measured,
        other => panic!("not measured: {other:?}"),
    }
}

/// Changes every trial of a cell.
pub fn each_trial(run: &mut Run, cell: &str, mut change: impl FnMut(&mut Measured)) {
    for observation in run.observations.iter_mut().filter(|o| o.cell == cell) {
        change(measured_of(observation));
    }
}

/// Changes every trial of the run.
pub fn every_trial(run: &mut Run, mut change: impl FnMut(&mut Measured)) {
    for observation in &mut run.observations {
        change(measured_of(observation));
    }
}

/// Puts an outcome in place of every trial of a server.
pub fn replace(run: &mut Run, server: &str, outcome: &Outcome) {
    let prefix = format!("{server}-w");
    for observation in run
        .observations
        .iter_mut()
        .filter(|o| o.cell.starts_with(&prefix))
    {
        observation.outcome = outcome.clone();
    }
}

/// Writes a run as the harness does.
pub fn store(run: &Run, folder: &Path) {
    let file = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
    file(
        "plan.json",
        serde_json::to_string_pretty(&run.plan).unwrap(),
    );
    file(
        "machine.json",
        serde_json::to_string_pretty(&run.machine).unwrap(),
    );
    file("observations.jsonl", lines(&run.observations));
    if !run.stops.is_empty() {
        file("stops.jsonl", lines(&run.stops));
    }
    if let Some(calibration) = &run.calibration {
        let text = serde_json::to_string_pretty(calibration).unwrap();
        file("calibration.json", text);
    }
}

fn lines(values: &[impl Serialize]) -> String {
    let lines = values
        .iter()
        .map(|v| serde_json::to_string(v).unwrap() + "\n");
    lines.collect()
}
