//! Reading run folders: what is tolerated, and what is refused in which words.

mod synthetic;

use std::{fs, path::Path};

use reports::{ReadError, Run, read_folder};
use schema::Outcome;
use tempfile::TempDir;

fn stored(run: &Run) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    synthetic::store(run, folder.path());
    folder
}

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
    for name in ["plan.json", "machine.json", "observations.jsonl"] {
        let folder = stored(&synthetic::typical(1));
        edit(&folder, name, |text| {
            text.replace(r#""schema_version": 2"#, r#""schema_version": 9"#)
                .replace(r#""schema_version":2"#, r#""schema_version":9"#)
        });
        let error = read_folder(folder.path()).unwrap_err();
        assert!(
            matches!(error, ReadError::Version { found: 9, .. }),
            "{error}"
        );
        let error = error.to_string();
        assert!(
            error.contains("version 9") && error.contains("reads 2"),
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
fn a_trial_measured_twice_is_refused_and_one_repeated_after_a_failure_is_not() {
    let mut run = synthetic::typical(1);
    run.observations.push(run.observations[0].clone());
    let error = refusal(stored(&run).path());
    assert!(
        error.contains("observations.jsonl:8") && error.contains("line 1"),
        "{error}"
    );

    run.observations[0].outcome = synthetic::failure("it did not start", "");
    let read = read_folder(stored(&run).path()).unwrap();
    assert!(matches!(read.observations[7].outcome, Outcome::Measured(_)));
}

#[test]
fn a_plan_that_contradicts_itself_is_refused() {
    let mut run = synthetic::typical(1);
    run.plan.blocks[0][0] = 99;
    let error = refusal(stored(&run).path());
    assert!(
        error.contains("plan.json") && error.contains("cell 99 of 7"),
        "{error}"
    );

    let mut run = synthetic::typical(1);
    run.plan.cells[1].id = run.plan.cells[0].id.clone();
    let error = refusal(stored(&run).path());
    assert!(error.contains("two cells"), "{error}");
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
