//! Runs on emulated cores: experiments whose cells are all measured at the same time, each worker in
//! a slot of its own.

use reports::Run;
use schema::{
    Calibration, Cell, CellSet, Cores, Metric, Outcome, Power, SCHEMA_VERSION, SelfComparisons,
    SlotPlan, SlotUsage, Stop, StopReason, Workload,
};

use super::{ELAPSED_NS, cell, experiment, machine, measured, observation, plan_of};

/// CPU time of each slot in a window.
pub const QUOTA_NS: u64 = 40_000_000;

/// CPU time per request of one worker.
const CPU_NS: f64 = 5_000.0;

/// What a trial is made to show.
#[derive(Clone, Copy)]
pub struct Shown {
    /// CPU time over quota.
    pub given: f64,
    /// CPU time per request over that of one worker.
    pub cost: f64,
}

/// How cells behave: by the cell and the block.
pub type Behaviour = fn(&Cell, u32) -> Shown;

/// Each worker adds as much as the first, and blocks differ a little.
pub fn linear(cell: &Cell, block: u32) -> Shown {
    let place = block * 5 + cell.workers * 3 + u32::from(cell.server == "threads");
    let wobble = f64::from(place % 7) - 3.0;
    Shown {
        given: 0.99,
        cost: 1.0 + 0.002 * wobble,
    }
}

/// Names of the experiments that a small machine's run has.
pub const EVERY: [&str; 3] = ["headline", "scaling", "fidelity"];

/// A run of these experiments, on up to ten emulated cores.
pub fn emulated(experiments: &[&str], blocks: u32, behaviour: Behaviour) -> Run {
    let mut cells = Vec::new();
    let mut planned = Vec::new();
    for &name in experiments {
        let first = cells.len();
        cells.extend(cells_of(name));
        let mut sets = Vec::new();
        let (slotted, alone): (Vec<usize>, Vec<usize>) =
            (first..cells.len()).partition(|&index| cells[index].cores == Cores::Emulated);
        sets.push(CellSet {
            cells: slotted,
            measure_ns: ELAPSED_NS,
            slots: Some(SlotPlan {
                quota_ns: 4_000_000,
                period_ns: 100_000_000,
            }),
        });
        sets.extend(alone.into_iter().map(super::alone));
        planned.push(experiment(name, sets, blocks));
    }
    let plan = plan_of(cells, planned);
    let observations = (0..blocks)
        .flat_map(|block| plan.cells.iter().map(move |cell| (cell, block)))
        .map(|(cell, block)| observation(cell, block, trial(cell, behaviour(cell, block))))
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

fn cells_of(name: &str) -> Vec<Cell> {
    let cpu = Workload::Cpu { us: 200 };
    let own = ["cluster", "threads"];
    let mut cells = Vec::new();
    match name {
        "headline" => {
            for server in own {
                cells.extend([1, 10].map(|n| of(name, server, n, Workload::Hello)));
            }
        }
        "scaling" => {
            for workload in [Workload::Hello, cpu] {
                for server in ["cluster", "threads", "node-cluster"] {
                    let counts = [1, 2, 3, 4, 6, 8, 10];
                    cells.extend(counts.map(|n| of(name, server, n, workload)));
                }
            }
        }
        _ => {
            for server in own {
                for workers in [1, 2] {
                    let emulated = of(name, server, workers, cpu);
                    let mut real = emulated.clone();
                    real.id = format!("{}-real", real.id);
                    real.cores = Cores::Real;
                    real.cpus = (0..workers).map(|cpu| cpu * 2).collect();
                    cells.extend([emulated, real]);
                }
            }
        }
    }
    cells
}

fn of(name: &str, server: &str, workers: u32, workload: Workload) -> Cell {
    let mut cell = cell(server, workers);
    cell.id = format!("{name}-{server}-w{workers}-{}", workload.name());
    name.clone_into(&mut cell.experiment);
    cell.cores = Cores::Emulated;
    cell.workload = workload;
    cell.connections = 8 * workers;
    cell
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "synthetic figures are small and positive"
)]
fn trial(cell: &Cell, shown: Shown) -> Outcome {
    let cost = match cell.workload {
        Workload::Cpu { us } => CPU_NS + f64::from(us) * 1e3,
        _ => CPU_NS,
    } * shown.cost;
    let slotted = cell.cores == Cores::Emulated;
    let had = if slotted { QUOTA_NS } else { ELAPSED_NS };
    let given = had as f64 * shown.given;
    let per_s = given * f64::from(cell.workers) / cost * 1e9 / ELAPSED_NS as f64;
    let mut measured = measured(cell, per_s, cost);
    measured.load.generator_cpu.user_ns = 0;
    measured.load.generator_cpu.system_ns = measured.load.completed * 400;
    measured.noise.stolen_ns = Some(0);
    measured.noise.foreign_ns = Some(0);
    if slotted {
        let slot = SlotUsage {
            cpu: 0,
            given_ns: given.round() as u64,
            quota_ns: QUOTA_NS,
            periods: 10,
            throttled_periods: if shown.given > 0.95 { 10 } else { 2 },
            throttled_ns: ELAPSED_NS - given.round() as u64,
        };
        measured.slots = vec![slot; cell.workers as usize];
    }
    Outcome::Measured(Box::new(measured))
}

pub fn stop(experiment: &str, reason: StopReason, blocks: u32, widest: Option<f64>) -> Stop {
    Stop {
        schema_version: SCHEMA_VERSION,
        experiment: experiment.to_owned(),
        reason,
        blocks,
        widest,
    }
}

pub fn calibration() -> Calibration {
    let power = |slowdown, found, rate| Power {
        slowdown,
        runs: 20,
        seconds: 8.0,
        found,
        rate,
    };
    Calibration {
        schema_version: SCHEMA_VERSION,
        made_unix_ns: 1_767_225_600_000_000_000,
        seed: 7,
        machine: machine(),
        setting: "threads with 1 worker, GET /, on an emulated core".to_owned(),
        same: SelfComparisons {
            metric: Metric::Throughput,
            comparisons: 200,
            blocks: 8,
            different: 11,
            rate: (0.055, 0.028, 0.096),
            verdicts: 0,
            half_width: 0.006,
            spread: 0.008,
        },
        power: vec![
            power(0.01, 14, (0.70, 0.457, 0.881)),
            power(0.02, 20, (1.0, 0.832, 1.0)),
        ],
    }
}
