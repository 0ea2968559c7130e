//! What a trial does beside its window, and how it asks: over the real servers, through the experiments
//! that want it.

mod support;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::fd::OwnedFd,
    path::Path,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use schema::{Failure, Measured, Plan, Ready, SCHEMA_VERSION, Stage};
use support::{COUNTERS, failures, measured, program, run_of, stderr, turn};

const BOTH: &str = "process-evented-shared,thread-evented-stealing";
const TIMING: &[&str] = &["--warm-up", "200ms", "--measure", "1s", "--blocks", "1"];

fn run(experiment: &str, servers: &str, out: &Path) -> Output {
    let mut command = run_of(experiment, out, TIMING);
    command.args(["--servers", servers, "--seed", "23"]);
    command.output().unwrap()
}

/// What was measured of the cells whose ids end like this, of which there are two.
fn of<'a>(trials: &'a [(String, Measured)], end: &str) -> [&'a Measured; 2] {
    let found: Vec<_> = trials.iter().filter(|(id, _)| id.ends_with(end)).collect();
    let [(_, one), (_, other)] = found.as_slice() else {
        panic!("{} cells end in {end}", found.len());
    };
    [one, other]
}

#[test]
fn connections_are_kept_or_new_and_half_of_what_was_served_is_asked_for_afterwards() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let output = run("grid", BOTH, folder.path());
    let trials = measured(folder.path());
    assert_eq!(trials.len(), 4, "{}", stderr(&output));
    for (id, trial) in &trials {
        let then = trial.then.as_ref().unwrap();
        let load = &trial.load;
        let served = load.completed as f64 * 1e9 / load.elapsed_ns as f64;
        assert_eq!(then.percent, 50);
        assert!((then.rate_per_s / served - 0.5).abs() < 1e-6, "{id}");
        assert!(load.arrivals.is_none(), "{id} was not a closed loop");
        let arrivals = then.load.arrivals.unwrap();
        let seconds = then.load.elapsed_ns as f64 / 1e9;
        let expected = then.rate_per_s * seconds;
        assert!((arrivals.expected / expected - 1.0).abs() < 0.05, "{id}");
        // From fewer gaps nothing is told of them.
        let told = arrivals.came < 102 || arrivals.gap_chi_square.is_some();
        assert!(told, "{id} was not at random");
        assert!(seconds >= 0.199, "{id}: {seconds} s");
        assert!(then.load.completed > 0 && then.load.errors == 0, "{id}");
    }
    for kept in of(&trials, "-keep") {
        assert_eq!(kept.load.connections_opened, 0);
    }
    for new in of(&trials, "-new") {
        let opened = new.load.connections_opened;
        let at_once = 64;
        assert!(opened.abs_diff(new.load.completed) <= at_once, "{opened}");
        let connections: u64 = new.load.connections_by_worker.values().sum();
        assert_eq!(connections, new.load.completed);
    }
}

#[test]
fn little_load_comes_at_its_rate_and_lone_connections_are_answered_in_turn_before_it() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let output = run("balance", BOTH, folder.path());
    let trials = measured(folder.path());
    assert_eq!(trials.len(), 8, "{}", stderr(&output));
    for (id, trial) in &trials {
        assert!(trial.then.is_none(), "{id}");
        let expected = trial.load.arrivals.map(|arrivals| arrivals.expected);
        let little = id.ends_with("-low");
        assert_eq!(expected.is_some(), little, "{id}");
        // 200 a second for a second, which may have closed a moment late.
        assert!(
            expected.is_none_or(|so_many| (199.0..220.0).contains(&so_many)),
            "{id}: {expected:?}"
        );
        let wakes = if id.ends_with("-new-low") { 32 } else { 0 };
        assert_eq!(trial.wake_order.len(), wakes, "{id}");
    }
    for trial in of(&trials, "-new-low") {
        // Two workers, and whoever served under load was one of those who may have been woken.
        let mut woken = trial.wake_order.clone();
        woken.extend(trial.load.requests_by_worker.keys());
        woken.sort_unstable();
        woken.dedup();
        assert!((1..=2).contains(&woken.len()), "{woken:?}");
    }
}

