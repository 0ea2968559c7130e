//! When an experiment has been repeated often enough.
//!
//! The rule looks at how wide the intervals of the wanted throughput ratios are, never at where they
//! lie. A set of cells none of whose ratios is still too wide is passed over from then on.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use analysis::{LEAST_FOR_AN_INTERVAL, PairedRatio, half_width, narrow_enough};
use schema::{
    Cell, CellSet, ExperimentPlan, Observation, Outcome, Plan, SCHEMA_VERSION, Stop, StopReason,
    Target,
};

use crate::plan::trial_time;

/// One trial in so many may be made again.
const REPEATED_ONE_IN: u32 = 8;

/// What an experiment has come to.
pub struct Stopping<'a> {
    cells: &'a [Cell],
    experiment: &'a ExperimentPlan,
    seed: u64,
    began: Instant,
    blocks: u32,
    trials: u32,
    repeats: u32,
    /// Blocks behind one ratio: two where they are made in turns, one in each order.
    per_ratio: u32,
    /// Blocks that are made whatever they take.
    least: u32,
    gives_up: bool,
    /// By cell and block.
    served: BTreeMap<usize, BTreeMap<u32, Served>>,
    /// How far each target has come.
    known: Vec<Known>,
}

/// What the launches of a cell at the same time served; a trial made again takes the place of the first.
#[derive(Clone, Copy, Default)]
struct Served {
    attempt: u32,
    launches: u32,
    per_s: f64,
}

impl Served {
    fn add(&mut self, attempt: u32, per_s: f64) {
        if attempt > self.attempt {
            *self = Self {
                attempt,
                ..Self::default()
            };
        }
        self.launches += 1;
        self.per_s += per_s;
    }

    fn mean(self) -> f64 {
        self.per_s / f64::from(self.launches.max(1))
    }
}

/// How well a target's ratio is known.
#[derive(Clone, Copy, Default)]
struct Known {
    /// The half-width of its interval, where it has one.
    width: Option<f64>,
    enough: bool,
}

impl<'a> Stopping<'a> {
    /// Before its first block.
    pub fn of(plan: &'a Plan, experiment: &'a ExperimentPlan) -> Self {
        Self {
            cells: &plan.cells,
            experiment,
            seed: plan.seed,
            began: Instant::now(),
            blocks: 0,
            trials: 0,
            repeats: 0,
            per_ratio: 1,
            least: 1,
            gives_up: false,
            served: BTreeMap::new(),
            known: vec![Known::default(); experiment.stop.targets.len()],
        }
    }

    /// Where two blocks, one in each order, make one ratio: it never ends between them, and not before
    /// there is an interval, but where a trial fails.
    pub fn in_turns(plan: &'a Plan, experiment: &'a ExperimentPlan) -> Self {
        Self {
            per_ratio: 2,
            least: 2 * u32::try_from(LEAST_FOR_AN_INTERVAL).unwrap_or(1),
            ..Self::of(plan, experiment)
        }
    }

    /// A set is about to be measured.
    pub const fn tries(&mut self) {
        self.trials += 1;
    }

    /// A trial was made.
    pub fn observed(&mut self, cell: usize, observation: &Observation) {
        match &observation.outcome {
            Outcome::Measured(measured) => {
                let load = &measured.load;
                let per_s = load.completed as f64 / load.elapsed_ns.max(1) as f64 * 1e9;
                let blocks = self.served.entry(cell).or_default();
                let served = blocks.entry(observation.block).or_default();
                served.add(observation.attempt, per_s);
            }
            Outcome::Failed(_) => self.gives_up = self.per_ratio > 1,
            Outcome::NotMeasured { .. } => {}
        }
    }

    /// Whether a failed trial has made all others needless: of two servers in turns, one is missing.
    pub const fn gives_up(&self) -> bool {
        self.gives_up
    }

    /// Blocks that are whole.
    pub const fn blocks(&self) -> u32 {
        self.blocks
    }

    /// Whether a marked trial may be made again. On a machine that is never quiet nearly all are
    /// marked, and measuring each twice would gain nothing.
    pub fn may_repeat(&self) -> bool {
        self.repeats * REPEATED_ONE_IN < self.trials + REPEATED_ONE_IN
    }

    /// A trial is made again.
    pub const fn repeats(&mut self) {
        self.repeats += 1;
    }

    /// A block is whole.
    pub fn block_done(&mut self) {
        self.blocks += 1;
        let targets = &self.experiment.stop.targets;
        self.known = targets
            .iter()
            .map(|&target| self.known_of(target).unwrap_or_default())
            .collect();
    }

    fn known_of(&self, target: Target) -> Option<Known> {
        let subjects = self.means(target.subject)?;
        let (reference, subject): (Vec<f64>, Vec<f64>) = self
            .means(target.reference)?
            .iter()
            .filter_map(|(block, &reference)| Some((reference, *subjects.get(block)?)))
            .unzip();
        let paired = PairedRatio::new(&reference, &subject).ok()?;
        let ratio = paired.estimate(self.seed);
        let wanted = self.experiment.stop.half_width;
        Some(Known {
            width: half_width(&ratio),
            enough: narrow_enough(&ratio, paired.blocks(), wanted),
        })
    }

    /// The geometric mean of the blocks behind each ratio; those that are not whole are left out, as are
    /// those in which nothing was served, for they have no ratio.
    fn means(&self, cell: usize) -> Option<BTreeMap<u32, f64>> {
        let mut ratios: BTreeMap<u32, (u32, f64)> = BTreeMap::new();
        let served = self.served.get(&cell)?.iter();
        for (block, served) in served.filter(|(_, served)| served.per_s > 0.0) {
            let ratio = ratios.entry(block / self.per_ratio).or_default();
            ratio.0 += 1;
            ratio.1 += served.mean().ln();
        }
        let whole = ratios
            .into_iter()
            .filter(|(_, (blocks, _))| *blocks == self.per_ratio);
        let means = whole.map(|(ratio, (blocks, sum))| (ratio, (sum / f64::from(blocks)).exp()));
        Some(means.collect())
    }

