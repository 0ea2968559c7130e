//! What only threads do.

use std::{collections::BTreeSet, path::Path};

use nix::sys::signal::Signal::SIGTERM;

use crate::{
    http::{Client, get},
    launch::{Server, THREADS},
};

#[test]
fn only_the_workers_answer_and_never_the_first_thread() {
    let server = Server::start(THREADS, &["--workers", "2"]);
    let mut answered: BTreeSet<u32> = BTreeSet::new();
    // Both workers have to run for this many to be blocked at once and all be answered.
    for _ in 0..20 {
        let mut clients: Vec<Client> = (0..8).map(|_| Client::connect(server.address())).collect();
        for client in &mut clients {
            client.send(&["/block?us=1000"]);
        }
        answered.extend(clients.iter_mut().map(|client| client.receive().worker()));
        answered.insert(get(server.address(), "/").worker());
    }
    assert!(answered.len() <= 2, "{answered:?}");
    for worker in answered {
        assert_ne!(worker, server.pid());
        let task = format!("/proc/{}/task/{worker}", server.pid());
        assert!(Path::new(&task).exists(), "{task}");
    }
}

#[test]
fn threads_end_when_told_although_their_workers_are_blocked() {
    let server = Server::start(THREADS, &["--workers", "2", "--drain-timeout", "0"]);
    let mut client = Client::connect(server.address());
    // One blocked worker is enough to leave nobody waiting for events.
    client.send(&["/", "/block?us=60000000"]);
    client.receive().worker();
    server.signal(SIGTERM);
    let ended = server.end();
    assert_eq!(ended.code, Some(0));
    assert!(
        ended.stderr.contains("connections cut: 1,"),
        "{}",
        ended.stderr
    );
}
