//! Runs of the experiments that stand alone: the grid, a book's designs, and who answers.

use std::collections::BTreeMap;

use reports::Run;
use schema::{
    Accept, Cell, Estimate, Measured, Model, Origin, Outcome, PrimitiveCost, PrimitiveGroup,
    PrimitiveNoise, PrimitiveRatio, PrimitiveRow, Primitives, Reuse, SCHEMA_VERSION, Style, Then,
    Worker, Workload,
};

use super::{alone, cell, experiment, machine, measured, observation, plan_of};

/// Workers of every cell that has more than one.
pub const WORKERS: u32 = 4;

/// Processes serve so many times what threads serve, on evented/shared and wherever else both can be.
pub const PROCESSES_OVER_THREADS: f64 = 1.10;

/// CPU time per request of the floor, and of evented threads on a shared listener.
pub const FLOOR_NS: f64 = 2_000.0;
pub const SHARED_NS: f64 = 5_000.0;

/// What a mutex around accept adds to the CPU time.
pub const MUTEX_COST: f64 = 1.20;

/// Seconds of CPU time that the synthetic designs take for 5,000 connections, by number: the
/// iterative server's, then what they take beyond it.
pub const ITERATIVE_S: f64 = 0.20;
pub const CONTROL_S: [f64; 8] = [1.50, 0.10, 0.14, 0.12, 0.25, 0.30, 0.11, 0.16];

/// Letters of the order in which workers are woken, A being the first.
pub const IN_TURN: &str = "ABCDABCDABCDABCDABCDABCDABCDABCD";
pub const LAST_AGAIN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
pub const BY_HASH: &str = "ABACDBBADCABDACBBDACADCBABDCCADB";

/// Every legal model, a variant, the floor and guests, on kept and on new connections.
pub fn grid_with_primitives(blocks: u32) -> Run {
    Run {
        primitives: Some(primitives()),
        primitives_page: true,
        ..grid(blocks)
    }
}

/// A handoff costs a process 4 µs more than none does, and a thread 1 µs.
pub fn primitives() -> Primitives {
    let about = |ns: f64| Estimate {
        point: ns,
        interval: Some((ns - 300.0, ns + 400.0)),
    };
    let cost = |ns: f64| PrimitiveCost {
        wall_ns: Some(about(ns)),
        cpu_ns: Some(about(2.0 * ns)),
        bytes: None,
    };
    let row = |what: &str, thread: f64, process: f64| PrimitiveRow {
        what: what.to_owned(),
        parameter: "1".to_owned(),
        thread: Some(cost(thread)),
        process: Some(cost(process)),
        alone: None,
        wall_ratio: Some(PrimitiveRatio {
            ratio: Estimate {
                point: process / thread,
                interval: None,
            },
            dearer: (process > thread).then_some(Worker::Process),
        }),
        cpu_ratio: None,
    };
    Primitives {
        schema_version: SCHEMA_VERSION,
        cpu_model: machine().cpu_model,
        kernel: machine().kernel,
        noise: PrimitiveNoise {
            wall: Some(0.03),
            cpu: None,
        },
        groups: vec![
            wake_ups(&about),
            PrimitiveGroup {
                name: "handoff".to_owned(),
                asks: "What does it cost to give a connection to another worker?".to_owned(),
                means: Some("Passing a connection on takes 4 µs.".to_owned()),
                measured_unix_s: 1_767_225_600,
                rows: vec![
                    row("passed on", 8_500.0, 10_000.0),
                    row("none", 8_000.0, 8_000.0),
                ],
            },
        ],
    }
}

