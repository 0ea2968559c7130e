//! Users that leave, by whatever way: what was measured is kept and nothing is left running.

mod support;

use std::{
    env, fs,
    io::{self, BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use nix::{
    sys::{
        prctl,
        signal::{Signal, kill},
        wait::waitpid,
    },
    unistd::Pid,
};
use schema::Outcome;
use support::{
    COUNTERS, bin_dir, fine_or_in_doubt, first_cpu, guard_of, has, lives, observations, program,
    stderr, stdout, turn, wait_for_tree,
};

/// A run that would go on for minutes, in trials of this timing.
fn long_run(out: &Path, servers: &str, timing: &[&str]) -> Command {
    let mut command = Command::new(COUNTERS);
    command
        .args(["run", "--only", "throughput", "--workers", "2"])
        .args(["--servers", servers])
        .args(timing)
        .arg("--bin-dir")
        .arg(bin_dir())
        .arg("--out")
        .arg(out)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

const LONG_TRIALS: &[&str] = &["--measure", "10m"];
const SHORT_TRIALS: &[&str] = &[
    "--warm-up",
    "50ms",
    "--measure",
    "150ms",
    "--blocks",
    "1000",
];

#[test]
fn ctrl_c_ends_everything_in_order_and_leaves_a_valid_partial_run() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let mut child = long_run(folder.path(), "cluster", SHORT_TRIALS)
        .spawn()
        .unwrap();
    let first = first_line(&mut child, &folder.path().join("observations.jsonl"));
    // A guard, the primary and two workers of a later trial.
    let tree = wait_for_tree(&mut child, 4);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("interrupted"),
        "{}",
        stderr(&output)
    );
    assert_eq!(tree.into_iter().filter(|&pid| lives(pid)).count(), 0);
    let kept = fs::read_to_string(folder.path().join("observations.jsonl")).unwrap();
    assert!(kept.starts_with(&first) && kept.ends_with('\n'), "{kept}");
    for one in observations(folder.path()) {
        let whole = matches!(one.outcome, Outcome::Measured(_));
        assert!(whole, "{}: {:?}", one.cell, one.outcome);
    }
    let again = Command::new(COUNTERS)
        .arg("report")
        .arg(folder.path())
        .output()
        .unwrap();
    fine_or_in_doubt(&again, folder.path());
    assert_eq!(stdout(&again), stdout(&output));
    let markdown = fs::read_to_string(folder.path().join("report.md")).unwrap();
    assert!(markdown.contains("of 1000 trials were made"), "{markdown}");
}

/// Waits for the first whole line of a file; fails if the program that writes it ends before.
fn first_line(child: &mut Child, path: &Path) -> String {
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if let Some(end) = text.find('\n') {
            return text[..=end].to_owned();
        }
        assert!(
            child.try_wait().unwrap().is_none(),
            "counters ended before it made a trial"
        );
        thread::yield_now();
    }
}

/// Kills the harness as nothing can be caught, and waits for its guard, which falls to this process.
fn kill_harness_and_wait(mut harness: Command, processes: usize) {
    prctl::set_child_subreaper(true).unwrap();
    let mut child = harness.spawn().unwrap();
    let tree = wait_for_tree(&mut child, processes);
    let guard = guard_of(&child);
    child.kill().unwrap();
    child.wait().unwrap();
    let (ended, end) = mpsc::channel();
    thread::spawn(move || ended.send(waitpid(Pid::from_raw(guard), None)));
    end.recv_timeout(Duration::from_mins(1))
        .expect("the guard outlives the harness")
        .unwrap();
    assert_eq!(tree.into_iter().filter(|&pid| lives(pid)).count(), 0);
}

#[test]
fn a_killed_harness_leaves_no_process_of_ours_behind() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    kill_harness_and_wait(long_run(folder.path(), "cluster", LONG_TRIALS), 4);
}

#[test]
fn a_killed_harness_leaves_no_process_of_a_guest_behind() {
    let _turn = turn();
    for (program, guest) in [
        ("node", "node-cluster"),
        ("nginx", "nginx-shared"),
        ("gunicorn", "gunicorn-sync"),
    ] {
        if has(program) {
            let folder = tempfile::tempdir().unwrap();
            kill_harness_and_wait(long_run(folder.path(), guest, LONG_TRIALS), 3);
        }
    }
}

#[test]
fn a_killed_harness_leaves_no_build_behind() {
    let _turn = turn();
    // A checkout of its own, so that there is something to build, and a cargo that never ends.
    let folder = tempfile::tempdir().unwrap();
    let debug = folder.path().join("target/debug");
    fs::create_dir_all(&debug).unwrap();
    fs::create_dir(folder.path().join("servers")).unwrap();
    fs::write(folder.path().join("servers/Cargo.toml"), "").unwrap();
    fs::copy(COUNTERS, debug.join("counters")).unwrap();
    let cargo = program(folder.path(), "cargo", "#!/bin/sh\nsleep 1000\n");
    let mut harness = Command::new(debug.join("counters"));
    harness.arg("run").env("CARGO", cargo);
    // A guard, the shell and its sleep.
    kill_harness_and_wait(harness, 3);
}

/// `counters list` on a machine whose node does this.
fn list_with_node(folder: &Path, script: &str) -> Command {
    program(folder, "node", script);
    let path = env::var("PATH").unwrap();
    let mut list = Command::new(COUNTERS);
    list.args(["list", "--bin-dir"])
        .arg(bin_dir())
        .env("PATH", format!("{}:{path}", folder.display()));
    list
}

#[test]
fn a_killed_harness_leaves_no_node_behind_that_was_asked_for_its_version() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    kill_harness_and_wait(list_with_node(folder.path(), "#!/bin/sh\nsleep 1000\n"), 3);
}

#[test]
fn a_node_that_does_not_say_its_version_is_given_up_and_ended() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("pid");
    let script = format!("#!/bin/sh\necho $$ > {}\nexec sleep 1000\n", told.display());
    let output = list_with_node(folder.path(), &script).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let listing = stdout(&output);
    assert!(
        listing.contains("node did not say its version within 5s, see what holds up"),
        "{listing}"
    );
    let node = fs::read_to_string(told).unwrap();
    assert!(!lives(node.trim().parse().unwrap()));
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    for arguments in [["list", "--json"], ["list", "--bin-dir=."]] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = Command::new(COUNTERS)
            .args(arguments)
            .stdout(writer)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(stderr(&output), "");
    }
}

#[test]
fn a_daemon_does_not_escape_its_guard() {
    let mut guard = Command::new(COUNTERS)
        .args([
            "guard",
            "--cpus",
            &first_cpu(),
            "--",
            "sh",
            "-c",
            "setsid sleep 1000 & echo $!; wait",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(guard.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let daemon: i32 = line.trim().parse().unwrap();
    assert!(lives(daemon));
    drop(guard.stdin.take());
    guard.wait().unwrap();
    assert!(!lives(daemon));
}

#[test]
fn a_guard_passes_on_the_commands_exit_code() {
    let mut guard = Command::new(COUNTERS)
        .args(["guard", "--", "sh", "-c", "exit 7"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let lifeline = guard.stdin.take();
    assert_eq!(guard.wait().unwrap().code(), Some(7));
    drop(lifeline);
}