#[test]
fn the_plan_says_what_each_cell_asks_for() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    run("grid,balance", "thread-evented-stealing", folder.path());
    let plan: Plan =
        serde_json::from_slice(&fs::read(folder.path().join("plan.json")).unwrap()).unwrap();
    assert_eq!(plan.cells.len(), 6);
    let asked = |id: &str| {
        let cell = plan.cells.iter().find(|cell| cell.id == id).unwrap();
        (cell.rate_per_s, cell.then_percent, cell.wakes)
    };
    assert_eq!(
        asked("grid-thread-evented-stealing-new"),
        (None, Some(50), 0)
    );
    let low = asked("balance-thread-evented-stealing-new-low");
    assert_eq!(low, (Some(200), None, 32));
}

/// Serves each connection by `serve`, and runs an experiment over it in place of the stealing threads.
fn run_over(
    experiment: &str,
    out: &Path,
    serve: impl Fn(TcpStream, &TcpListener) + Send + Sync + 'static,
) -> Output {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (serve, listener) = (Arc::new(serve), Arc::new(listener));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (serve, listener) = (Arc::clone(&serve), Arc::clone(&listener));
            thread::spawn(move || serve(stream, &listener));
        }
    });
    let ready = Ready {
        schema_version: SCHEMA_VERSION,
        pid: 1,
        address,
        model: "thread/evented/stealing".parse().unwrap(),
        workers: 2,
    };
    let line = serde_json::to_string(&ready).unwrap();
    let script = format!("#!/bin/sh\necho '{line}'\nexec sleep 1000\n");
    program(out, "threads", &script);
    Command::new(COUNTERS)
        .args(["run", "--preset", "smoke", "--workers", "2"])
        .args(["--only", experiment])
        .args(["--servers", "thread-evented-stealing"])
        .args(TIMING)
        .arg("--bin-dir")
        .arg(out)
        .arg("--out")
        .arg(out.join("run"))
        .output()
        .unwrap()
}

/// Answers every request of a connection with this body.
fn answer(stream: TcpStream, body: &str) {
    let mut writer = stream.try_clone().unwrap();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}", body.len());
    let mut closes = false;
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        closes |= line == "Connection: close";
        if !line.is_empty() {
            continue;
        }
        let last = if closes { "\r\nConnection: close" } else { "" };
        let answer = format!("{head}{last}\r\n\r\n{body}");
        if writer.write_all(answer.as_bytes()).is_err() || closes {
            return;
        }
    }
}

#[track_caller]
fn failure(out: &Path, output: &Output, id: &str) -> Failure {
    assert_eq!(output.status.code(), Some(3), "{}", stderr(output));
    let failures = failures(&out.join("run"));
    let found = failures.into_iter().find(|(cell, _)| cell.ends_with(id));
    found.unwrap_or_else(|| panic!("{}", stderr(output))).1
}

#[test]
fn a_lone_connection_that_is_not_answered_by_a_worker_fails_its_trial() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let output = run_over("balance", folder.path(), |stream, _| {
        answer(stream, "Hello\n");
    });
    let failure = failure(folder.path(), &output, "-new-low");
    assert_eq!(failure.stage, Stage::WarmUp, "{failure:?}");
    assert!(
        failure.reason.contains("connection 1 of 32")
            && failure
                .reason
                .contains("'Hello from worker <id>': 'Hello\\n'"),
        "{failure:?}"
    );
}

#[test]
fn what_fails_after_the_window_fails_the_trial_and_says_at_which_rate() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let kept = AtomicUsize::new(0);
    let output = run_over("grid", folder.path(), move |stream, listener| {
        let mut head = [0; 512];
        let length = stream.peek(&mut head).unwrap_or(0);
        let closes = String::from_utf8_lossy(&head[..length]).contains("Connection: close");
        if length == 0 || closes {
            return;
        }
        // The window keeps so many, and then no other is let in.
        if kept.fetch_add(1, Ordering::Relaxed) == 63 {
            let listening = OwnedFd::from(listener.try_clone().unwrap());
            TcpStream::from(listening).shutdown(Shutdown::Both).unwrap();
        }
        answer(stream, "Hello from worker 7\n");
    });
    let failure = failure(folder.path(), &output, "-keep");
    assert_eq!(failure.stage, Stage::Load, "{failure:?}");
    assert!(
        failure.reason.contains("after the window") && failure.reason.contains("requests a second"),
        "{failure:?}"
    );
}
