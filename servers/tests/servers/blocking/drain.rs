//! How a worker that blocks ends.

use std::hint::spin_loop;

use nix::{
    libc::{SYS_accept4, SYS_ppoll, SYS_recvfrom, SYS_sendto},
    sys::signal::Signal::{SIGINT, SIGTERM},
};

use super::{start, start_for_ever, wait_until_in};
use crate::http::Client;

#[test]
fn a_request_half_sent_is_finished() {
    for greeted in [false, true] {
        let server = start_for_ever();
        let mut idle = Client::connect(server.address());
        if greeted {
            idle.get("/").worker();
        }
        idle.send_bytes("GET / HTTP/1.1\r\nHo");
        let mut queued = Client::connect(server.address());
        queued.send(&["/"]);
        wait_until_in(server.pid(), SYS_recvfrom);
        server.signal(SIGTERM);
        idle.send_bytes("st: test\r\n");
        idle.send_bytes("\r\n");
        let answer = idle.receive();
        answer.worker();
        assert_eq!(answer.header("connection"), Some("close"));
        idle.expect_end();
        queued.receive().worker();
        queued.expect_end();
        let ended = server.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    }
}

#[test]
fn connections_without_a_request_are_closed_at_once() {
    for greeted in [false, true] {
        let server = start_for_ever();
        let mut idle = Client::connect(server.address());
        if greeted {
            idle.get("/").worker();
        }
        let mut silent = Client::connect(server.address());
        let mut asking = Client::connect(server.address());
        asking.send(&["/"]);
        wait_until_in(server.pid(), SYS_recvfrom);
        server.signal(SIGTERM);
        idle.expect_end();
        silent.expect_end();
        asking.receive().worker();
        asking.expect_end();
        let ended = server.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    }
}

#[test]
fn a_worker_that_waits_for_connections_ends_when_told() {
    for signal in [SIGTERM, SIGINT] {
        let server = start_for_ever();
        wait_until_in(server.pid(), SYS_accept4);
        server.signal(signal);
        let ended = server.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    }
}

#[test]
fn a_request_in_flight_is_answered_whole_before_the_server_ends() {
    for target in ["/wait?us=200000", "/block?us=200000", "/cpu?us=100000"] {
        let server = start_for_ever();
        let mut client = Client::connect(server.address());
        client.send(&["/", target]);
        client.receive().worker();
        server.signal(SIGTERM);
        client.receive().worker();
        client.expect_end();
        assert_eq!(server.end().code, Some(0));
    }
}

#[test]
fn an_answer_that_its_client_takes_slowly_is_sent_whole() {
    let server = start_for_ever();
    let mut client = Client::connect(server.address());
    client.send(&["/bytes?n=1048576"; 64]);
    wait_until_in(server.pid(), SYS_sendto);
    server.signal(SIGTERM);
    let last = loop {
        let answer = client.receive();
        assert_eq!(answer.body.len(), 1 << 20);
        if answer.header("connection") == Some("close") {
            break answer;
        }
    };
    assert_eq!(last.status, 200);
    let ended = server.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn what_does_not_finish_in_time_is_cut_and_counted() {
    let server = start(&["--drain-timeout", "10ms"]);
    let mut client = Client::connect(server.address());
    client.send_bytes("GET / HTTP/1.1\r\nHo");
    wait_until_in(server.pid(), SYS_recvfrom);
    let queued = [(); 2].map(|()| Client::connect(server.address()));
    server.signal(SIGTERM);
    let ended = server.end();
    assert_eq!(ended.code, Some(0));
    assert!(
        ended.stderr.contains("connections cut: 3,"),
        "{}",
        ended.stderr
    );
    drop(queued);
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    for second in [SIGTERM, SIGINT] {
        let server = start_for_ever();
        let mut client = Client::connect(server.address());
        client.send_bytes("GET / HTTP/1.1\r\nHo");
        wait_until_in(server.pid(), SYS_recvfrom);
        server.signal(SIGTERM);
        // The first signal has been understood once the worker waits with a deadline.
        wait_until_in(server.pid(), SYS_ppoll);
        server.signal(second);
        let ended = server.end();
        assert_eq!(ended.code, Some(0));
        assert!(
            ended.stderr.contains("connections cut: 1,"),
            "{}",
            ended.stderr
        );
    }
}

/// Whatever the worker is about to do when the signal comes: it ends, and what was asked before the
/// signal is answered.
#[test]
fn no_moment_is_wrong_for_a_signal() {
    for round in 0..200 {
        let (connects, greets, asks) = match round % 4 {
            0 => (false, false, false),
            1 => (true, false, false),
            2 => (true, false, true),
            _ => (true, true, true),
        };
        let server = start_for_ever();
        let mut client = connects.then(|| Client::connect(server.address()));
        if let Some(client) = &mut client {
            if greets {
                client.get("/").worker();
            }
            if asks {
                client.send(&["/"]);
            }
        }
        // Where the worker is by now differs from round to round.
        for _ in 0..round * 50 {
            spin_loop();
        }
        server.signal(SIGTERM);
        if let Some(client) = &mut client {
            if asks {
                client.receive().worker();
            }
            client.expect_end();
        }
        let ended = server.end();
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(0), ""),
            "{round}"
        );
    }
}
