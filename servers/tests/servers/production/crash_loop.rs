//! Workers that cannot start.

use std::{process::Command, time::Duration};

use nix::sys::signal::{
    Signal::{SIGHUP, SIGKILL, SIGTERM},
    kill,
};
use serde_json::Value;

use crate::{
    grid::Cell,
    http::get,
    launch::{CLUSTER, Server, children, event, pid, wait_for},
};

/// Enough files for a primary, too few for a worker.
const TOO_FEW: &str = "31";

const ENOUGH: &str = "512";

/// Give the primary another limit of open files, which workers to come inherit.
fn limit_files(primary: u32, soft: &str) {
    let limited = Command::new("prlimit")
        .args(["--pid", &primary.to_string(), &format!("--nofile={soft}:")])
        .status()
        .expect("prlimit comes with every Linux distribution");
    assert!(limited.success());
}

fn at(event: &Value) -> Duration {
    Duration::from_nanos(event["at_unix_ns"].as_u64().expect("it is a number"))
}

#[test]
fn the_wait_before_the_next_attempt_doubles_until_the_cluster_gives_up() {
    let cluster = Server::start(CLUSTER, &["--workers", "1", "--events"]);
    limit_files(cluster.pid(), TOO_FEW);
    kill(pid(cluster.workers()[0]), SIGKILL).expect("it is a child of the primary");
    let ended = cluster.end();
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("5 workers in a row died"),
        "{}",
        ended.stderr
    );
    let events: Vec<Value> = ended.stdout.iter().filter_map(|line| event(line)).collect();
    let of = |name: &'static str| events.iter().filter(move |event| event["event"] == name);
    // The first exit was no failed start.
    let failures = of("exit").skip(1);
    let waits: Vec<Duration> = failures
        .zip(of("fork").skip(1))
        .map(|(exit, fork)| at(fork).saturating_sub(at(exit)))
        .collect();
    assert_eq!(waits.len(), 4, "{events:?}");
    for (wait, least) in waits
        .iter()
        .zip([50, 100, 200, 400].map(Duration::from_millis))
    {
        assert!(*wait >= least, "{waits:?}");
    }
}

#[test]
fn a_reload_whose_first_heir_cannot_start_is_given_up_and_can_be_had_later() {
    for cell in Cell::of_kept_processes() {
        let mut cluster = cell.start("2", &["--events"]);
        let before = children(cluster.pid());
        limit_files(cluster.pid(), TOO_FEW);
        cluster.signal(SIGHUP);
        cluster.until_line("Reloading 2 workers, one after another");
        let exit = cluster.until(|line| event(line).filter(|event| event["event"] == "exit"));
        assert_eq!((&exit["wanted"], &exit["code"]), (&false.into(), &1.into()));
        assert_eq!(children(cluster.pid()), before, "{cell}");
        get(cluster.address(), "/").worker();

        limit_files(cluster.pid(), ENOUGH);
        cluster.signal(SIGHUP);
        cluster.until_line("Reloading 2 workers, one after another");
        cluster.until(|line| line.starts_with("Reloaded 2 workers").then_some(()));
        let after = children(cluster.pid());
        assert_eq!(after.len(), 2, "{cell}");
        assert!(
            !after.iter().any(|worker| before.contains(worker)),
            "{cell}"
        );
        get(cluster.address(), "/").worker();

        cluster.signal(SIGTERM);
        let ended = cluster.end();
        assert_eq!(ended.code, Some(0), "{cell}");
        for words in ["reload given up after 0 workers", "ulimit -n"] {
            assert!(ended.stderr.contains(words), "{cell}: {}", ended.stderr);
        }
    }
}

#[test]
fn a_seat_whose_workers_cannot_start_is_left_empty_until_a_reload_and_the_others_serve() {
    let mut cluster = Server::start(CLUSTER, &["--workers", "2", "--events"]);
    let [victim, survivor] = cluster.workers()[..] else {
        panic!("there are two");
    };
    limit_files(cluster.pid(), TOO_FEW);
    kill(pid(victim), SIGKILL).expect("it is a child of the primary");
    // Its own end, and those of the successors there can be.
    for _ in 0..6 {
        cluster.until(|line| event(line).filter(|event| event["event"] == "exit"));
        assert_eq!(get(cluster.address(), "/").worker(), survivor);
    }
    limit_files(cluster.pid(), ENOUGH);
    cluster.signal(SIGHUP);
    cluster.until_line("Reloading 2 workers, one after another");
    cluster.until(|line| line.starts_with("Reloaded ").then_some(()));
    wait_for("both seats are filled", || {
        let now = children(cluster.pid());
        (now.len() == 2 && !now.contains(&survivor)).then_some(())
    });
    get(cluster.address(), "/").worker();
    cluster.signal(SIGTERM);
    let ended = cluster.end();
    assert_eq!(ended.code, Some(0));
    assert!(
        ended.stderr.contains("is left empty, for 5 workers"),
        "{}",
        ended.stderr
    );
}
