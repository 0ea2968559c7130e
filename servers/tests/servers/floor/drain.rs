//! How it ends: as the others do.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use nix::sys::{
    signal::Signal::{SIGCONT, SIGINT, SIGSTOP, SIGTERM},
    wait::{Id, WaitPidFlag, WaitStatus, waitid},
};

use super::{HELLO, start, wait_until};
use crate::{
    http::{Client, get},
    launch::{FLOOR, PATIENCE, Server, pid},
};

/// Stop the process, so that what is sent now waits in the kernel.
fn freeze(server: &Server) {
    server.signal(SIGSTOP);
    let stopped = waitid(
        Id::Pid(pid(server.pid())),
        WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT,
    );
    assert!(matches!(stopped, Ok(WaitStatus::Stopped(..))));
}

#[test]
fn whatever_was_asked_before_the_signal_is_answered() {
    for signal in [SIGTERM, SIGINT] {
        let server = start();
        let mut used: Vec<Client> = (0..50).map(|_| Client::connect(server.address())).collect();
        for client in &mut used {
            client.get("/").worker();
        }
        let mut idle = Client::connect(server.address());
        idle.get("/").worker();
        freeze(&server);
        let mut new: Vec<Client> = (0..50).map(|_| Client::connect(server.address())).collect();
        let mut half = Client::connect(server.address());
        half.send_bytes("GET / HTT");
        for client in used.iter_mut().chain(&mut new) {
            client.send(&["/", "/nothing", "/"]);
        }
        server.signal(signal);
        server.signal(SIGCONT);
        for client in used.iter_mut().chain(&mut new) {
            client.receive().worker();
            assert_eq!(client.receive().status, 404);
            client.receive().worker();
            client.expect_end();
        }
        idle.expect_end();
        while Client::try_connect(server.address()).is_ok() {}
        half.send_bytes("P/1.1\r\n\r\n");
        let last = half.receive();
        last.worker();
        assert_eq!(last.header("connection"), Some("close"));
        half.expect_end();
        let ended = server.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    }
}

/// Ask again and again, and see that every answer is whole and the last one is.
fn ask_until_the_end(mut stream: TcpStream, answered: &AtomicUsize) {
    let mut buffer = [0; 1024];
    loop {
        // On a connection that has ended, asking may fail: nothing was begun.
        if stream.write_all(HELLO.as_bytes()).is_err() {
            return;
        }
        let mut answer = Vec::new();
        while !answer.ends_with(b"\n") || !answer.windows(4).any(|four| four == b"\r\n\r\n") {
            match stream.read(&mut buffer) {
                Ok(count) if count > 0 => answer.extend_from_slice(&buffer[..count]),
                // Closed while idle, before the request came: legal at any time (RFC 9112, 9.5).
                _ => {
                    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
                    return;
                }
            }
        }
        let text = String::from_utf8(answer).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        answered.fetch_add(1, Ordering::Relaxed);
        if text.contains("connection: close") {
            assert_eq!(stream.read(&mut buffer).unwrap(), 0);
            return;
        }
    }
}

#[test]
fn a_signal_under_load_cuts_no_answer() {
    let server = start();
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let stream = TcpStream::connect(server.address()).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let answered = Arc::clone(&answered);
            thread::spawn(move || ask_until_the_end(stream, &answered))
        })
        .collect();
    wait_until("the load is up", || answered.load(Ordering::Relaxed) > 2000);
    server.signal(SIGTERM);
    for client in clients {
        client.join().unwrap();
    }
    let ended = server.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn what_the_drain_timeout_cuts_is_counted_on_stderr() {
    let server = Server::start(FLOOR, &["--drain-timeout", "10ms"]);
    let mut clients = [(); 3].map(|()| Client::connect(server.address()));
    for client in &mut clients {
        client.get("/").worker();
        client.send_bytes("GET / HT");
    }
    // Answered after the halves were read.
    get(server.address(), "/").worker();
    server.signal(SIGTERM);
    let ended = server.end();
    assert_eq!(ended.code, Some(0));
    assert!(
        ended.stderr.contains("connections cut: 3,") && ended.stderr.contains("--drain-timeout"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    for second in [SIGTERM, SIGINT] {
        let server = start();
        let mut half = Client::connect(server.address());
        half.send_bytes("GET / HT");
        let mut idle = Client::connect(server.address());
        idle.get("/").worker();
        server.signal(SIGTERM);
        // The first signal has been understood once idle connections are closed.
        idle.expect_end();
        server.signal(second);
        let ended = server.end();
        assert_eq!(ended.code, Some(0));
        assert!(
            ended.stderr.contains("connections cut: 1"),
            "{}",
            ended.stderr
        );
    }
}
