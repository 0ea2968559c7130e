//! From drafts of experiments to a plan: how long, how often, in which order.

use std::{collections::BTreeMap, time::Duration};

use ::cores::slot_plan;
use analysis::LEAST_BEFORE_STOPPING;
use anyhow::bail;
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use schema::{
    Cell, CellSet, CorePlan, Cores, ExperimentPlan, Plan, Preset, SCHEMA_VERSION, StopRule, Target,
};

/// Starting and stopping one server, as a part of a trial's time.
const LAUNCH: Duration = Duration::from_millis(15);
/// What a trial takes beside its servers and its load.
const BETWEEN_TRIALS: Duration = Duration::from_millis(200);

/// Load before the window of what follows a measurement; the server is warm by then, and its
/// connections are new.
pub const THEN_WARM_UP: Duration = Duration::from_millis(50);
/// Below this a window holds too few requests for its 99th percentile.
const LEAST_THEN: Duration = Duration::from_millis(200);

/// Length of the window that follows a measurement of this length.
pub fn then_window(measure_ns: u64) -> Duration {
    (Duration::from_nanos(measure_ns) / 2).max(LEAST_THEN)
}

/// An experiment whose cells have no numbers yet.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its name.
    pub name: String,
    /// How its time is spent.
    pub timing: Timing,
    /// Cells that are measured at the same time.
    pub sets: Vec<Vec<Cell>>,
    /// Ids of reference and subject of each ratio that is wanted.
    pub targets: Vec<(String, String)>,
}

/// How an experiment's time is spent.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Load before each measurement.
    pub warm_up: Duration,
    /// Length of each measurement, about: slots want a whole number of their periods.
    pub measure: Duration,
    /// Time for all blocks together.
    pub budget: Duration,
    /// Blocks at the most.
    pub blocks: u32,
    /// Half-width of a throughput ratio's interval that is narrow enough.
    pub half_width: f64,
}

impl Timing {
    /// From milliseconds, milliseconds, seconds, a number of blocks and a share.
    pub const fn new(
        warm_up_ms: u64,
        measure_ms: u64,
        budget_s: u64,
        blocks: u32,
        half_width: f64,
    ) -> Self {
        Self {
            warm_up: Duration::from_millis(warm_up_ms),
            measure: Duration::from_millis(measure_ms),
            budget: Duration::from_secs(budget_s),
            blocks,
            half_width,
        }
    }
}

/// What the user wants otherwise, for every experiment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    /// Load before each measurement.
    pub warm_up: Option<Duration>,
    /// Length of each measurement.
    pub measure: Option<Duration>,
    /// Exactly so many blocks, whatever they take.
    pub blocks: Option<u32>,
    /// Time for each experiment.
    pub budget: Option<Duration>,
    /// Half-width that is narrow enough.
    pub half_width: Option<f64>,
}

impl Wishes {
    fn change(&self, timing: Timing) -> Timing {
        let mut timing = Timing {
            warm_up: self.warm_up.unwrap_or(timing.warm_up),
            measure: self.measure.unwrap_or(timing.measure),
            budget: self.budget.unwrap_or(timing.budget),
            half_width: self.half_width.unwrap_or(timing.half_width),
            ..timing
        };
        if self.budget.is_some() || self.half_width.is_some() {
            timing.blocks = timing.blocks.max(1000);
        }
        if let Some(blocks) = self.blocks {
            timing.blocks = blocks;
            // However narrow intervals are.
            timing.half_width = f64::MIN_POSITIVE;
            timing.budget = Duration::MAX;
        }
        timing
    }
}

/// What does not depend on the experiments.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Draws the order of every block.
    pub seed: u64,
    /// The preset that was asked for.
    pub preset: Preset,
    /// The command as typed.
    pub command: Vec<String>,
    /// When, since the Unix epoch.
    pub created_unix_ns: u64,
    /// Which CPUs serve and which load.
    pub cores: CorePlan,
    /// How many of the CPUs that serve slots are shares of: one of each physical core.
    pub slot_cpus: usize,
}

