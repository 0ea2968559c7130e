//! Who answers.

use std::{collections::BTreeSet, fs, path::Path};

use procfs::process::Process;
use schema::{Accept, Worker};
use serde_json::Value;

use crate::{
    grid::Cell,
    http::Client,
    launch::{Server, children},
};

const WORKERS: usize = 3;

/// The kernel knows `worker` as what the cell says it is. To be asked while it lives.
fn assert_kind(cell: Cell, server: &Server, worker: u32) {
    assert_ne!(worker, server.pid(), "{cell}");
    match cell.model.worker {
        Worker::Process => {
            // The kernel's list of children may lack one of them while another ends.
            let stat = Process::new(worker.cast_signed()).and_then(|process| process.stat());
            let parent = stat.expect("it lives").ppid;
            assert_eq!(parent, server.pid().cast_signed(), "{cell}: {worker}");
        }
        Worker::Thread => {
            let task = format!("/proc/{}/task/{worker}", server.pid());
            assert!(Path::new(&task).exists(), "{cell}: {task}");
        }
    }
}

/// All workers that the answering one knows of.
fn listed(client: &mut Client) -> BTreeSet<u32> {
    let stats: Value = serde_json::from_str(&client.get("/stats").body).expect("it is JSON");
    let workers = stats["cluster"]["workers"]
        .as_array()
        .expect("it is a list");
    let id = |of: &Value| of["worker"].as_u64().and_then(|id| id.try_into().ok());
    workers.iter().filter_map(id).collect()
}

#[test]
fn every_cell_names_workers_by_the_ids_that_the_kernel_has_for_them() {
    for cell in Cell::all() {
        let server = cell.start(&WORKERS.to_string(), &[]);
        let mut answered = BTreeSet::new();
        for _ in 0..12 {
            let mut client = Client::connect(server.address());
            let worker = client.get("/").worker();
            assert_kind(cell, &server, worker);
            let listed = listed(&mut client);
            assert!(listed.contains(&worker), "{cell}: {listed:?}");
            assert!(listed.len() <= WORKERS, "{cell}: {listed:?}");
            answered.insert(worker);
        }
        match cell.model.accept {
            Accept::PerConnection => assert_eq!(answered.len(), 12, "{cell}"),
            Accept::Handoff => assert_eq!(answered.len(), WORKERS, "{cell}"),
            _ => assert!(answered.len() <= WORKERS, "{cell}"),
        }
    }
}

#[test]
fn a_cell_has_as_many_workers_as_it_was_told_and_one_who_serves_nobody() {
    for cell in Cell::all() {
        let server = cell.start(&WORKERS.to_string(), &[]);
        let workers = if cell.model.accept == Accept::PerConnection {
            0
        } else {
            WORKERS
        };
        let count = match cell.model.worker {
            Worker::Process => children(server.pid()).len(),
            Worker::Thread => {
                let tasks = fs::read_dir(format!("/proc/{}/task", server.pid()));
                tasks.expect("the process runs").count() - 1
            }
        };
        assert_eq!(count, workers, "{cell}");
    }
}

#[test]
fn connections_beyond_the_number_of_workers_wait_for_one_that_goes() {
    for cell in Cell::all().filter(|cell| cell.model.accept == Accept::PerConnection) {
        let server = cell.start("2", &[]);
        let mut first = [(); 2].map(|()| Client::connect(server.address()));
        let workers = first.each_mut().map(|client| client.get("/").worker());
        assert_ne!(workers[0], workers[1], "{cell}");
        let mut waiting: Vec<Client> = (0..20).map(|_| Client::connect(server.address())).collect();
        for client in &mut waiting {
            client.send_bytes("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        }
        for client in &mut first {
            client.get("/").worker();
        }
        assert!(
            waiting.iter().all(|client| !client.has_received()),
            "{cell}"
        );
        drop(first);
        let later: BTreeSet<u32> = waiting
            .iter_mut()
            .map(|client| client.receive().worker())
            .collect();
        assert_eq!(later.len(), 20, "{cell}");
        assert!(later.is_disjoint(&workers.into()), "{cell}");
    }
}
