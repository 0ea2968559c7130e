//! What every later step relies on: the plan is one that can be followed, and the other files are
//! of that plan.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use schema::{ExperimentPlan, Observation, Plan, Stop};

use super::{Line, Place, ReadError};

/// Trials of a cell in a block: the first, and one more where that one was marked.
const ATTEMPTS: u32 = 2;

/// Names are unique, indices name what exists, and every cell is in one set of its experiment.
pub(super) fn check_plan(plan: &Plan, file: &Path) -> Result<(), ReadError> {
    let checked = unique_names(plan)
        .and_then(|()| {
            let mut experiments = plan.experiments.iter();
            experiments.try_for_each(|experiment| indices(plan, experiment))
        })
        .and_then(|()| one_set_each(plan));
    checked.map_err(|reason| ReadError::Damaged {
        place: Place::whole(file),
        reason,
    })
}

fn unique_names(plan: &Plan) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for cell in &plan.cells {
        if !seen.insert(&cell.id) {
            return Err(format!("two cells are called '{}'", cell.id));
        }
    }
    let mut seen = BTreeSet::new();
    for experiment in &plan.experiments {
        if !seen.insert(&experiment.name) {
            return Err(format!("two experiments are called '{}'", experiment.name));
        }
    }
    Ok(())
}

fn indices(plan: &Plan, experiment: &ExperimentPlan) -> Result<(), String> {
    let ExperimentPlan { name, sets, .. } = experiment;
    let cells = plan.cells.len();
    let is_cell = |index: usize, whose: &str| {
        if index < cells {
            Ok(())
        } else {
            Err(format!("{whose} of '{name}' names cell {index} of {cells}"))
        }
    };
    for set in sets {
        set.cells
            .iter()
            .try_for_each(|&cell| is_cell(cell, "a set"))?;
    }
    for target in &experiment.stop.targets {
        is_cell(target.reference, "a target")?;
        is_cell(target.subject, "a target")?;
    }
    let visited = experiment.blocks.iter().flatten();
    match visited.copied().find(|&set| set >= sets.len()) {
        Some(set) => Err(format!(
            "a block of '{name}' visits set {set} of {}",
            sets.len()
        )),
        None => Ok(()),
    }
}

fn one_set_each(plan: &Plan) -> Result<(), String> {
    let mut sets = vec![0; plan.cells.len()];
    for experiment in &plan.experiments {
        for &index in experiment.sets.iter().flat_map(|set| &set.cells) {
            let cell = &plan.cells[index];
            if cell.experiment != experiment.name {
                return Err(format!(
                    "cell '{}' belongs to '{}' and is in a set of '{}'",
                    cell.id, cell.experiment, experiment.name
                ));
            }
            sets[index] += 1;
        }
    }
    match sets.iter().position(|&count| count != 1) {
        Some(index) => Err(format!(
            "cell '{}' is in {} sets and belongs in one",
            plan.cells[index].id, sets[index]
        )),
        None => Ok(()),
    }
}

/// Each is of a cell, a block, an attempt and a copy that may be, and there are no two of the same.
pub(super) fn check_observations(
    observations: &[Line<Observation>],
    plan: &Plan,
    file: &Path,
) -> Result<(), ReadError> {
    let blocks: BTreeMap<&str, usize> = plan
        .experiments
        .iter()
        .map(|experiment| (experiment.name.as_str(), experiment.blocks.len()))
        .collect();
    let blocks: BTreeMap<&str, (usize, u32)> = plan
        .cells
        .iter()
        .map(|cell| {
            let blocks = blocks.get(cell.experiment.as_str());
            (
                cell.id.as_str(),
                (blocks.copied().unwrap_or(0), cell.copies),
            )
        })
        .collect();
    let mut seen = BTreeMap::new();
    for (line, observation) in observations {
        let mixed = |reason| ReadError::Mixed {
            place: Place::line(file, *line),
            reason,
        };
        let Observation {
            cell,
            block,
            attempt,
            copy,
            ..
        } = observation;
        let Some(&(blocks, copies)) = blocks.get(cell.as_str()) else {
            return Err(mixed(format!("the plan has no cell '{cell}'")));
        };
        if *block as usize >= blocks {
            return Err(mixed(format!("it is of block {block} of {blocks}")));
        }
        if *attempt >= ATTEMPTS {
            return Err(mixed(format!("it is of attempt {attempt} of {ATTEMPTS}")));
        }
        if *copy >= copies {
            return Err(mixed(format!("it is of copy {copy} of {copies}")));
        }
        if let Some(first) = seen.insert((cell, block, attempt, copy), line) {
            return Err(mixed(format!(
                "attempt {attempt} of '{cell}' in block {block} stands on line {first} already"
            )));
        }
    }
    Ok(())
}

/// Each is of an experiment that was planned, which ends once.
pub(super) fn check_stops(stops: &[Line<Stop>], plan: &Plan, file: &Path) -> Result<(), ReadError> {
    let mut seen = BTreeMap::new();
    for (line, stop) in stops {
        let name = &stop.experiment;
        let mixed = |reason| ReadError::Mixed {
            place: Place::line(file, *line),
            reason,
        };
        if !plan.experiments.iter().any(|planned| planned.name == *name) {
            return Err(mixed(format!("the plan has no experiment '{name}'")));
        }
        if let Some(first) = seen.insert(name, line) {
            return Err(mixed(format!("'{name}' ended already, on line {first}")));
        }
    }
    Ok(())
}
