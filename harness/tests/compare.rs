//! `counters compare` and `counters export`, with real servers, real run folders and real signals.

mod support;

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use schema::CompareReport;
use serde_json::Value;
use support::{
    COUNTERS, WINDOWS, assert_one_line, below, bin_dir, guard_of, has, lives, stderr, stdout, turn,
    undoubted, wait_for_tree,
};

fn single(options: &str) -> String {
    format!(
        "'{}' --port 0 {options}",
        bin_dir().join("single").display()
    )
}

fn compare(a: &str, b: &str) -> Command {
    let mut command = Command::new(COUNTERS);
    command.args(["compare", a, b]).stdin(Stdio::null());
    command
}

/// As few trials as give an interval, three blocks of four, in windows of this length.
fn in_turns(a: &str, b: &str, window: &str) -> Command {
    let mut command = compare(a, b);
    command.args([
        "--warm-up",
        "50ms",
        "--measure",
        window,
        "--budget",
        "100ms",
    ]);
    command
}

fn report(output: &Output) -> CompareReport {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_server_beside_itself_is_measured_in_blocks_of_four_and_exits_with_0() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let output = undoubted(|window| {
        let _ = fs::remove_dir_all(&out);
        let mut command = in_turns(&single(""), &single(""), window);
        command.args(["--json", "--out"]).arg(&out);
        command
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report = report(&output);
    assert!(report.valid && report.gate.is_none());
    assert_eq!(report.compared.len(), 3);
    for compared in &report.compared {
        assert_eq!((compared.trials, compared.comparison.blocks), ((6, 6), 3));
        assert!(compared.comparison.ratio.interval.is_some());
    }
    let run = reports::read_folder(&out).unwrap();
    let visited: Vec<&str> = run
        .observations
        .iter()
        .filter(|observation| observation.attempt == 0)
        .map(|observation| observation.cell.as_str())
        .collect();
    for four in visited.chunks(4) {
        assert!(
            four == ["a", "b", "b", "a"] || four == ["b", "a", "a", "b"],
            "{visited:?}"
        );
    }
    // The kept folder is a run as any other, of servers that said what they are.
    assert!(run.plan.cells.iter().all(|cell| cell.workers == 1));
    let again = Command::new(COUNTERS)
        .arg("report")
        .arg(&out)
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
}

#[test]
fn a_much_slower_b_fails_the_gate_with_1_and_says_in_what() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let markdown = folder.path().join("summary.md");
    let output = undoubted(|window| {
        let mut command = in_turns(&single(""), &single("--spin-ns 2000000"), window);
        command
            .args(["--fail-above", "5%", "--markdown"])
            .arg(&markdown);
        command
    });
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    // One stall of the machine is longer than any spin: p99 may be in doubt.
    for metric in ["throughput", "CPU time per request"] {
        let line = format!("counters: worse by more than 5 %: {metric} of B is ");
        assert!(said.lines().any(|said| said.starts_with(&line)), "{said}");
    }
    assert!(
        stdout(&output).contains("B does not pass"),
        "{}",
        stdout(&output)
    );
    let summary = fs::read_to_string(&markdown).unwrap();
    assert!(
        summary.starts_with("## Ten Counters: B does not pass"),
        "{summary}"
    );
    // The other way round B is better, and may pass.
    let output = undoubted(|window| {
        let mut command = in_turns(&single("--spin-ns 2000000"), &single(""), window);
        command.args(["--fail-above", "5%"]);
        command
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn any_server_that_takes_its_port_can_be_compared() {
    if !has("python3") {
        return;
    }
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("page"), "text").unwrap();
    let python = format!(
        "python3 -m http.server --bind 127.0.0.1 --directory '{}' {{port}}",
        folder.path().display()
    );
    let output = undoubted(|window| {
        let mut command = in_turns(&python, &python, window);
        command.args(["--json", "--path", "/page", "--connections", "4"]);
        command
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(report(&output).compared.len(), 3);
}

#[test]
fn a_wrong_answer_makes_the_comparison_invalid() {
    let _turn = turn();
    let output = in_turns(&single(""), &single(""), WINDOWS[0])
        .args(["--path", "/nowhere"])
        .output()
        .unwrap();
    assert_one_line(&output, 3, &["failed at warm-up", "404"]);
}

#[test]
fn what_cannot_be_compared_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().to_str().unwrap();
    let cases: [(&str, &str, &[&str]); 6] = [
        ("", "true", &["A is empty"]),
        ("sh -c 'exit", "true", &["A", "quotes"]),
        (
            "runs/nowhere",
            "true",
            &["A", "'runs/nowhere'", "neither a run folder nor a program"],
        ),
        (here, "true", &["A is a folder", "B is none"]),
        ("true", here, &["B is a folder", "A is none"]),
        (here, here, &["plan.json"]),
    ];
    for (a, b, words) in cases {
        assert_one_line(&compare(a, b).output().unwrap(), 2, words);
    }
    for wrong in [
        ["--path", "page"],
        ["--fail-above", "0%"],
        ["--connections", "0"],
    ] {
        let output = compare("true", "true").args(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(wrong[0]), "{}", stderr(&output));
    }
}

#[test]
fn a_command_that_is_no_server_is_told_with_its_last_words() {
    let _turn = turn();
    let ends = "sh -c 'echo port taken >&2; exit 7'";
    let output = in_turns(&single(""), ends, WINDOWS[0]).output().unwrap();
    assert_one_line(
        &output,
        3,
        &["B failed at ready", "exit code 7", "port taken", "{port}"],
    );
    let output = in_turns("sleep 600", ends, WINDOWS[0])
        .args(["--ready-timeout", "200ms"])
        .output()
        .unwrap();
    assert_one_line(
        &output,
        3,
        &["A failed at ready", "--ready-timeout", "{port}"],
    );
}

/// A comparison whose first measurement goes on for minutes, once its server is there.
fn long_trial(out: &Path) -> (Child, i32) {
    let mut child = compare(&single(""), &single(""))
        .args(["--measure", "10m", "--out"])
        .arg(out)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Before that, each server is launched once to be known.
    while !out.join("machine.json").exists() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "ended before it measured"
        );
        std::thread::yield_now();
    }
    wait_for_tree(&mut child, 2);
    let guard = guard_of(&child);
    let server = loop {
        // The guard's child is the guard itself until it has become the server.
        if let Some(&server) = below(guard.cast_unsigned()).first() {
            break server;
        }
    };
    (child, server)
}

#[test]
fn a_server_that_dies_ends_the_comparison_and_leaves_nothing_behind() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (child, server) = long_trial(folder.path());
    let tree = below(child.id());
    kill(Pid::from_raw(server), Signal::SIGKILL).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_one_line(&output, 3, &["failed at", "SIGKILL"]);
    assert_eq!(tree.into_iter().filter(|&pid| lives(pid)).count(), 0);
}

#[test]
fn ctrl_c_ends_a_comparison_with_130_and_its_servers_with_it() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (child, _) = long_trial(folder.path());
    let tree = below(child.id());
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_one_line(&output, 130, &["interrupted"]);
    assert_eq!(tree.into_iter().filter(|&pid| lives(pid)).count(), 0);
}