/// Two wake-ups cost 2 µs by a socket pair and 1 µs by an eventfd.
fn wake_ups(about: &dyn Fn(f64) -> Estimate) -> PrimitiveGroup {
    let row = |what: &str, ns: f64| {
        let cost = PrimitiveCost {
            wall_ns: None,
            cpu_ns: Some(about(ns)),
            bytes: None,
        };
        PrimitiveRow {
            what: what.to_owned(),
            parameter: "one-cpu".to_owned(),
            thread: Some(cost.clone()),
            process: Some(cost),
            alone: None,
            wall_ratio: None,
            cpu_ratio: None,
        }
    };
    PrimitiveGroup {
        name: "switch".to_owned(),
        asks: String::new(),
        means: None,
        measured_unix_s: 1_767_225_600,
        rows: vec![row("socket-pair", 2_000.0), row("eventfd", 1_000.0)],
    }
}

pub fn grid(blocks: u32) -> Run {
    let mut cells = Vec::new();
    for reuse in [Reuse::KeepAlive, Reuse::NewConnection] {
        let of = |server: &str, model: Model| Cell {
            then_percent: Some(50),
            ..in_experiment("grid", server, model, reuse, suffix(reuse))
        };
        cells.extend(Model::legal().map(|model| of(&dashed(model), model)));
        cells.push(of("process-evented-shared-exclusive", SHARED));
        cells.push(Cell {
            workers: 1,
            ..of("floor", SHARED)
        });
        cells.push(guest(of("nginx-shared", SHARED)));
        cells.push(guest(of("node-cluster", HANDOFF)));
    }
    run_of("grid", cells, blocks, |cell, block| {
        let (per_s, cpu_ns) = speed(cell, block);
        let mut trial = measured(cell, per_s, cpu_ns);
        let mut half = trial.load.clone();
        half.completed /= 2;
        half.offered /= 2;
        half.unfinished = half.offered - half.completed;
        trial.then = Some(Then {
            percent: 50,
            rate_per_s: per_s / 2.0,
            load: half,
        });
        trial
    })
}

/// The designs of the book, each block with a wobble of its own that all share.
pub fn stevens(blocks: u32) -> Run {
    let models = Model::legal().filter_map(|model| Some((model.known().ok()?.stevens?, model)));
    let mut models: Vec<(u8, Model)> = models.collect();
    models.sort_by_key(|(number, _)| *number);
    let of = |number: u8, server: &str, model: Model| Cell {
        id: format!("stevens-{number}-{server}"),
        workers: 15,
        connections: 10,
        workload: Workload::Bytes { n: 4_000 },
        ..in_experiment("stevens", server, model, Reuse::NewConnection, "")
    };
    let iterative = Model {
        style: Style::Blocking,
        ..SHARED
    };
    let mut cells = vec![Cell {
        workers: 1,
        ..of(0, "single-blocking", iterative)
    }];
    cells.extend(
        models
            .into_iter()
            .map(|(number, model)| of(number, &dashed(model), model)),
    );
    run_of("stevens", cells, blocks, |cell, block| {
        let number: usize = cell.id.split('-').nth(1).unwrap().parse().unwrap();
        let control = number.checked_sub(1).map_or(0.0, |place| CONTROL_S[place]);
        let seconds = ITERATIVE_S * (1.0 + 0.01 * f64::from(block % 3)) + control;
        let mut trial = measured(cell, 20_000.0, seconds / 5_000.0 * 1e9);
        trial.load.connections_by_worker = trial.load.requests_by_worker.clone();
        trial
    })
}

