//! Servers that fail, and users that leave: nothing is lost and nothing is left running.

mod support;

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
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
use schema::Stage;
use support::{
    COUNTERS, bin_dir, failures, has, lives, measured, observations, program, short_run, stderr,
    turn, wait_for_tree,
};

/// Runs `single` made of this script, beside the real `threads`.
fn run_with_bad_single(
    script: &str,
    options: &[&str],
) -> (tempfile::TempDir, std::process::Output) {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    program(
        &bin,
        "single",
        &script.replace("REAL", bin_dir().join("single").to_str().unwrap()),
    );
    symlink(bin_dir().join("threads"), bin.join("threads")).unwrap();
    let mut command = Command::new(COUNTERS);
    command
        .args([
            "run",
            "--blocks",
            "1",
            "--measure",
            "150ms",
            "--workers",
            "1",
        ])
        .args(["--servers", "single,threads", "--bin-dir"])
        .arg(&bin)
        .arg("--out")
        .arg(folder.path().join("run"))
        .args(options);
    let output = command.output().unwrap();
    (folder, output)
}

/// One server failed, the other was measured, the report tells it, the exit code says invalid.
#[track_caller]
fn assert_failed_alone(dir: &Path, output: &std::process::Output, stage: Stage, words: &[&str]) {
    let stderr = stderr(output);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    let run = dir.join("run");
    let failures = failures(&run);
    assert_eq!(failures.len(), 1, "{stderr}");
    let (cell, failure) = &failures[0];
    assert_eq!(
        (cell.as_str(), failure.stage),
        ("single-w1-hello", stage),
        "{failure:?}"
    );
    let told = format!("{} {}", failure.reason, failure.stderr);
    let html = fs::read_to_string(run.join("report.html")).unwrap();
    for word in words {
        assert!(told.contains(word), "{failure:?}");
        assert!(
            stderr.contains(word) && html.contains(word),
            "'{word}' is not told: {stderr}"
        );
    }
    assert_eq!(measured(&run).len(), 1);
}

#[test]
fn a_server_that_ends_at_once_is_a_failed_observation_with_its_stderr() {
    let _turn = turn();
    let (dir, output) =
        run_with_bad_single("#!/bin/sh\necho 'cannot bind: taken' >&2\nexit 4\n", &[]);
    assert_failed_alone(
        dir.path(),
        &output,
        Stage::Ready,
        &["exit code 4", "cannot bind: taken"],
    );
}

#[test]
fn a_server_that_never_gets_ready_is_given_up_after_the_named_timeout() {
    let _turn = turn();
    let script = "#!/bin/sh\necho 'loading the world' >&2\nexec sleep 1000\n";
    let (dir, output) = run_with_bad_single(script, &["--ready-timeout", "300ms"]);
    assert_failed_alone(
        dir.path(),
        &output,
        Stage::Ready,
        &[
            "ready timeout of 300ms",
            "--ready-timeout",
            "loading the world",
        ],
    );
}

#[test]
fn a_server_that_dies_during_warm_up_is_a_failed_observation() {
    let _turn = turn();
    // Waits until a connection is established to the port in the ready line, then kills the server.
    let script = r#"#!/bin/bash
exec 3< <(exec REAL --port 0)
pid=$!
while read -r line <&3; do
    echo "$line"
    [[ $line =~ \"address\":\"127.0.0.1:([0-9]+)\" ]] && break
done
printf -v port '%04X' "${BASH_REMATCH[1]}"
until grep -q ":$port [0-9A-F:]* 01 " /proc/net/tcp; do :; done
echo 'out of luck' >&2
kill -9 $pid
exit 9
"#;
    let (dir, output) = run_with_bad_single(script, &["--warm-up", "5s"]);
    assert_failed_alone(
        dir.path(),
        &output,
        Stage::WarmUp,
        &["exit code 9", "out of luck"],
    );
}

#[test]
fn a_server_that_announces_an_address_nobody_listens_at_fails_at_warm_up() {
    let _turn = turn();
    let script = r#"#!/bin/sh
echo '{"schema_version":1,"pid":1,"address":"127.0.0.1:1","model":{"worker":"process","style":"evented","accept":"shared"},"workers":1}'
exec sleep 1000
"#;
    let (dir, output) = run_with_bad_single(script, &[]);
    assert_failed_alone(
        dir.path(),
        &output,
        Stage::WarmUp,
        &["127.0.0.1:1", "refused"],
    );
}

#[test]
fn a_server_of_another_schema_version_is_refused() {
    let _turn = turn();
    let script = r#"#!/bin/sh
echo '{"schema_version":999,"pid":1,"address":"127.0.0.1:1","model":{"worker":"process","style":"evented","accept":"shared"},"workers":1}'
exec sleep 1000
"#;
    let (dir, output) = run_with_bad_single(script, &[]);
    assert_failed_alone(
        dir.path(),
        &output,
        Stage::Ready,
        &["schema version 999", "cargo build"],
    );
}

#[test]
fn the_guests_port_being_taken_is_said() {
    let _turn = turn();
    if !has("node") {
        return;
    }
    // Bound by somebody else already is as good for this test.
    let _taken = TcpListener::bind("127.0.0.1:3000");
    let folder = tempfile::tempdir().unwrap();
    let output = short_run(folder.path(), "node-cluster").output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let failures = failures(folder.path());
    assert!(failures[0].1.reason.contains("port 3000"), "{failures:?}");
}

/// A run that would go on for minutes.
fn long_run(out: &Path, servers: &str) -> Command {
    let mut command = Command::new(COUNTERS);
    command
        .args([
            "run",
            "--workers",
            "2",
            "--measure",
            "10m",
            "--servers",
            servers,
            "--bin-dir",
        ])
        .arg(bin_dir())
        .arg("--out")
        .arg(out)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[test]
fn ctrl_c_ends_everything_in_order_and_leaves_a_valid_partial_run() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let mut child = long_run(folder.path(), "cluster").spawn().unwrap();
    // A guard, the primary and two workers.
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
    assert!(observations(folder.path()).is_empty());
    assert!(folder.path().join("report.html").is_file());
    let again = Command::new(COUNTERS)
        .arg("report")
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(!stderr(&again).contains("counters:"), "{}", stderr(&again));
}

/// Kills the harness as nothing can be caught, and waits for its guard, which falls to this process.
fn kill_harness_and_wait(servers: &str, processes: usize) {
    prctl::set_child_subreaper(true).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut child = long_run(folder.path(), servers).spawn().unwrap();
    let tree = wait_for_tree(&mut child, processes);
    let guard = *tree.first().unwrap();
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
    kill_harness_and_wait("cluster", 4);
}

#[test]
fn a_killed_harness_leaves_no_process_of_a_guest_behind() {
    let _turn = turn();
    if has("node") {
        kill_harness_and_wait("node-cluster", 3);
    }
}

#[test]
fn a_daemon_does_not_escape_its_guard() {
    let mut guard = Command::new(COUNTERS)
        .args([
            "guard",
            "--cpus",
            "0",
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
        .args(["guard", "--cpus", "0", "--", "sh", "-c", "exit 7"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let lifeline = guard.stdin.take();
    assert_eq!(guard.wait().unwrap().code(), Some(7));
    drop(lifeline);
}
