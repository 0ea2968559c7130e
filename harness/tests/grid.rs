//! The grid, Stevens' designs and the balance of workers, over every server there is.

mod support;

use std::{collections::BTreeSet, fs};

use schema::{Model, Outcome, Plan, Verdicts};
use support::{observations, run_of, stderr, turn};

const SHORT: &[&str] = &["--warm-up", "50ms", "--measure", "100ms", "--blocks", "1"];

#[test]
fn every_model_is_measured_or_says_why_not_in_three_experiments() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let output = run_of("grid,stevens,balance", folder.path(), SHORT)
        .output()
        .unwrap();
    let code = output.status.code();
    // A trial that failed or timed out makes the run invalid, which it says.
    assert!(code == Some(0) || code == Some(3), "{}", stderr(&output));
    let read = |file: &str| fs::read(folder.path().join(file)).unwrap();
    let plan: Plan = serde_json::from_slice(&read("plan.json")).unwrap();
    let verdicts: Verdicts = serde_json::from_slice(&read("verdicts.json")).unwrap();
    assert_eq!(verdicts.valid, code == Some(0));
    let names: Vec<_> = plan
        .experiments
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(names, ["grid", "stevens", "balance"]);

    let observations = observations(folder.path());
    let seen: BTreeSet<&str> = observations.iter().map(|one| one.cell.as_str()).collect();
    let planned: BTreeSet<&str> = plan.cells.iter().map(|cell| cell.id.as_str()).collect();
    assert_eq!(seen, planned);
    for observation in &observations {
        match &observation.outcome {
            Outcome::Measured(measured) => {
                let load = &measured.load;
                let told = load.completed + load.errors + load.timeouts + load.unfinished;
                assert_eq!(load.offered, told, "{}", observation.cell);
                assert_eq!(
                    load.errors, 0,
                    "{}: {:?}",
                    observation.cell, load.error_kinds
                );
            }
            Outcome::Failed(failure) => {
                assert!(!failure.reason.is_empty(), "{}", observation.cell);
                eprintln!("{} failed: {}", observation.cell, failure.reason);
            }
            Outcome::NotMeasured { reason, cure } => {
                assert!(
                    !reason.is_empty() && !cure.is_empty(),
                    "{}",
                    observation.cell
                );
            }
        }
    }
    let in_grid: BTreeSet<Model> = plan
        .cells
        .iter()
        .filter(|cell| cell.experiment == "grid")
        .map(|cell| cell.model)
        .collect();
    assert!(Model::legal().all(|model| in_grid.contains(&model)));
}