/// Numbers the cells and draws the order of every block from the seed.
///
/// # Errors
/// Where more workers are to run at once than a CPU's time can be divided among, the kernel does not
/// tell its tick, or a cell that is measured together with others asks for load outside the window.
pub fn make(frame: Frame, wishes: &Wishes, drafts: Vec<Draft>) -> anyhow::Result<Plan> {
    let mut random = ChaCha8Rng::seed_from_u64(frame.seed);
    let mut cells: Vec<Cell> = Vec::new();
    let mut experiments = Vec::new();
    for draft in drafts {
        let timing = wishes.change(draft.timing);
        let mut sets = Vec::new();
        for members in draft.sets {
            let first = cells.len();
            cells.extend(members);
            if wishes.warm_up.is_some() {
                // What was asked for holds for all.
                cells[first..]
                    .iter_mut()
                    .for_each(|cell| cell.warm_up_ns = None);
            }
            sets.push(set(first, &cells, frame.slot_cpus, timing.measure)?);
        }
        let numbers: BTreeMap<&str, usize> = cells
            .iter()
            .enumerate()
            .map(|(number, cell)| (cell.id.as_str(), number))
            .collect();
        let targets = draft.targets.iter().filter_map(|(reference, subject)| {
            Some(Target {
                reference: *numbers.get(reference.as_str())?,
                subject: *numbers.get(subject.as_str())?,
            })
        });
        let blocks = (0..timing.blocks)
            .map(|_| {
                let mut order: Vec<usize> = (0..sets.len()).collect();
                order.shuffle(&mut random);
                order
            })
            .collect();
        experiments.push(ExperimentPlan {
            name: draft.name,
            warm_up_ns: nanos(timing.warm_up),
            stop: StopRule {
                least_blocks: u32::try_from(LEAST_BEFORE_STOPPING).unwrap_or(u32::MAX),
                half_width: timing.half_width,
                targets: targets.collect(),
                budget_ns: nanos(timing.budget),
            },
            sets,
            blocks,
        });
    }
    Ok(Plan {
        schema_version: SCHEMA_VERSION,
        seed: frame.seed,
        preset: frame.preset,
        command: frame.command,
        created_unix_ns: frame.created_unix_ns,
        cores: frame.cores,
        cells,
        experiments,
    })
}

/// The cells from `first` on, with slots where their cores are emulated.
fn set(
    first: usize,
    cells: &[Cell],
    slot_cpus: usize,
    measure: Duration,
) -> anyhow::Result<CellSet> {
    let members = &cells[first..];
    let emulated = members.iter().any(|cell| cell.cores == Cores::Emulated);
    let alone = |cell: &&Cell| cell.then_percent.is_some() || cell.wakes > 0;
    if let Some(cell) = members
        .iter()
        .find(alone)
        .filter(|_| members.len() > 1 || emulated)
    {
        bail!(
            "{} asks for load before or after its window, where it shares that with {} others on {} \
             cores; plan it alone, on real or shared ones",
            cell.id,
            members.len() - 1,
            cell.cores.name()
        );
    }
    let workers: usize = members
        .iter()
        .map(|cell| (cell.workers * cell.copies) as usize)
        .sum();
    let slots = if emulated {
        let on_each = workers.div_ceil(slot_cpus.max(1));
        Some(slot_plan(on_each, ::cores::tick()?, None)?)
    } else {
        None
    };
    let measure_ns = slots.map_or(nanos(measure), |slots| {
        let periods = nanos(measure).div_ceil(slots.period_ns).max(1);
        periods * slots.period_ns
    });
    Ok(CellSet {
        cells: (first..cells.len()).collect(),
        measure_ns,
        slots,
    })
}

/// How long a trial of a set takes, about, its launches included.
pub fn trial_time(cells: &[Cell], experiment: &ExperimentPlan, set: &CellSet) -> Duration {
    let servers: u32 = set.cells.iter().map(|&cell| cells[cell].copies).sum();
    let followed = set
        .cells
        .iter()
        .any(|&cell| cells[cell].then_percent.is_some());
    let then = if followed {
        THEN_WARM_UP + then_window(set.measure_ns)
    } else {
        Duration::ZERO
    };
    Duration::from_nanos(experiment.warm_up_ns_of(set, cells) + set.measure_ns)
        + then
        + LAUNCH * servers
        + BETWEEN_TRIALS
}

