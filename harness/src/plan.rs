//! From a preset to a plan: how long, how often, in which order.

use std::time::Duration;

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use schema::{Cell, CorePlan, Plan, Preset, SCHEMA_VERSION};

/// Starting and stopping a server, as a part of a trial's time.
const BETWEEN_TRIALS: Duration = Duration::from_millis(300);

/// How a run's time is spent.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Load before each measurement.
    pub warm_up: Duration,
    /// Length of each measurement.
    pub measure: Duration,
    /// How many blocks.
    pub blocks: Blocks,
}

/// How many blocks to make.
#[derive(Clone, Copy, Debug)]
pub enum Blocks {
    /// As many as fit into the budget, at least one and at most `most`.
    Within {
        /// For all trials together.
        budget: Duration,
        /// More would not narrow the intervals by much.
        most: u32,
    },
    /// This many.
    Exactly(u32),
}

impl Timing {
    /// What a preset means. A virtual machine that compiles while it runs, as Node's does, is not
    /// at its speed before it has answered for a second or more; smoke does not wait for that.
    pub const fn of(preset: Preset) -> Self {
        let (warm_up, measure, budget, most) = match preset {
            Preset::Smoke => (500, 500, Duration::from_secs(19), 2),
            Preset::Quick => (1_000, 1_500, Duration::from_secs(170), 12),
            Preset::Full => (3_000, 5_000, Duration::from_mins(30), 30),
        };
        Self {
            warm_up: Duration::from_millis(warm_up),
            measure: Duration::from_millis(measure),
            blocks: Blocks::Within { budget, most },
        }
    }

    fn blocks(&self, cells: usize) -> u32 {
        match self.blocks {
            Blocks::Exactly(blocks) => blocks,
            Blocks::Within { budget, most } => {
                let block = (self.warm_up + self.measure + BETWEEN_TRIALS)
                    * u32::try_from(cells.max(1)).unwrap_or(u32::MAX);
                let affordable = budget.as_nanos() / block.as_nanos();
                u32::try_from(affordable).unwrap_or(u32::MAX).clamp(1, most)
            }
        }
    }
}

/// How long one trial takes, its launch included.
pub fn trial_time(plan: &Plan) -> Duration {
    Duration::from_nanos(plan.warm_up_ns + plan.measure_ns) + BETWEEN_TRIALS
}

/// Draws the order of every block from the seed.
pub fn make(
    seed: u64,
    preset: Preset,
    timing: Timing,
    command: Vec<String>,
    created_unix_ns: u64,
    cores: CorePlan,
    cells: Vec<Cell>,
) -> Plan {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let blocks = (0..timing.blocks(cells.len()))
        .map(|_| {
            let mut order: Vec<usize> = (0..cells.len()).collect();
            order.shuffle(&mut random);
            order
        })
        .collect();
    Plan {
        schema_version: SCHEMA_VERSION,
        seed,
        preset,
        command,
        created_unix_ns,
        warm_up_ns: u64::try_from(timing.warm_up.as_nanos()).unwrap_or(u64::MAX),
        measure_ns: u64::try_from(timing.measure.as_nanos()).unwrap_or(u64::MAX),
        cores,
        cells,
        blocks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::{Accept, Model, Origin, Style, Worker, Workload};

    fn plan(seed: u64, preset: Preset, cells: u32) -> Plan {
        let cell = |workers| Cell {
            id: format!("cluster-w{workers}-hello"),
            experiment: "throughput".to_owned(),
            server: "cluster".to_owned(),
            origin: Origin::Own,
            model: Model {
                worker: Worker::Process,
                style: Style::Evented,
                accept: Accept::Shared,
            },
            workers,
            workload: Workload::Hello,
            connections: 64,
        };
        let cores = CorePlan {
            server_cpus: vec![0],
            generator_cpus: vec![1],
            overlapping: false,
        };
        make(
            seed,
            preset,
            Timing::of(preset),
            vec![],
            0,
            cores,
            (1..=cells).map(cell).collect(),
        )
    }

    #[test]
    fn the_same_seed_gives_the_same_plan_and_another_one_another() {
        assert_eq!(plan(7, Preset::Quick, 9), plan(7, Preset::Quick, 9));
        assert_ne!(
            plan(7, Preset::Quick, 9).blocks,
            plan(8, Preset::Quick, 9).blocks
        );
    }

    #[test]
    fn every_block_holds_every_cell_once() {
        for order in plan(1, Preset::Full, 15).blocks {
            let mut order = order.clone();
            order.sort_unstable();
            assert_eq!(order, (0..15).collect::<Vec<_>>());
        }
    }

    #[test]
    fn presets_keep_their_time() {
        for (preset, cells, most) in [
            (Preset::Smoke, 7, 20),
            (Preset::Quick, 9, 180),
            (Preset::Quick, 20, 180),
            (Preset::Full, 30, 1_800),
        ] {
            let plan = plan(1, preset, cells);
            let trials = u32::try_from(plan.blocks.len()).unwrap() * cells;
            assert!(
                trial_time(&plan) * trials <= Duration::from_secs(most),
                "{preset:?} {cells}"
            );
        }
    }
}
