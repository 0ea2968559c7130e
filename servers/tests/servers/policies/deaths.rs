//! Workers that are killed while clients ask, in every cell that has worker processes.

use std::collections::BTreeSet;

use nix::sys::signal::{
    Signal::{SIGCONT, SIGKILL, SIGSTOP, SIGTERM},
    kill,
};
use schema::Accept;

use crate::{
    crowd::{Crowd, Habit},
    grid::Cell,
    http::{Client, get},
    launch::{Server, children, pid, started, wait_for},
};

const HABITS: [Habit; 4] = [Habit::Leaves, Habit::Stays, Habit::Leaves, Habit::Stays];

/// Kill a worker and wait for its successor.
fn replace(cluster: &mut Server, victim: u32) -> u32 {
    kill(pid(victim), SIGKILL).expect("it is a child of the primary");
    cluster.until_line(&format!("Worker {victim} died, starting a new one..."));
    cluster.until(started)
}

#[test]
fn a_worker_killed_under_load_takes_no_requests_but_its_own_with_it() {
    const KILLS: usize = 6;
    for cell in Cell::of_kept_processes() {
        let mut cluster = cell.start("3", &[]);
        let mut workers = cluster.workers();
        let mut killed = BTreeSet::new();
        let crowd = Crowd::gather(cluster.address(), &HABITS);
        for kill in 0..KILLS {
            // Whoever holds a lock is among them: at most three are not, one after the other.
            let victim = workers[kill % 3];
            killed.insert(victim);
            workers[kill % 3] = replace(&mut cluster, victim);
            crowd.wait_for_answers(20);
        }
        let tally = crowd.disperse();
        // No client has more than one request at a time.
        assert!(
            tally.lost.len() <= KILLS * HABITS.len(),
            "{cell}: {tally:?}"
        );
        for loss in &tally.lost {
            let of_a_victim = loss.worker.is_none_or(|worker| killed.contains(&worker));
            assert!(of_a_victim, "{cell}: {loss}");
        }
        assert_eq!(children(cluster.pid()).len(), 3, "{cell}");
        cluster.signal(SIGTERM);
        let ended = cluster.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{cell}");
    }
}

#[test]
fn whoever_is_killed_while_nobody_asks_the_next_request_is_answered() {
    for cell in Cell::of_kept_processes() {
        let mut cluster = cell.start("2", &[]);
        let mut workers = cluster.workers();
        for kill in 0..8 {
            workers[kill % 2] = replace(&mut cluster, workers[kill % 2]);
            assert!(
                workers.contains(&get(cluster.address(), "/").worker()),
                "{cell}"
            );
        }
    }
}

#[test]
fn a_connection_that_its_worker_had_not_taken_goes_to_another() {
    for cell in Cell::of_kept_processes().filter(|cell| cell.model.accept == Accept::Handoff) {
        let mut cluster = cell.start("2", &[]);
        let workers = cluster.workers();
        let (held_up, other) = (workers[0], workers[1]);
        kill(pid(held_up), SIGSTOP).expect("it is a child of the primary");
        // Both are free, so each is given one.
        let mut clients = [(); 2].map(|()| Client::connect(cluster.address()));
        for client in &mut clients {
            client.send_bytes("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        }
        let first = wait_for("the other answers", || {
            clients.iter().position(Client::has_received)
        });
        assert_eq!(clients[first].receive().worker(), other, "{cell}");
        assert!(!clients[1 - first].has_received(), "{cell}");
        replace(&mut cluster, held_up);
        assert_ne!(clients[1 - first].receive().worker(), held_up, "{cell}");
    }
}

#[test]
fn a_worker_that_is_held_up_keeps_only_its_own_clients_waiting() {
    for cell in Cell::of_kept_processes() {
        let gated = matches!(cell.model.accept, Accept::FileLock | Accept::Mutex);
        if gated || cell.model.accept == Accept::Reuseport {
            // Whoever has the lock, or the queue, has what comes.
            continue;
        }
        let cluster = cell.start("2", &[]);
        let held_up = cluster.workers()[0];
        kill(pid(held_up), SIGSTOP).expect("it is a child of the primary");
        let mut clients: Vec<Client> = (0..8).map(|_| Client::connect(cluster.address())).collect();
        for client in &mut clients {
            client.send_bytes("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        }
        let waiting = |clients: &[Client]| {
            let silent = |client: &&Client| !client.has_received();
            clients.iter().filter(silent).count()
        };
        wait_for("the other answers", || {
            (waiting(&clients) <= 1).then_some(())
        });
        kill(pid(held_up), SIGCONT).expect("it is a child of the primary");
        for client in &mut clients {
            client.receive().worker();
        }
    }
}

#[test]
fn a_worker_of_one_connection_that_is_killed_takes_only_that_with_it() {
    for cell in Cell::all() {
        if cell.program() != crate::launch::CLUSTER || cell.model.accept != Accept::PerConnection {
            continue;
        }
        let cluster = cell.start("4", &[]);
        let mut others = [(); 2].map(|()| Client::connect(cluster.address()));
        let ids = others.each_mut().map(|client| client.get("/").worker());
        for _ in 0..10 {
            let mut client = Client::connect(cluster.address());
            let worker = client.get("/").worker();
            kill(pid(worker), SIGKILL).expect("it is a child of the primary");
            client.expect_end();
        }
        assert_eq!(
            others.each_mut().map(|client| client.get("/").worker()),
            ids
        );
        wait_for("the dead are reaped", || {
            (children(cluster.pid()).len() == 2).then_some(())
        });
    }
}
