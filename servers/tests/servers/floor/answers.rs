//! What it answers: bytes like those of `single`.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use super::{HELLO, start};
use crate::{
    endpoint::without_identity,
    http::{Client, get},
    launch::{PATIENCE, SINGLE, Server},
};

/// Everything the server sends until it ends the connection.
fn all_bytes(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = String::new();
    stream.read_to_string(&mut bytes).unwrap();
    bytes
}

/// The bytes of answers without what may differ: the id together with its length, and the date.
fn shape(bytes: &str, server: &Server) -> String {
    let id = server.pid().to_string();
    let length = format!(
        "content-length: {}",
        "Hello from worker \n".len() + id.len()
    );
    bytes
        .replace(&format!("worker {id}\n"), "worker <id>\n")
        .replace(&length, "content-length: <length>")
        .lines()
        .map(|line| match line.split_once(": ") {
            Some(("date", date)) => format!("date: <{}>\r\n", date.len()),
            _ => format!("{line}\r\n"),
        })
        .collect()
}

#[test]
fn its_bytes_are_those_of_single() {
    let single = Server::start(SINGLE, &[]);
    let floor = start();
    // Each ends its connection, so that all there is can be read.
    for request in [
        "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: test\r\n\r\nGET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        "HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET http://test/?a=b HTTP/1.1\r\nConnection: close\r\n\r\n",
        "BREW / HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "G@T / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ] {
        let expected = shape(&all_bytes(&single, request), &single);
        assert!(expected.starts_with("HTTP/1."), "{expected}");
        assert_eq!(
            shape(&all_bytes(&floor, request), &floor),
            expected,
            "{request}"
        );
    }
    for target in ["/", "/?from=anywhere"] {
        assert_eq!(
            without_identity(get(floor.address(), target)),
            without_identity(get(single.address(), target))
        );
    }
}

#[test]
fn hello_names_the_process() {
    let server = start();
    assert_eq!(get(server.address(), "/").worker(), server.pid());
}

#[test]
fn one_connection_carries_many_requests_of_many_kinds() {
    let server = start();
    let mut client = Client::connect(server.address());
    for _ in 0..50 {
        client.get("/").worker();
        assert_eq!(client.get("/nothing").status, 404);
        client.send_bytes("BREW / HTTP/1.1\r\n\r\n");
        let refusal = client.receive();
        assert_eq!(refusal.status, 405);
        assert_eq!(refusal.header("allow"), Some("GET, HEAD"));
        client.send_bytes("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let answer = client.receive();
        answer.worker();
        assert_eq!(answer.header("connection"), Some("keep-alive"));
    }
}

#[test]
fn a_refusal_names_what_is_refused_in_one_line() {
    let server = start();
    let answer = get(server.address(), "/nothing?a=b");
    assert_eq!(answer.status, 404);
    assert_eq!(answer.body, "nothing is at /nothing: ask for /\n");
}

#[test]
fn a_connection_ends_after_its_only_request_where_the_client_asks_for_that() {
    let server = start();
    for _ in 0..50 {
        let mut client = Client::connect(server.address());
        client.send_bytes("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        let answer = client.receive();
        answer.worker();
        assert_eq!(answer.header("connection"), Some("close"));
        client.expect_end();
    }
}

#[test]
fn what_is_no_request_is_refused_and_ends_the_connection() {
    let server = start();
    let long_head = format!("GET / HTTP/1.1\r\na: {}", "a".repeat(17_000));
    let endless = long_head.clone() + &"a".repeat(400_000);
    let many_fields = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101));
    for (request, status) in [
        ("BREW\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n: b\r\n\r\n", 400),
        ("\0", 400),
        (long_head.as_str(), 431),
        (endless.as_str(), 431),
        (many_fields.as_str(), 431),
    ] {
        let mut client = Client::connect(server.address());
        client.send_bytes(&format!("{HELLO}{request}"));
        client.receive().worker();
        let refusal = client.receive();
        assert_eq!(refusal.status, status, "{request:.40}");
        assert_eq!(refusal.header("connection"), Some("close"));
        client.expect_end();
    }
}

#[test]
fn a_body_is_not_mistaken_for_a_request() {
    let server = start();
    let body = "GET /stolen HTTP/1.1\r\n\r\n";
    let length = body.len();
    for (announced, status) in [
        (format!("GET / HTTP/1.1\r\nContent-Length: {length}"), 200),
        (format!("POST / HTTP/1.1\r\nContent-Length: {length}"), 405),
        (
            "GET /a HTTP/1.1\r\nTransfer-Encoding: chunked".to_owned(),
            404,
        ),
    ] {
        let mut client = Client::connect(server.address());
        client.send_bytes(&format!("{announced}\r\n\r\n{body}"));
        let answer = client.receive();
        assert_eq!(answer.status, status, "{announced}");
        assert_eq!(answer.header("connection"), Some("close"));
        client.expect_end();
    }
}
