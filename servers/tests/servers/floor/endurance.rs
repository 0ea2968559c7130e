//! What it endures: segments cut anywhere, clients that do not read, more of them than it may open.

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    process::Command,
    thread,
};

use nix::sys::signal::Signal::SIGTERM;

use super::{HELLO, sleeps, start, wait_until};
use crate::{
    http::{Client, get},
    launch::{PATIENCE, Server},
};

#[test]
fn a_head_may_be_cut_at_every_byte() {
    let server = start();
    let mut client = Client::connect(server.address());
    for cut in 1..HELLO.len() {
        client.send_bytes(&HELLO[..cut]);
        // Answered after this one's start was read, or at least not before it was sent.
        get(server.address(), "/").worker();
        client.send_bytes(&HELLO[cut..]);
        client.receive().worker();
    }
    for byte in HELLO.chars() {
        client.send_bytes(&byte.to_string());
        get(server.address(), "/").worker();
    }
    client.receive().worker();
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = start();
    let mut client = Client::connect(server.address());
    // More than is received at once, so requests are cut wherever that falls.
    client.send(&["/", "/nothing", "/?a", "//"].repeat(2000));
    for _ in 0..2000 {
        let statuses = [(); 4].map(|()| client.receive().status);
        assert_eq!(statuses, [200, 404, 200, 404]);
    }
    client.get("/").worker();
}

#[test]
fn requests_are_answered_although_the_client_has_finished_sending() {
    let server = start();
    let mut client = Client::connect(server.address());
    client.send(&["/"].repeat(3000));
    client.send_bytes("GET / HT");
    client.finish_sending();
    for _ in 0..3000 {
        client.receive().worker();
    }
    client.expect_end();
}

/// Writes requests until neither side can go on: the client has no room, and the server sleeps.
fn fill(server: &Server, stream: &mut TcpStream, requests: &[u8]) -> usize {
    let mut written = 0;
    wait_until("the server stops reading", || {
        let slept = sleeps(server);
        let mut wrote = false;
        while let Ok(count) = stream.write(&requests[written % HELLO.len()..]) {
            written += count;
            wrote = true;
        }
        slept && !wrote
    });
    written
}

#[test]
fn a_client_that_does_not_read_stops_neither_the_server_nor_itself_for_good() {
    let server = start();
    let requests = HELLO.repeat(1000);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut written = fill(&server, &mut stream, requests.as_bytes());
    // It does not read, others do.
    get(server.address(), "/").worker();

    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let rest = HELLO.len() - written % HELLO.len();
    let mut writer = stream.try_clone().unwrap();
    let finishing = thread::spawn(move || {
        writer
            .write_all(&HELLO.as_bytes()[HELLO.len() - rest..])
            .unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    written += rest;
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    finishing.join().unwrap();

    let body = format!("\r\n\r\nHello from worker {}\n", server.pid());
    assert_eq!(answers.matches(&body).count(), written / HELLO.len());
    assert_eq!(
        answers.matches("HTTP/1.1 200 OK\r\n").count(),
        written / HELLO.len()
    );
}

#[test]
fn two_thousand_connections_are_served_at_once() {
    let server = start();
    let mut clients: Vec<Client> = (0..2000)
        .map(|_| Client::connect(server.address()))
        .collect();
    for _ in 0..3 {
        for client in &mut clients {
            client.send(&["/", "/"]);
        }
        for client in &mut clients {
            client.receive().worker();
            client.receive().worker();
        }
    }
    server.signal(SIGTERM);
    for client in &mut clients {
        client.expect_end();
    }
    let ended = server.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn connections_that_ended_are_closed() {
    let server = start();
    let files = format!("/proc/{}/fd", server.pid());
    let open = || fs::read_dir(&files).unwrap().count();
    let before = open();
    for said in ["", "GET / HT", HELLO, "BREW\r\n\r\n"] {
        for _ in 0..100 {
            Client::connect(server.address()).send_bytes(said);
        }
    }
    wait_until("all are closed", || open() == before);
}

#[test]
fn connections_wait_for_descriptors_and_the_server_sleeps_meanwhile() {
    let server = start();
    let limited = Command::new("prlimit")
        .args(["--pid", &server.pid().to_string(), "--nofile=40:40"])
        .status()
        .expect("prlimit comes with every Linux distribution");
    assert!(limited.success());
    let mut clients: Vec<Client> = (0..60).map(|_| Client::connect(server.address())).collect();
    for client in &mut clients {
        client.send(&["/"]);
    }
    let mut waiting = clients.split_off(20);
    for client in &mut clients {
        client.receive().worker();
    }
    wait_until("the server sleeps", || sleeps(&server));
    assert!(!waiting[39].has_received());
    // Each that goes makes room for one.
    clients.clear();
    for mut client in waiting.drain(..) {
        client.receive().worker();
    }
    server.signal(SIGTERM);
    let ended = server.end();
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("ulimit -n"), "{}", ended.stderr);
}