    /// Whether a set has to be measured again.
    pub fn wants(&self, set: &CellSet) -> bool {
        if self.blocks < self.experiment.stop.least_blocks {
            return true;
        }
        let targets = &self.experiment.stop.targets;
        let mut concerned = targets
            .iter()
            .zip(&self.known)
            .filter(|(target, _)| {
                set.cells.contains(&target.reference) || set.cells.contains(&target.subject)
            })
            .peekable();
        // A set that no ratio is asked of goes on as long as its experiment does.
        concerned.peek().is_none() || concerned.any(|(_, known)| !known.enough)
    }

    /// Why no further block is to be made; nothing where one is.
    pub fn reason(&self) -> Option<StopReason> {
        let rule = &self.experiment.stop;
        if !self.blocks.is_multiple_of(self.per_ratio) {
            return None;
        }
        if self.blocks as usize >= self.experiment.blocks.len() {
            return Some(StopReason::Blocks);
        }
        let all = !self.known.is_empty() && self.known.iter().all(|known| known.enough);
        if self.blocks >= rule.least_blocks && all {
            return Some(StopReason::Target);
        }
        let next: Duration = self
            .experiment
            .sets
            .iter()
            .filter(|set| self.wants(set))
            .map(|set| trial_time(self.cells, self.experiment, set))
            .sum();
        let next = next * self.per_ratio;
        let spent = self.began.elapsed() + next > Duration::from_nanos(rule.budget_ns);
        (spent && self.blocks >= self.least).then_some(StopReason::Budget)
    }

    /// The widest of the wanted intervals; nothing where one of them has none.
    pub fn widest(&self) -> Option<f64> {
        self.known
            .iter()
            .try_fold(0.0, |widest: f64, known| Some(widest.max(known.width?)))
            .filter(|_| !self.known.is_empty())
    }

    /// To be written down.
    pub fn stop(&self, reason: StopReason) -> Stop {
        Stop {
            schema_version: SCHEMA_VERSION,
            experiment: self.experiment.name.clone(),
            reason,
            blocks: self.blocks,
            widest: self.widest(),
        }
    }

    /// Which experiment.
    pub const fn experiment(&self) -> &'a ExperimentPlan {
        self.experiment
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Wishes, tests::plan};
    use schema::Cores;

    /// As many blocks, in which the last of five cells serves so many times what the first does.
    fn after(plan: &Plan, blocks: u32, ratio: impl Fn(u32) -> f64) -> Stopping<'_> {
        let mut stopping = Stopping::of(plan, &plan.experiments[0]);
        for block in 0..blocks {
            for cell in 0..5 {
                let times = if cell == 4 { ratio(block) } else { 1.0 };
                let served = stopping.served.entry(cell).or_default();
                served.entry(block).or_default().add(0, 1_000.0 * times);
            }
            stopping.block_done();
        }
        stopping
    }

    #[test]
    fn what_is_known_well_enough_is_not_measured_again_from_the_tenth_block_on() {
        let plan = plan(1, Cores::Real, &Wishes::default());
        let steady = |blocks| after(&plan, blocks, |block| 5.0 + f64::from(block % 2) * 0.01);
        let early = steady(9);
        assert_eq!(early.reason(), None);
        assert!(early.experiment.sets.iter().all(|set| early.wants(set)));
        let enough = steady(10);
        assert_eq!(enough.reason(), Some(StopReason::Target));
        assert!(enough.widest().unwrap() < 0.02);
    }

    #[test]
    fn a_block_in_which_nothing_was_served_is_left_out() {
        let plan = plan(1, Cores::Real, &Wishes::default());
        let stalled = |blocks| {
            after(&plan, blocks, |block| {
                let served = u32::from(block != 3);
                f64::from(served) * (5.0 + f64::from(block % 2) * 0.01)
            })
        };
        assert_eq!(stalled(10).reason(), None);
        assert_eq!(stalled(11).reason(), Some(StopReason::Target));
    }

    #[test]
    fn what_is_not_known_goes_on_and_so_does_what_nothing_is_asked_of() {
        let plan = plan(1, Cores::Real, &Wishes::default());
        let wide = after(&plan, 10, |block| if block % 2 == 0 { 4.0 } else { 6.0 });
        assert_eq!(wide.reason(), None);
        let wanted = |cell: usize| wide.wants(&plan.experiments[0].sets[cell]);
        // The target is of the first and the last; of those between nothing is asked.
        assert!(wanted(0) && wanted(4) && wanted(2));
    }

    #[test]
    fn blocks_that_were_asked_for_are_made_however_well_all_is_known() {
        let wishes = Wishes {
            blocks: Some(12),
            ..Wishes::default()
        };
        let plan = plan(1, Cores::Real, &wishes);
        let known =
            |blocks| after(&plan, blocks, |block| 5.0 + f64::from(block % 2) * 1e-6).reason();
        assert_eq!((known(11), known(12)), (None, Some(StopReason::Blocks)));
    }

    #[test]
    fn a_trial_that_was_made_again_takes_the_place_of_the_first() {
        let mut served = Served::default();
        served.add(0, 10.0);
        served.add(0, 30.0);
        assert!((served.mean() - 20.0).abs() < 1e-9);
        served.add(1, 50.0);
        assert!((served.mean() - 50.0).abs() < 1e-9);
    }
}
