//! `--events`: the lives of workers, told to programs.

use std::collections::{BTreeMap, BTreeSet};

use nix::sys::signal::{
    Signal::{SIGHUP, SIGKILL, SIGTERM},
    kill,
};
use serde_json::Value;

use crate::{
    grid::Cell,
    launch::{event, pid, started},
};

/// Its events by worker, in the order in which they came.
fn by_worker(lines: &[String]) -> BTreeMap<u64, Vec<Value>> {
    let mut events: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
    for event in lines.iter().filter_map(|line| event(line)) {
        let worker = event["worker"].as_u64().expect("it is a pid");
        events.entry(worker).or_default().push(event);
    }
    events
}

fn names(life: &[Value]) -> Vec<&str> {
    life.iter()
        .filter_map(|event| event["event"].as_str())
        .collect()
}

#[test]
fn every_life_is_told_from_fork_to_exit_and_whether_its_end_was_wanted() {
    const WANTED: [&str; 5] = ["fork", "online", "listening", "disconnect", "exit"];
    for cell in Cell::of_kept_processes() {
        let mut cluster = cell.start("2", &["--events"]);
        let (victim, primary) = (cluster.workers()[0], cluster.pid());
        let mut lines = cluster.greeting.clone();
        let mut keep_until = |end: &dyn Fn(&str) -> bool| {
            while let line = cluster.next_line()
                && !end(&line)
            {
                lines.push(line);
            }
        };
        kill(pid(victim), SIGKILL).expect("it is a child of the primary");
        keep_until(&|line| started(line).is_some());
        kill(pid(primary), SIGHUP).expect("it is this test's child");
        keep_until(&|line| line.starts_with("Reloaded "));
        cluster.signal(SIGTERM);
        let ended = cluster.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{cell}");
        lines.extend(ended.stdout);

        let told = by_worker(&lines);
        // Two at first, one for the one that was killed, two by the reload.
        assert_eq!(told.len(), 5, "{cell}: {told:?}");
        for (&worker, life) in &told {
            let exit = life.last().expect("nobody is without events");
            if worker == u64::from(victim) {
                assert_eq!(
                    names(life),
                    ["fork", "online", "listening", "exit"],
                    "{cell}"
                );
                assert_eq!(
                    (&exit["wanted"], &exit["signal"]),
                    (&false.into(), &"SIGKILL".into())
                );
                assert_eq!(exit["code"], Value::Null);
            } else {
                assert_eq!(names(life), WANTED, "{cell}");
                assert_eq!((&exit["wanted"], &exit["code"]), (&true.into(), &0.into()));
                assert_eq!(exit["signal"], Value::Null);
            }
        }
        assert_counts(&lines, cell);
    }
}

/// At every event, as many listen as had begun to and neither stopped nor died.
fn assert_counts(lines: &[String], cell: Cell) {
    let mut listening = BTreeSet::new();
    for event in lines.iter().filter_map(|line| event(line)) {
        let worker = event["worker"].as_u64().expect("it is a pid");
        assert!(
            event["seat"].as_u64().is_some_and(|seat| seat < 2),
            "{cell}: {event}"
        );
        assert!(event["at_unix_ns"].is_u64(), "{cell}: {event}");
        match event["event"].as_str() {
            Some("listening") => {
                listening.insert(worker);
                assert_eq!(event["listening"], listening.len(), "{cell}: {event}");
            }
            // Whoever was told to leave is counted no more as soon as it was told.
            Some("disconnect" | "exit") => {
                listening.remove(&worker);
                let counted = event["listening"].as_u64().expect("it is a number");
                assert!(counted <= listening.len() as u64, "{cell}: {event}");
            }
            _ => {}
        }
    }
}
