//! What only a cluster does: processes that come and go.

use std::{collections::BTreeSet, process::Command};

use nix::sys::signal::{
    Signal::{self, SIGHUP, SIGINT, SIGKILL, SIGTERM},
    kill,
};

use crate::{
    http::{Client, get},
    launch::{CLUSTER, Server, pid, started},
};

/// More connections than it takes for every worker to get one, however the kernel feels.
const PLENTY: usize = 10_000;

fn start(workers: &str) -> Server {
    Server::start(CLUSTER, &["--workers", workers])
}

/// Send a worker a signal that ends it, and see it replaced.
fn replace(cluster: &mut Server, worker: u32, signal: Signal) -> u32 {
    kill(pid(worker), signal).unwrap();
    assert_eq!(
        cluster.next_line(),
        format!("Worker {worker} died, starting a new one...")
    );
    started(&cluster.next_line()).expect("a worker started")
}

fn answer_from_another(cluster: &Server, than: u32) -> u32 {
    (0..PLENTY)
        .map(|_| get(cluster.address(), "/").worker())
        .find(|&worker| worker != than)
        .expect("another worker answers in time")
}

#[test]
fn the_primary_and_every_worker_are_announced_before_the_ready_line() {
    let cluster = start("3");
    assert_eq!(
        cluster.greeting[0],
        format!("Primary {} is running", cluster.pid())
    );
    let workers: BTreeSet<u32> = cluster.workers().into_iter().collect();
    assert_eq!((workers.len(), cluster.greeting.len()), (3, 4));
    assert!(!workers.contains(&cluster.pid()));
    assert_eq!(
        (cluster.ready.pid, cluster.ready.workers),
        (cluster.pid(), 3)
    );
}

#[test]
fn new_connections_are_answered_by_different_workers() {
    for workers in ["2", "3", "4"] {
        let cluster = start(workers);
        let first = get(cluster.address(), "/").worker();
        answer_from_another(&cluster, first);
    }
}

#[test]
fn workers_that_share_a_cpu_take_turns() {
    let cluster = Server::start_on_one_cpu(CLUSTER, &["--workers", "2"]);
    let first = get(cluster.address(), "/").worker();
    let second = answer_from_another(&cluster, first);
    answer_from_another(&cluster, second);
}

#[test]
fn connections_opened_together_are_not_all_taken_by_one_worker() {
    let cluster = Server::start_on_one_cpu(CLUSTER, &["--workers", "2"]);
    let mut clients: Vec<Client> = (0..64)
        .map(|_| Client::connect(cluster.address()))
        .collect();
    let workers: BTreeSet<u32> = clients
        .iter_mut()
        .map(|client| client.get("/").worker())
        .collect();
    assert_eq!(workers.len(), 2);
}

#[test]
fn a_killed_worker_is_replaced_and_its_successor_answers() {
    let mut cluster = start("1");
    let mut worker = cluster.workers()[0];
    for _ in 0..8 {
        let successor = replace(&mut cluster, worker, SIGKILL);
        assert_eq!(get(cluster.address(), "/").worker(), successor);
        worker = successor;
    }
}

#[test]
fn the_death_of_a_worker_leaves_the_connections_of_others_alone() {
    let mut cluster = start("2");
    let mut client = Client::connect(cluster.address());
    let survivor = client.get("/").worker();
    let victim = cluster.workers().into_iter().find(|&id| id != survivor);
    replace(&mut cluster, victim.expect("there are two"), SIGKILL);
    assert_eq!(client.get("/").worker(), survivor);
}

#[test]
fn a_worker_told_to_end_finishes_its_request_and_is_replaced() {
    let mut cluster = start("1");
    let mut client = Client::connect(cluster.address());
    client.send(&["/", "/wait?us=100000"]);
    let worker = client.receive().worker();
    let successor = replace(&mut cluster, worker, SIGTERM);
    assert_eq!(client.receive().worker(), worker);
    client.expect_end();
    assert_eq!(get(cluster.address(), "/").worker(), successor);
}

#[test]
fn a_killed_primary_takes_every_worker_with_it() {
    let cluster = start("4");
    // It ends only when nobody has its stdout any more, and every worker has.
    cluster.signal(SIGKILL);
    assert_eq!(cluster.end().code, None);
}

#[test]
fn a_signal_to_the_whole_process_group_is_no_death_to_mend() {
    for signal in [SIGINT, SIGTERM] {
        for _ in 0..10 {
            let cluster = Server::start_in_own_group(CLUSTER, &["--workers", "4"]);
            let mut client = Client::connect(cluster.address());
            client.send(&["/", "/wait?us=20000"]);
            client.receive().worker();
            cluster.signal_group(signal);
            client.receive().worker();
            client.expect_end();
            let ended = cluster.end();
            assert_eq!(ended.code, Some(0), "{ended:?}");
            assert!(ended.stdout.is_empty(), "{ended:?}");
            assert!(ended.stderr.is_empty(), "{ended:?}");
        }
    }
}

#[test]
fn a_cluster_whose_workers_cannot_start_gives_up() {
    let cluster = start("1");
    // Enough files for a primary, too few for an event loop. Only later workers inherit the limit.
    limit_files(&cluster, 31);
    kill(pid(cluster.workers()[0]), SIGKILL).unwrap();

    let ended = cluster.end();
    assert_eq!(ended.code, Some(1));
    let deaths = ended.stdout.iter().filter(|line| line.contains("died"));
    assert_eq!(deaths.count(), 5, "{:?}", ended.stdout);
    assert!(
        ended.stderr.contains("ulimit -n") && ended.stderr.contains("5 workers in a row"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_cluster_gives_up_although_many_workers_fail_at_the_same_moment() {
    let cluster = start("6");
    limit_files(&cluster, 31);
    for worker in cluster.workers() {
        kill(pid(worker), SIGKILL).unwrap();
    }
    let ended = cluster.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("5 workers in a row"), "{ended:?}");
}

#[test]
fn a_worker_that_cannot_be_made_for_the_moment_is_made_later_and_the_cluster_goes_on() {
    for accept in ["shared", "reuseport", "handoff"] {
        let mut cluster = Server::start(CLUSTER, &["--workers", "2", "--accept", accept]);
        let victim = cluster.workers()[0];
        // What is open stays open, and there is room for one more at most: a worker takes three.
        limit_files(&cluster, 4);
        kill(pid(victim), SIGKILL).unwrap();
        cluster.until_line(&format!("Worker {victim} died, starting a new one..."));
        // Taken in a later round, before which a successor was tried; then the same for an heir.
        for _ in 0..2 {
            cluster.signal(SIGHUP);
            cluster.until_line("Reloading 2 workers, one after another");
        }

        limit_files(&cluster, 1024);
        cluster.until(started);
        for _ in 0..8 {
            get(cluster.address(), "/").worker();
        }
        cluster.signal(SIGTERM);
        let ended = cluster.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        for said in [
            "a worker has to wait: ",
            "reload given up after 0 workers, for the next could not be made (",
        ] {
            assert!(ended.stderr.contains(said), "{ended:?}");
        }
    }
}

/// How many files the primary and every worker made from now on may have open.
fn limit_files(cluster: &Server, most: u32) {
    let limited = Command::new("prlimit")
        .args(["--pid", &cluster.pid().to_string()])
        .arg(format!("--nofile={most}:"))
        .status()
        .expect("prlimit comes with every Linux distribution");
    assert!(limited.success());
}
