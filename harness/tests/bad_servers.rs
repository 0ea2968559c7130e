//! Servers that fail or misbehave: each is told, and nothing else is lost.

mod support;

use std::{fs, net::TcpListener, os::unix::fs::symlink, path::Path, process::Command};

use schema::Stage;
use support::{
    COUNTERS, bin_dir, failures, fine_or_in_doubt, has, measured, program, short_run, stderr, turn,
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
            "--only",
            "throughput",
            "--blocks",
            "1",
            "--measure",
            "500ms",
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
    let (dir, output) = run_with_bad_single(script, &["--ready-timeout", "3s"]);
    assert_failed_alone(
        dir.path(),
        &output,
        Stage::Ready,
        &[
            "ready timeout of 3s",
            "--ready-timeout",
            "loading the world",
        ],
    );
}

#[test]
fn a_server_that_dies_during_warm_up_is_a_failed_observation() {
    let _turn = turn();
    // Waits until the server has more sockets than before its ready line was passed on: connections.
    let script = r#"#!/bin/bash
exec 3< <(exec REAL --port 0)
pid=$!
sockets() {
    local file count=0
    for file in /proc/$pid/fd/*; do
        [[ $(readlink "$file") == socket:* ]] && ((count += 1))
    done
    echo $count
}
read -r line <&3
before=$(sockets)
echo "$line"
until (($(sockets) > before)); do :; done
echo 'out of luck' >&2
kill -9 $pid
exit 9
"#;
    let (dir, output) = run_with_bad_single(script, &["--warm-up", "10s"]);
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
echo '{"schema_version":4,"pid":1,"address":"127.0.0.1:1","model":{"worker":"process","style":"evented","accept":"shared"},"workers":1}'
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
fn a_server_that_announces_another_model_than_asked_for_is_refused() {
    let _turn = turn();
    let script = r#"#!/bin/sh
echo '{"schema_version":4,"pid":1,"address":"127.0.0.1:1","model":{"worker":"thread","style":"evented","accept":"stealing"},"workers":3}'
exec sleep 1000
"#;
    let (dir, output) = run_with_bad_single(script, &[]);
    assert_failed_alone(
        dir.path(),
        &output,
        Stage::Ready,
        &[
            "thread/evented/stealing with workers: 3",
            "process/evented/shared with workers: 1",
            "cargo build",
        ],
    );
}

#[test]
fn a_server_that_never_stops_talking_is_measured() {
    let _turn = turn();
    let script = "#!/bin/sh\nREAL \"$@\" &\nserver=$!\ntrap 'kill $server' TERM\nyes &\nyes >&2 &\nwait $server\n";
    let (dir, output) = run_with_bad_single(script, &["--warm-up", "500ms"]);
    assert_eq!(
        measured(&dir.path().join("run")).len(),
        2,
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_server_that_ends_badly_when_asked_is_measured_and_that_is_told() {
    let _turn = turn();
    let script =
        "#!/bin/sh\nREAL \"$@\" &\nserver=$!\ntrap 'kill $server; exit 7' TERM\nwait $server\n";
    let (dir, output) = run_with_bad_single(script, &[]);
    fine_or_in_doubt(&output, &dir.path().join("run"));
    let run = dir.path().join("run");
    let stops: Vec<_> = measured(&run)
        .into_iter()
        .filter_map(|(cell, trial)| Some((cell, trial.stop?)))
        .collect();
    let words = "ended with exit code 7 when asked to";
    assert_eq!(stops, [("single-w1-hello".to_owned(), words.to_owned())]);
    let html = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(stderr(&output).contains(words) && html.contains(words));
}

#[test]
fn the_port_that_is_written_into_the_guests_script_may_be_taken() {
    let _turn = turn();
    if !has("node") {
        return;
    }
    // Bound by somebody else already is as good for this test.
    let _taken = TcpListener::bind("127.0.0.1:3000");
    let folder = tempfile::tempdir().unwrap();
    let output = short_run(folder.path(), "node-cluster").output().unwrap();
    fine_or_in_doubt(&output, folder.path());
    assert_eq!(failures(folder.path()).len(), 0);
}
