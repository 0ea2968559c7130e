//! Which of a run's trials are judged.
//!
//! Cells of one set are measured at the same time, and repeated together where one of them was
//! marked, so the choice is made for a set: the first attempt in which none of its trials was
//! marked, and where there is none, the last. So what disturbed one of them disturbed all, and
//! falls out of their ratios. Trials that were passed over stay in the run and are counted
//! ([`Measurements::repeats`]).

use std::collections::{BTreeMap, BTreeSet};

use schema::{Cell, Failure, MarkKind, Measured, Outcome, StopReason};

use crate::{
    Run,
    groups::in_words,
    trials::{Trial, Trials, generator_ns},
};

/// A run with the trials that are judged.
pub(crate) struct Measurements<'a> {
    pub(crate) run: &'a Run,
    by_cell: BTreeMap<&'a str, Trials<'a>>,
    repeats: Repeats,
}

/// How many trials broke a limit of noise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Repeats {
    /// Cells times blocks that were measured.
    pub(crate) trials: usize,
    /// Those whose first trial was marked.
    pub(crate) marked: usize,
    /// Those whose judged trial is a marked one.
    pub(crate) still_marked: usize,
    /// Why, over all marked trials.
    pub(crate) kinds: BTreeMap<MarkKind, usize>,
}

/// What was measured at the same time, by cell.
type Attempt<'a> = Vec<(&'a str, &'a Measured)>;

/// The place of a set: its experiment, and itself within it.
type SetIndex = (usize, usize);

impl<'a> Measurements<'a> {
    pub(crate) fn of(run: &'a Run) -> Self {
        let mut by_cell: BTreeMap<&'a str, Trials<'a>> = BTreeMap::new();
        let mut repeats = Repeats::default();
        for ((_, block), attempts) in attempts(run) {
            let Some(judged) = judged(&attempts) else {
                continue;
            };
            repeats.count(&attempts, judged);
            let generator = judged
                .iter()
                .map(|(_, measured)| generator_ns(measured))
                .sum();
            let mut launches: BTreeMap<&'a str, Vec<&'a Measured>> = BTreeMap::new();
            for &(cell, measured) in judged {
                launches.entry(cell).or_default().push(measured);
            }
            for (cell, launches) in launches {
                if let Some(trial) = Trial::beside(&launches, generator) {
                    by_cell.entry(cell).or_default().insert(block, trial);
                }
            }
        }
        Self {
            run,
            by_cell,
            repeats,
        }
    }

    /// The trials of a cell that are judged.
    pub(crate) fn trials(&self, cell: &str) -> Trials<'a> {
        self.by_cell.get(cell).cloned().unwrap_or_default()
    }

    /// Every trial that is judged.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'a Cell, u32, Trial<'a>)> {
        self.by_cell
            .iter()
            .filter_map(|(id, trials)| Some((self.run.cell(id)?, trials)))
            .flat_map(|(cell, trials)| {
                trials
                    .iter()
                    .map(move |(&block, &trial)| (cell, block, trial))
            })
    }

    pub(crate) fn repeats(&self) -> &Repeats {
        &self.repeats
    }
}

/// The measured attempts of each set in each block.
fn attempts(run: &Run) -> BTreeMap<(SetIndex, u32), BTreeMap<u32, Attempt<'_>>> {
    let mut sets: BTreeMap<&str, SetIndex> = BTreeMap::new();
    for (experiment, planned) in run.plan.experiments.iter().enumerate() {
        for (set, cells) in planned.sets.iter().enumerate() {
            let cells = cells
                .cells
                .iter()
                .filter_map(|&index| run.plan.cells.get(index));
            sets.extend(cells.map(|cell| (cell.id.as_str(), (experiment, set))));
        }
    }
    let mut found: BTreeMap<(SetIndex, u32), BTreeMap<u32, Attempt<'_>>> = BTreeMap::new();
    for observation in &run.observations {
        let cell = observation.cell.as_str();
        if let (Some(&set), Outcome::Measured(measured)) = (sets.get(cell), &observation.outcome) {
            let attempts = found.entry((set, observation.block)).or_default();
            let attempt = attempts.entry(observation.attempt).or_default();
            attempt.push((cell, measured));
        }
    }
    found
}

fn is_marked(measured: &Measured) -> bool {
    !measured.noise.marks.is_empty()
}

/// Among the attempts in which most cells were measured, the first without a mark, or the last.
fn judged<'s, 'a>(attempts: &'s BTreeMap<u32, Attempt<'a>>) -> Option<&'s Attempt<'a>> {
    let most = attempts.values().map(Vec::len).max()?;
    let whole = || attempts.values().filter(|attempt| attempt.len() == most);
    let unmarked = |attempt: &&Attempt<'_>| !attempt.iter().any(|(_, m)| is_marked(m));
    whole().find(unmarked).or_else(|| whole().next_back())
}

