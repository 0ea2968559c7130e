//! Reading run folders: what is tolerated, and what is refused in which words.

mod synthetic;

use std::{fs, path::Path};

use reports::{ReadError, Run, read_folder};
use schema::{Plan, StopReason, Target};
use synthetic::emulated::{calibration, emulated, linear, stop};
use tempfile::TempDir;

fn stored(run: &Run) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    synthetic::store(run, folder.path());
    folder
}

/// A change to a plan, and what is said of it.
type Contradiction = (fn(&mut Plan), &'static str);

/// Reads, and gives back the refusal, which must be one line.
fn refusal(folder: &Path) -> String {
    let error = read_folder(folder).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

fn edit(folder: &TempDir, name: &str, change: impl FnOnce(String) -> String) {
    let file = folder.path().join(name);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, change(text)).unwrap();
}

#[test]
fn what_was_written_is_what_is_read() {
    let run = synthetic::typical(2);
    assert_eq!(read_folder(stored(&run).path()).unwrap(), run);
}

#[test]
fn a_missing_plan_is_named_with_what_to_do() {
    let error = refusal(tempfile::tempdir().unwrap().path());
    assert!(
        error.contains("plan.json") && error.contains("counters run"),
        "{error}"
    );
}

#[test]
fn a_run_that_was_ended_before_its_first_trial_has_no_observations() {
    let folder = stored(&synthetic::typical(1));
    fs::remove_file(folder.path().join("observations.jsonl")).unwrap();
    let run = read_folder(folder.path()).unwrap();
    assert!(run.observations.is_empty() && !run.cut_off);
}

#[test]
fn a_last_line_that_was_cut_off_is_left_out_wherever_the_cut_fell() {
    let run = synthetic::typical(1);
    let folder = stored(&run);
    let file = folder.path().join("observations.jsonl");
    let whole = fs::read(&file).unwrap();
    let last = whole[..whole.len() - 1]
        .iter()
        .rposition(|&b| b == b'\n')
        .unwrap()
        + 1;
    for cut in [last + 1, last + 2, last + 40, whole.len() - 2] {
        fs::write(&file, &whole[..cut]).unwrap();
        let read = read_folder(folder.path()).unwrap();
        assert!(read.cut_off, "cut at {cut} of {}", whole.len());
        assert_eq!(read.observations.len(), run.observations.len() - 1);
    }
}

#[test]
fn a_whole_last_line_counts_even_where_its_newline_is_missing() {
    let run = synthetic::typical(1);
    let folder = stored(&run);
    edit(&folder, "observations.jsonl", |text| {
        text.trim_end().to_owned()
    });
    assert_eq!(read_folder(folder.path()).unwrap(), run);
}

#[test]
fn garbage_in_the_middle_is_refused_with_file_and_line() {
    let folder = stored(&synthetic::typical(1));
    edit(&folder, "observations.jsonl", |text| {
        let (first, rest) = text.split_once('\n').unwrap();
        format!("{first}\nnot json at all\n{rest}")
    });
    let error = refusal(folder.path());
    assert!(error.contains("observations.jsonl:2"), "{error}");
    assert!(error.contains("damaged"), "{error}");
}

#[test]
fn garbage_at_the_end_is_no_cut() {
    for garbage in ["not json at all", "{}{}"] {
        let folder = stored(&synthetic::typical(1));
        edit(&folder, "observations.jsonl", |text| text + garbage);
        let error = refusal(folder.path());
        assert!(error.contains("observations.jsonl:8"), "{error}");
    }
}

#[test]
fn a_file_that_ten_counters_did_not_write_is_called_that() {
    for name in ["plan.json", "machine.json"] {
        let folder = stored(&synthetic::typical(1));
        fs::write(folder.path().join(name), r#"{"name":"something else"}"#).unwrap();
        let error = refusal(folder.path());
        assert!(
            error.contains(name) && error.contains("did not write it"),
            "{error}"
        );
    }
}

#[test]
fn another_schema_version_is_refused_with_both_numbers() {
    for name in [
        "plan.json",
        "machine.json",
        "observations.jsonl",
        "stops.jsonl",
        "calibration.json",
    ] {
        let mut run = synthetic::typical(1);
        run.stops = vec![stop("throughput", StopReason::Blocks, 1, None)];
        run.calibration = Some(calibration());
        let folder = stored(&run);
        edit(&folder, name, |text| {
            text.replace(r#""schema_version": 4"#, r#""schema_version": 9"#)
                .replace(r#""schema_version":4"#, r#""schema_version":9"#)
        });
        let error = read_folder(folder.path()).unwrap_err();
        assert!(
            matches!(error, ReadError::Version { found: 9, .. }),
            "{error}"
        );
        let error = error.to_string();
        assert!(
            error.contains("version 9") && error.contains("reads 4"),
            "{error}"
        );
    }
}

#[test]
fn an_observation_of_a_cell_that_is_not_planned_is_refused_with_its_line() {
    let mut run = synthetic::typical(1);
    run.observations[4].cell = "elsewhere-w3-hello".to_owned();
    let error = refusal(stored(&run).path());
    assert!(error.contains("observations.jsonl:5"), "{error}");
    assert!(error.contains("elsewhere-w3-hello"), "{error}");
}

#[test]
fn an_observation_of_a_block_that_is_not_planned_is_refused() {
    let mut run = synthetic::typical(2);
    run.observations[0].block = 2;
    let error = refusal(stored(&run).path());
    assert!(error.contains("block 2 of 2"), "{error}");
}

#[test]
fn an_attempt_made_twice_is_refused_and_a_second_attempt_is_not_and_a_third_is() {
    let mut run = synthetic::typical(1);
    run.observations.push(run.observations[0].clone());
    let error = refusal(stored(&run).path());
    assert!(
        error.contains("observations.jsonl:8") && error.contains("line 1"),
        "{error}"
    );

    run.observations[7].attempt = 1;
    let read = read_folder(stored(&run).path()).unwrap();
    assert_eq!(read.observations[7].attempt, 1);

    run.observations[7].attempt = 2;
    let error = refusal(stored(&run).path());
    assert!(error.contains("attempt 2 of 2"), "{error}");
}

#[test]
fn a_plan_that_contradicts_itself_is_refused() {
    let mut run = synthetic::typical(1);
    run.plan.experiments[0].blocks[0][0] = 99;
    let error = refusal(stored(&run).path());
    assert!(
        error.contains("plan.json") && error.contains("set 99 of 7"),
        "{error}"
    );

    let contradictions: [Contradiction; 7] = [
        (
            |plan| plan.cells[1].id = plan.cells[0].id.clone(),
            "two cells",
        ),
        (
            |plan| plan.experiments[1].name = plan.experiments[0].name.clone(),
            "two experiments",
        ),
        (
            |plan| plan.experiments[0].sets[0].cells.push(99),
            "names cell 99",
        ),
        (
            |plan| {
                plan.experiments[0].stop.targets.push(Target {
                    reference: 0,
                    subject: 77,
                });
            },
            "a target of 'headline' names cell 77",
        ),
        (
            |plan| plan.experiments[0].sets[0].cells.truncate(3),
            "'headline-threads-w10-hello' is in 0 sets",
        ),
        (
            |plan| plan.experiments[0].sets[0].cells.push(0),
            "'headline-cluster-w1-hello' is in 2 sets",
        ),
        (
            |plan| plan.experiments[1].sets[0].cells.push(0),
            "belongs to 'headline' and is in a set of 'fidelity'",
        ),
    ];
    for (contradict, said) in contradictions {
        let mut run = emulated(&["headline", "fidelity"], 1, linear);
        contradict(&mut run.plan);
        let error = refusal(stored(&run).path());
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn stops_and_a_calibration_are_read_back() {
    let mut run = emulated(&["headline"], 1, linear);
    run.stops = vec![stop("headline", StopReason::Target, 1, Some(0.015))];
    run.calibration = Some(calibration());
    assert_eq!(read_folder(stored(&run).path()).unwrap(), run);
}

#[test]
fn a_last_stop_that_was_cut_off_is_left_out() {
    let mut run = emulated(&["headline", "fidelity"], 1, linear);
    run.stops = vec![
        stop("headline", StopReason::Target, 1, Some(0.015)),
        stop("fidelity", StopReason::Budget, 1, None),
    ];
    let folder = stored(&run);
    edit(&folder, "stops.jsonl", |mut text| {
        text.truncate(text.len() - 9);
        text
    });
    let read = read_folder(folder.path()).unwrap();
    assert_eq!(read.stops.len(), 1);
    assert!(!read.cut_off, "no observation was");
}

#[test]
fn a_stop_of_an_experiment_that_is_not_planned_or_ended_before_is_refused() {
    let mut run = emulated(&["headline"], 1, linear);
    run.stops = vec![stop("elsewhere", StopReason::Target, 1, None)];
    let error = refusal(stored(&run).path());
    assert!(
        error.contains("stops.jsonl:1") && error.contains("'elsewhere'"),
        "{error}"
    );
    run.stops = vec![stop("headline", StopReason::Target, 1, None); 2];
    let error = refusal(stored(&run).path());
    assert!(error.contains("ended already, on line 1"), "{error}");
}

#[test]
fn a_file_that_cannot_be_read_gives_the_kernels_reason() {
    let folder = stored(&synthetic::typical(1));
    fs::remove_file(folder.path().join("machine.json")).unwrap();
    fs::create_dir(folder.path().join("machine.json")).unwrap();
    let error = refusal(folder.path());
    assert!(
        error.contains("machine.json") && error.contains("directory"),
        "{error}"
    );
}
