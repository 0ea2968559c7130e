//! Workers that are threads of one process, here of the test's own.

use std::{
    hint::spin_loop,
    net::{Ipv4Addr, SocketAddr},
    sync::mpsc::channel,
    thread::{self, JoinHandle},
    time::Duration,
};

use schema::{Accept, Style};
use servers::{
    accept::gate::SharedGate,
    blocking::{self, Attention, Interrupter, Listening, Terms},
    end::End,
    listener::listen,
    spin::Spin,
};

use crate::{
    http::{Client, get},
    launch::PATIENCE,
};

/// A worker.
struct Worker {
    thread: JoinHandle<End>,
    interrupter: Interrupter,
}

fn two_threads(accept: Accept) -> (SocketAddr, [Worker; 2]) {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (listener, address) = listen(anywhere, Style::Blocking).unwrap();
    let gate = SharedGate::of(accept).unwrap();
    let workers = [(); 2].map(|()| {
        let listener = listener.try_clone().unwrap();
        let gate = gate.clone();
        let (ready, heard) = channel();
        let thread = thread::spawn(move || {
            let attention = Attention::to_first_thread().unwrap();
            let source = Listening::new(listener, gate.for_worker().unwrap(), &attention);
            let terms = Terms {
                spin: Spin::default(),
                drain_timeout: Duration::from_hours(1),
                keep_alive_requests: 1000,
            };
            let accepting = || ready.send(attention.interrupter()).unwrap();
            blocking::run(source, &attention, terms, accepting).unwrap()
        });
        let interrupter = heard.recv_timeout(PATIENCE).unwrap();
        Worker {
            thread,
            interrupter,
        }
    });
    (address, workers)
}

#[test]
fn threads_are_told_one_by_one() {
    for round in 0..300 {
        let accept = [Accept::Shared, Accept::FileLock, Accept::Mutex][round % 3];
        let (address, [first, second]) = two_threads(accept);
        let mut clients = [(); 2].map(|()| Client::connect(address));
        for client in &mut clients {
            client.send(&["/"]);
        }
        for _ in 0..round * 50 {
            spin_loop();
        }
        first.interrupter.drain();
        first.interrupter.drain();
        assert_eq!(first.thread.join().unwrap(), End::Drained);
        // Orders to one that has ended mean nothing.
        first.interrupter.hurry();
        drop(clients);
        get(address, "/").worker();
        second.interrupter.drain();
        assert_eq!(second.thread.join().unwrap(), End::Drained);
    }
}

#[test]
fn a_hurried_thread_cuts_its_connection() {
    let (address, workers) = two_threads(Accept::Shared);
    let mut clients = [(); 2].map(|()| Client::connect(address));
    let ids = clients.each_mut().map(|client| client.get("/").worker());
    assert_ne!(ids[0], ids[1]);
    for client in &mut clients {
        client.send_bytes("GET ");
    }
    for worker in workers {
        worker.interrupter.hurry();
        assert_eq!(worker.thread.join().unwrap(), End::Hurried(1));
    }
}