impl Repeats {
    fn count(&mut self, attempts: &BTreeMap<u32, Attempt<'_>>, judged: &Attempt<'_>) {
        let marked = |attempt: &Attempt<'_>| attempt.iter().filter(|(_, m)| is_marked(m)).count();
        self.trials += judged.len();
        self.marked += attempts.get(&0).map_or(0, marked);
        self.still_marked += marked(judged);
        for (_, measured) in attempts.values().flatten() {
            let kinds: BTreeSet<MarkKind> = measured.noise.marks.iter().map(|m| m.kind).collect();
            for kind in kinds {
                *self.kinds.entry(kind).or_default() += 1;
            }
        }
    }
}

/// A cell that was never tried, and why.
#[derive(Clone, Copy)]
pub(crate) struct Missing<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) reason: &'a str,
    pub(crate) cure: &'a str,
}

/// A trial that failed.
#[derive(Clone, Copy)]
pub(crate) struct Failed<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) block: u32,
    pub(crate) failure: &'a Failure,
}

impl Run {
    /// The cell of that id. Reading a folder refuses ids that have none.
    pub(crate) fn cell(&self, id: &str) -> Option<&Cell> {
        self.plan.cells.iter().find(|cell| cell.id == id)
    }

    /// Every trial that was measured, judged or passed over, in the order of measurement.
    pub(crate) fn measured(&self) -> impl Iterator<Item = (&Cell, u32, &Measured)> {
        self.observations
            .iter()
            .filter_map(|observation| match &observation.outcome {
                Outcome::Measured(measured) => Some((
                    self.cell(&observation.cell)?,
                    observation.block,
                    &**measured,
                )),
                Outcome::Failed(_) | Outcome::NotMeasured { .. } => None,
            })
    }

    pub(crate) fn failures(&self) -> Vec<Failed<'_>> {
        self.observations
            .iter()
            .filter_map(|observation| match &observation.outcome {
                Outcome::Failed(failure) => Some(Failed {
                    cell: self.cell(&observation.cell)?,
                    block: observation.block,
                    failure,
                }),
                Outcome::Measured(_) | Outcome::NotMeasured { .. } => None,
            })
            .collect()
    }

    /// Cells that were never tried, each once, in the order of the plan.
    pub(crate) fn missing(&self) -> Vec<Missing<'_>> {
        self.plan
            .cells
            .iter()
            .filter_map(|cell| {
                self.observations
                    .iter()
                    .filter(|observation| observation.cell == cell.id)
                    .find_map(|observation| match &observation.outcome {
                        Outcome::NotMeasured { reason, cure } => {
                            Some(Missing { cell, reason, cure })
                        }
                        Outcome::Measured(_) | Outcome::Failed(_) => None,
                    })
            })
            .collect()
    }

    /// The same, each server once: it is asked more than one question.
    pub(crate) fn missing_servers(&self) -> Vec<Missing<'_>> {
        let mut told = BTreeSet::new();
        let mut missing = self.missing();
        missing.retain(|missing| told.insert((in_words(missing.cell), missing.reason)));
        missing
    }

    /// Trials that were made and trials that should have been. Trials that could not be made, as a
    /// program is missing, are in neither; nor are those that a stop rule made needless.
    pub(crate) fn progress(&self) -> (usize, usize) {
        let missing: BTreeSet<&str> = self.missing().iter().map(|m| m.cell.id.as_str()).collect();
        let made: BTreeSet<(&str, u32)> = self
            .observations
            .iter()
            .filter(|observation| !matches!(observation.outcome, Outcome::NotMeasured { .. }))
            .map(|observation| (observation.cell.as_str(), observation.block))
            .collect();
        let is_of = |name: &str, id: &str| self.cell(id).is_some_and(|c| c.experiment == name);
        let due = self.plan.experiments.iter().map(|experiment| {
            if self.is_done(&experiment.name) {
                let name = &experiment.name;
                return made.iter().filter(|(id, _)| is_of(name, id)).count();
            }
            let sets = experiment.blocks.iter().flatten();
            sets.filter_map(|&set| experiment.sets.get(set))
                .flat_map(|set| &set.cells)
                .filter_map(|&index| self.plan.cells.get(index))
                .filter(|cell| !missing.contains(cell.id.as_str()))
                .count()
        });
        (made.len(), due.sum())
    }

    /// Whether an experiment came to the end that its rule foresees.
    fn is_done(&self, experiment: &str) -> bool {
        self.stops
            .iter()
            .any(|stop| stop.experiment == experiment && stop.reason != StopReason::Interrupted)
    }
}