/// Who answers, by policies that the kernel is known for.
pub fn balance(blocks: u32) -> Run {
    let models = [
        model(Worker::Process, Style::Blocking, Accept::Shared),
        SHARED,
        model(Worker::Process, Style::Evented, Accept::Reuseport),
        HANDOFF,
    ];
    let mut cells = Vec::new();
    for model in models {
        for reuse in [Reuse::KeepAlive, Reuse::NewConnection] {
            for (load, rate_per_s) in [("high", None), ("low", Some(200))] {
                let wakes = match (reuse, rate_per_s) {
                    (Reuse::NewConnection, Some(_)) => 32,
                    _ => 0,
                };
                let suffix = format!("{}-{load}", suffix(reuse));
                cells.push(Cell {
                    rate_per_s,
                    wakes,
                    ..in_experiment("balance", &dashed(model), model, reuse, &suffix)
                });
            }
        }
    }
    run_of("balance", cells, blocks, |cell, _| {
        let mut trial = measured(cell, cell.rate_per_s.map_or(90_000.0, f64::from), SHARED_NS);
        let order = match (cell.model.style, cell.model.accept) {
            (Style::Evented, Accept::Shared) => LAST_AGAIN,
            (_, Accept::Reuseport) => BY_HASH,
            _ => IN_TURN,
        };
        if cell.wakes > 0 {
            trial.wake_order = order.bytes().map(u64::from).collect();
        }
        if order == LAST_AGAIN && cell.rate_per_s.is_some() {
            answered(&mut trial, &[(4_000, 3), (4_001, 1)]);
        }
        trial.load.connections_by_worker = trial.load.requests_by_worker.clone();
        trial
    })
}

/// Gives all answers to these workers, in these parts.
pub fn answered(trial: &mut Measured, parts: &[(u64, u64)]) {
    trial.load.requests_by_worker = parts.iter().copied().collect::<BTreeMap<_, _>>();
}

pub fn dashed(model: Model) -> String {
    model.to_string().replace('/', "-")
}

pub const fn model(worker: Worker, style: Style, accept: Accept) -> Model {
    Model {
        worker,
        style,
        accept,
    }
}

const SHARED: Model = model(Worker::Process, Style::Evented, Accept::Shared);
const HANDOFF: Model = model(Worker::Process, Style::Evented, Accept::Handoff);

const fn suffix(reuse: Reuse) -> &'static str {
    match reuse {
        Reuse::KeepAlive => "keep",
        Reuse::NewConnection => "new",
    }
}

fn in_experiment(name: &str, server: &str, model: Model, reuse: Reuse, suffix: &str) -> Cell {
    Cell {
        id: format!("{name}-{server}-{suffix}"),
        experiment: name.to_owned(),
        server: server.to_owned(),
        origin: Origin::Own,
        model,
        reuse,
        ..cell("single", WORKERS)
    }
}

fn guest(cell: Cell) -> Cell {
    Cell {
        origin: Origin::Guest,
        ..cell
    }
}

/// Requests per second and CPU nanoseconds per request. What serves more uses as much less CPU time.
fn speed(cell: &Cell, block: u32) -> (f64, f64) {
    let of_server = match cell.server.as_str() {
        "floor" => FLOOR_NS / SHARED_NS,
        "nginx-shared" => 0.8,
        "node-cluster" => 3.0,
        _ => match cell.model.worker {
            Worker::Process => 1.0 / PROCESSES_OVER_THREADS,
            Worker::Thread => 1.0,
        },
    };
    let of_policy = match (cell.model.accept, cell.origin) {
        (Accept::Mutex, _) => MUTEX_COST,
        (Accept::PerConnection, _) => 4.0,
        (Accept::Handoff, Origin::Own) => 1.1,
        _ => 1.0,
    };
    let of_life = match cell.reuse {
        Reuse::KeepAlive => 1.0,
        Reuse::NewConnection => 5.0,
    };
    let wobble = 1.0 + 0.001 * f64::from(block % 3);
    let cost = of_server * of_policy * of_life * wobble;
    (180_000.0 / cost, SHARED_NS * cost)
}

fn run_of(
    name: &str,
    cells: Vec<Cell>,
    blocks: u32,
    trial: impl Fn(&Cell, u32) -> Measured,
) -> Run {
    let sets = (0..cells.len()).map(alone).collect();
    let plan = plan_of(cells, vec![experiment(name, sets, blocks)]);
    let each = (0..blocks).flat_map(|block| plan.cells.iter().map(move |cell| (cell, block)));
    let observations = each
        .map(|(cell, block)| {
            let outcome = Outcome::Measured(Box::new(trial(cell, block)));
            observation(cell, block, outcome)
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
