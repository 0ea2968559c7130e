//! Workers that serve one connection at a time.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    time::Instant,
};

use nix::libc::c_long;
use schema::{Model, Style};

use crate::{
    http::{Client, get},
    launch::{PATIENCE, SINGLE, Server},
};

mod drain;
mod threads;

fn start(more: &[&str]) -> Server {
    Server::start(SINGLE, &[&["--style", "blocking"], more].concat())
}

/// A drain timeout no test lives to see the end of.
fn start_for_ever() -> Server {
    start(&["--drain-timeout", "1h"])
}

/// Wait until a task sleeps in a system call, or is about to.
fn wait_until_in(task: u32, call: c_long) {
    let began = Instant::now();
    let path = format!("/proc/{task}/syscall");
    let expected = format!("{call} ");
    while !fs::read_to_string(&path).unwrap().starts_with(&expected) {
        assert!(began.elapsed() < PATIENCE, "it never makes call {call}");
    }
}

/// Everything the server sends until it closes the connection.
fn raw(server: &Server, sent: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(sent.as_bytes()).unwrap();
    let mut received = String::new();
    stream.read_to_string(&mut received).unwrap();
    received
}

/// The same bytes but for the date, the id and the length that it gives a body.
fn without_identity(raw: &str, server: &Server) -> String {
    let id_length = server.pid().to_string().len();
    let hello = "Hello from worker \n".len() + id_length;
    raw.replace(&server.pid().to_string(), "<id>")
        .replace(
            &format!("content-length: {hello}\r"),
            "content-length: <hello>\r",
        )
        .split("\r\n")
        .map(|line| {
            if line.starts_with("date: ") {
                "date: <date>"
            } else {
                line
            }
        })
        .collect::<Vec<_>>()
        .join("\r\n")
}

#[test]
fn a_blocking_server_says_what_it_is() {
    let server = start(&[]);
    let expected = Model {
        style: Style::Blocking,
        ..servers::single::MODEL
    };
    assert_eq!(server.ready.model, expected);
    assert_eq!(get(server.address(), "/").worker(), server.pid());
}

#[test]
fn both_styles_answer_with_the_same_bytes() {
    let blocking = start(&[]);
    let evented = Server::start(SINGLE, &[]);
    let close = "Host: test\r\nConnection: close\r\n\r\n";
    let mut requests: Vec<String> = [
        "GET / HTTP/1.1",
        "GET /?from=anywhere HTTP/1.1",
        "HEAD / HTTP/1.1",
        "GET /bytes?n=4000 HTTP/1.1",
        "GET /bytes?n=1048576 HTTP/1.1",
        "GET /bytes HTTP/1.1",
        "GET /cpu?us=10 HTTP/1.1",
        "GET /wait?us=10 HTTP/1.1",
        "GET /block?us=10 HTTP/1.1",
        "GET /cpu HTTP/1.1",
        "GET /wait?us=x HTTP/1.1",
        "GET /block?us=60000001 HTTP/1.1",
        "GET /nothing HTTP/1.1",
        "HEAD /nothing HTTP/1.1",
        "BREW / HTTP/1.1",
        "GET / HTTP/1.0",
    ]
    .into_iter()
    .map(|line| format!("{line}\r\n{close}"))
    .collect();
    let stay = "Host: test\r\n\r\n";
    requests.push(format!(
        "GET / HTTP/1.1\r\n{stay}HEAD / HTTP/1.1\r\n{stay}GET /cpu HTTP/1.1\r\n{close}"
    ));
    requests.push(format!(
        "POST / HTTP/1.1\r\nContent-Length: 3\r\n{close}abc"
    ));
    requests.push("GET / HTTP/1.0\r\n\r\n".to_owned());
    requests.push(format!(
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n{close}"
    ));
    requests.push("what is this\r\n\r\n".to_owned());
    for request in requests {
        let expected = without_identity(&raw(&evented, &request), &evented);
        let seen = without_identity(&raw(&blocking, &request), &blocking);
        assert!(!expected.is_empty());
        assert_eq!(seen, expected, "{request}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = start(&[]);
    let mut client = Client::connect(server.address());
    client.send(&["/", "/nothing", "/wait?us=100", "/cpu", "/"].repeat(20));
    for _ in 0..20 {
        let statuses = [(); 5].map(|()| client.receive().status);
        assert_eq!(statuses, [200, 404, 200, 400, 200]);
    }
}

#[test]
fn a_waiting_worker_serves_nobody_meanwhile() {
    for target in ["/wait?us=100000", "/block?us=100000", "/cpu?us=50000"] {
        let server = start(&[]);
        let mut waiting = Client::connect(server.address());
        waiting.send_bytes(&format!(
            "GET {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        ));
        get(server.address(), "/").worker();
        assert!(waiting.has_received(), "{target}");
    }
}

#[test]
fn a_connection_is_closed_after_as_many_requests_as_it_may_carry() {
    for (arguments, most) in [(&[][..], 100), (&["--keep-alive-requests", "1"], 1)] {
        let server = start(arguments);
        let mut client = Client::connect(server.address());
        for _ in 1..most {
            assert_eq!(client.get("/").header("connection"), None);
        }
        assert_eq!(client.get("/").header("connection"), Some("close"));
        client.expect_end();
    }
}

#[test]
fn an_old_client_that_asked_to_keep_its_connection_is_told_clearly_that_it_ends() {
    let server = start(&["--keep-alive-requests", "2"]);
    let mut client = Client::connect(server.address());
    for expected in ["keep-alive", "close"] {
        client.send_bytes("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
        assert_eq!(client.receive().header("connection"), Some(expected));
    }
    client.expect_end();
}

#[test]
fn a_client_waits_until_the_one_before_it_has_gone() {
    let server = start(&[]);
    let mut first = Client::connect(server.address());
    first.get("/").worker();
    let mut second = Client::connect(server.address());
    second.send(&["/"]);
    first.get("/").worker();
    assert!(!second.has_received());
    drop(first);
    second.receive().worker();
}