/// Nanoseconds.
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use schema::{Accept, Model, Origin, Reuse, Style, Worker, Workload};

    fn cell(workers: u32, cores: Cores) -> Cell {
        Cell {
            id: format!("cluster-w{workers}-hello"),
            experiment: "scaling".to_owned(),
            server: "cluster".to_owned(),
            origin: Origin::Own,
            model: Model {
                worker: Worker::Process,
                style: Style::Evented,
                accept: Accept::Shared,
            },
            workers,
            cores,
            cpus: vec![0],
            copies: 1,
            workload: Workload::Hello,
            connections: 20 * workers,
            path: None,
            reuse: Reuse::KeepAlive,
            rate_per_s: None,
            warm_up_ns: None,
            then_percent: None,
            wakes: 0,
        }
    }

    /// Five cells, the last of which is wanted over the first.
    pub fn plan(seed: u64, cores: Cores, wishes: &Wishes) -> Plan {
        let cells: Vec<Cell> = (1..=5).map(|workers| cell(workers, cores)).collect();
        let targets = vec![(cells[0].id.clone(), cells[4].id.clone())];
        let sets = match cores {
            Cores::Emulated => vec![cells],
            _ => cells.into_iter().map(|cell| vec![cell]).collect(),
        };
        let frame = Frame {
            seed,
            preset: Preset::Quick,
            command: vec![],
            created_unix_ns: 0,
            cores: CorePlan {
                server_cpus: vec![0],
                generator_cpus: vec![1],
                overlapping: false,
                kind: cores,
                cores: 5,
                reason: String::new(),
            },
            slot_cpus: 1,
        };
        let draft = Draft {
            name: "scaling".to_owned(),
            timing: Timing::new(300, 2_000, 60, 12, 0.02),
            sets,
            targets,
        };
        make(frame, wishes, vec![draft]).unwrap()
    }

    #[test]
    fn the_same_seed_gives_the_same_plan_and_another_one_another() {
        let with = |seed| plan(seed, Cores::Real, &Wishes::default());
        assert_eq!(with(7), with(7));
        assert_ne!(with(7).experiments[0].blocks, with(8).experiments[0].blocks);
    }

    #[test]
    fn every_block_holds_every_set_once_and_every_cell_is_in_one_set() {
        for cores in [Cores::Real, Cores::Emulated] {
            let plan = plan(1, cores, &Wishes::default());
            let experiment = &plan.experiments[0];
            assert_eq!(experiment.blocks.len(), 12);
            for order in &experiment.blocks {
                let mut order = order.clone();
                order.sort_unstable();
                assert_eq!(order, (0..experiment.sets.len()).collect::<Vec<_>>());
            }
            let cells: Vec<usize> = experiment
                .sets
                .iter()
                .flat_map(|set| set.cells.clone())
                .collect();
            assert_eq!(cells, [0, 1, 2, 3, 4]);
            let target = experiment.stop.targets[0];
            assert_eq!((target.reference, target.subject), (0, 4));
        }
    }

    #[test]
    fn windows_over_slots_are_whole_periods() {
        let plan = plan(1, Cores::Emulated, &Wishes::default());
        let set = &plan.experiments[0].sets[0];
        let slots = set.slots.unwrap();
        assert_eq!(set.measure_ns % slots.period_ns, 0);
        assert!(set.measure_ns >= 2_000_000_000);
        // Fifteen workers at once on one CPU leave some of it.
        assert!(15 * slots.quota_ns < slots.period_ns);
    }

    #[test]
    fn a_number_of_blocks_that_was_asked_for_is_kept_whatever_it_takes() {
        let wishes = Wishes {
            blocks: Some(2),
            ..Wishes::default()
        };
        let experiment = &plan(1, Cores::Real, &wishes).experiments[0];
        assert_eq!(experiment.blocks.len(), 2);
        assert_eq!(experiment.stop.budget_ns, u64::MAX);
    }
}
