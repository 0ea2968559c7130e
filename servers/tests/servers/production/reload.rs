//! SIGHUP: workers are replaced one after another.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal::{SIGHUP, SIGTERM, SIGTTIN, SIGTTOU};
use schema::{Accept, Style, Worker};

use super::{assert_nothing_lost, crowd};
use crate::{
    grid::Cell,
    http::{Client, get},
    launch::{Server, children, started},
};

fn reloaded(line: &str) -> bool {
    let rest = line.strip_prefix("Reloaded 2 workers in ");
    let ms = rest.and_then(|rest| rest.strip_suffix(" ms"));
    ms.is_some_and(|ms| ms.parse::<u64>().is_ok())
}

/// The workers that started until a reload of two was over.
fn see_reload(cluster: &mut Server) -> BTreeSet<u32> {
    let mut begun = BTreeSet::new();
    loop {
        let line = cluster.next_line();
        if reloaded(&line) {
            return begun;
        }
        begun.insert(started(&line).unwrap_or_else(|| panic!("unexpected: {line}")));
    }
}

fn begin_reload(cluster: &mut Server) {
    cluster.signal(SIGHUP);
    cluster.until_line("Reloading 2 workers, one after another");
}

fn workers(cluster: &Server) -> BTreeSet<u32> {
    children(cluster.pid()).into_iter().collect()
}

fn ends_well(cluster: Server, cell: Cell) {
    cluster.signal(SIGTERM);
    let ended = cluster.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{cell}");
}

#[test]
fn reloads_under_load_renew_every_worker_and_lose_no_request() {
    for cell in Cell::of_kept_processes() {
        let mut cluster = cell.start("2", &[]);
        let mut before = workers(&cluster);
        let crowd = crowd(&cluster);
        for _ in 0..10 {
            begin_reload(&mut cluster);
            let begun = see_reload(&mut cluster);
            let after = workers(&cluster);
            assert_eq!(begun, after, "{cell}");
            assert!(after.is_disjoint(&before), "{cell}: {before:?} {after:?}");
            before = after;
            crowd.wait_for_answers(10);
        }
        let tally = crowd.disperse();
        assert_nothing_lost(&tally, cell);
        ends_well(cluster, cell);
    }
}

#[test]
fn a_connection_is_used_once_more_before_its_worker_goes_and_meanwhile_there_is_one_reload() {
    for cell in Cell::of_kept_processes() {
        let mut cluster = cell.start("2", &["--drain-timeout", "1h"]);
        let mut client = Client::connect(cluster.address());
        let worker = client.get("/").worker();
        begin_reload(&mut cluster);
        // It cannot end before that client comes back.
        cluster.signal(SIGHUP);
        cluster.until_line("Already reloading");
        // The worker need not have heard of it by the first of them.
        let last = loop {
            let answer = client.get("/");
            assert_eq!(answer.worker(), worker, "{cell}");
            if answer.header("connection") == Some("close") {
                break answer;
            }
        };
        assert_eq!(last.status, 200);
        client.expect_end();
        cluster.until(|line| reloaded(line).then_some(()));
        assert_ne!(get(cluster.address(), "/").worker(), worker, "{cell}");
        begin_reload(&mut cluster);
        see_reload(&mut cluster);
        ends_well(cluster, cell);
    }
}

#[test]
fn an_idle_connection_is_closed_once_the_drain_timeout_is_over_and_not_before() {
    for cell in Cell::of_kept_processes() {
        let mut cluster = cell.start("2", &["--drain-timeout", "300ms"]);
        let mut client = Client::connect(cluster.address());
        client.get("/").worker();
        let began = Instant::now();
        begin_reload(&mut cluster);
        client.expect_end();
        assert!(began.elapsed() >= Duration::from_millis(300), "{cell}");
        see_reload(&mut cluster);
        cluster.signal(SIGTERM);
        let ended = cluster.end();
        // Where a busy machine kept the worker for a second more, the primary has ended it.
        let fine = ended.stderr.is_empty() || ended.stderr.contains("did not end in time");
        assert!(fine && ended.code == Some(0), "{cell}: {}", ended.stderr);
    }
}

#[test]
fn orders_for_the_primary_that_reach_its_whole_process_group_end_no_worker() {
    for cell in Cell::of_kept_processes() {
        let mut cluster = cell.start_in_own_group("2", &[]);
        let crowd = crowd(&cluster);
        cluster.signal_group(SIGHUP);
        cluster.until_line("Reloading 2 workers, one after another");
        // Any other line would tell of a death.
        see_reload(&mut cluster);
        cluster.signal_group(SIGTTIN);
        assert_eq!(cluster.next_line(), "Scaling up to 3 workers", "{cell}");
        assert!(started(&cluster.next_line()).is_some(), "{cell}");
        cluster.signal_group(SIGTTOU);
        assert_eq!(cluster.next_line(), "Scaling down to 2 workers", "{cell}");
        crowd.wait_for_answers(20);
        assert_nothing_lost(&crowd.disperse(), cell);
        ends_well(cluster, cell);
    }
}

#[test]
fn where_every_connection_has_a_new_worker_there_is_nothing_to_reload() {
    let (worker, style, accept) = (Worker::Process, Style::Blocking, Accept::PerConnection);
    let cell = Cell::all()
        .find(|cell| cell.model.worker == worker && cell.is(style, accept))
        .expect("it is in the grid");
    let mut cluster = cell.start_in_own_group("2", &[]);
    let mut client = Client::connect(cluster.address());
    let served_by = client.get("/").worker();
    cluster.signal_group(SIGHUP);
    cluster.until_line("Nothing to reload: every connection has a new worker");
    assert_eq!(client.get("/").worker(), served_by);
    drop(client);
    assert_ne!(get(cluster.address(), "/").worker(), served_by);
    ends_well(cluster, cell);
}
