//! What a worker said just before it ended counts, although its end is seen at the same moment.

use std::fs;

use nix::sys::signal::{
    Signal::{SIGCONT, SIGKILL, SIGSTOP, SIGTERM, SIGUSR1},
    kill,
};

use crate::{
    grid::Cell,
    http::{Client, get},
    launch::{CLUSTER, Server, event, pid},
};

/// Wait until the process is in that state, as /proc names states.
fn await_state(process: u32, state: char) {
    let is_there = || {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it is there");
        // The name before the state is in parentheses, and may have some itself.
        stat.rsplit_once(") ")
            .is_some_and(|(_, after)| after.starts_with(state))
    };
    while !is_there() {
        std::thread::yield_now();
    }
}

/// Stop a process, and wait until it is.
pub fn stop(process: u32) {
    kill(pid(process), SIGSTOP).expect("it runs");
    await_state(process, 'T');
}

#[test]
fn a_connection_that_a_dead_worker_had_taken_ends_with_it_and_is_given_to_nobody_else() {
    let cluster = Server::start(CLUSTER, &["--workers", "2", "--accept", "handoff"]);
    // Who listened first has the first connection, and keeps it in its lane while it is stopped.
    let (held, other) = (cluster.workers()[0], cluster.workers()[1]);
    stop(held);
    let mut client = Client::connect(cluster.address());
    client.send(&["/", "/block?us=60000000"]);
    assert_eq!(get(cluster.address(), "/").worker(), other);

    stop(cluster.pid());
    // A signal that means nothing has the primary look at signals before it hears its workers.
    cluster.signal(SIGUSR1);
    kill(pid(held), SIGCONT).expect("it is stopped");
    assert_eq!(client.receive().worker(), held);
    kill(pid(held), SIGKILL).expect("it runs");
    await_state(held, 'Z');
    cluster.signal(SIGCONT);
    client.expect_end();
}

#[test]
fn a_worker_that_ends_as_soon_as_it_is_told_has_said_that_it_leaves() {
    for cell in Cell::of_kept_processes() {
        let mut cluster = cell.start("2", &["--events"]);
        let (held, other) = (cluster.workers()[0], cluster.workers()[1]);
        stop(held);
        cluster.signal(SIGTERM);
        // By the time the other has ended, both were told.
        cluster.until(|line| {
            let event = event(line)?;
            (event["worker"] == other && event["event"] == "exit").then_some(())
        });
        stop(cluster.pid());
        cluster.signal(SIGUSR1);
        kill(pid(held), SIGCONT).expect("it is stopped");
        await_state(held, 'Z');
        cluster.signal(SIGCONT);
        let events = cluster.end().stdout;
        let events: Vec<_> = events.iter().filter_map(|line| event(line)).collect();
        let names: Vec<_> = events.iter().map(|event| &event["event"]).collect();
        assert_eq!(names, ["disconnect", "exit"], "{cell}");
    }
}