/// A run folder of one server.
fn folder_of(server: &str, dir: &Path) -> String {
    let output = undoubted(|window| {
        let _ = fs::remove_dir_all(dir);
        let mut command = Command::new(COUNTERS);
        command
            .args(["run", "--only", "throughput", "--servers", server])
            .args(["--workers", "1", "--blocks", "3"])
            .args(["--warm-up", "50ms", "--measure", window, "--bin-dir"])
            .arg(bin_dir())
            .arg("--out")
            .arg(dir);
        command
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    dir.to_str().unwrap().to_owned()
}

/// Has a run folder tell of an answer that was wrong.
fn spoil(dir: &str) {
    let file = Path::new(dir).join("observations.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(file, text.replacen("\"errors\":0", "\"errors\":1", 1)).unwrap();
}

#[test]
fn run_folders_are_compared_and_exported_and_invalid_ones_say_so() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let one = folder_of("single", &folder.path().join("one"));
    let other = folder_of("cluster", &folder.path().join("other"));

    let output = compare(&one, &one)
        .args(["--json", "--fail-above", "1%"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report = report(&output);
    assert!(report.gate.unwrap().passed);
    let cells: Vec<_> = report
        .compared
        .iter()
        .map(|c| c.cell.as_deref().unwrap())
        .collect();
    assert_eq!(cells, ["single-w1-hello"; 3]);

    let output = compare(&one, &other).output().unwrap();
    assert_one_line(&output, 2, &["single-w1-hello", "cluster-w1-hello"]);
    let output = compare(&one, &one)
        .args(["--out", "here"])
        .output()
        .unwrap();
    assert_one_line(&output, 2, &["--out"]);

    exports_of(&one);
    spoil(&one);
    let output = compare(&one, &one).output().unwrap();
    assert_one_line(&output, 3, &["invalid", "A breaks a rule"]);
    let output = export(&one, "bencher").output().unwrap();
    assert_one_line(&output, 3, &["invalid", "counters report"]);
    let exported: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(exported["single-w1-hello"]["throughput"]["value"].is_number());
}

fn export(dir: &str, format: &str) -> Command {
    let mut command = Command::new(COUNTERS);
    command.args(["export", dir, "--format", format]);
    command
}

fn exports_of(dir: &str) {
    for format in ["bencher", "github-bigger", "github-smaller", "markdown"] {
        let printed = export(dir, format).output().unwrap();
        assert_eq!(printed.status.code(), Some(0), "{}", stderr(&printed));
        let file = Path::new(dir).join("exported");
        let written = export(dir, format)
            .arg("--out")
            .arg(&file)
            .output()
            .unwrap();
        assert_eq!(stdout(&written), "");
        assert_eq!(fs::read_to_string(&file).unwrap(), stdout(&printed));
        if format == "markdown" {
            assert!(stdout(&printed).starts_with("## Ten Counters: "));
        } else {
            let value: Value = serde_json::from_slice(&printed.stdout).unwrap();
            assert_eq!(value.is_object(), format == "bencher");
            assert_eq!(value.is_array(), format != "bencher");
        }
    }
    let output = export(dir, "bencher")
        .args(["--out", "/proc/nowhere/x"])
        .output()
        .unwrap();
    assert_one_line(&output, 2, &["/proc/nowhere/x", "--out"]);
    assert_one_line(
        &export("/nowhere", "bencher").output().unwrap(),
        2,
        &["/nowhere/plan.json"],
    );
}
