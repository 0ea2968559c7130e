//! The same bytes everywhere.

use std::collections::BTreeSet;

use schema::Accept;
use serde_json::Value;

use crate::{
    grid::Cell,
    http::{Client, get, raw},
    launch::{SINGLE, Server},
};

/// Requests, each on a connection of its own that the server closes.
const REQUESTS: [&str; 8] = [
    "GET /",
    "HEAD /",
    "GET /bytes?n=4000",
    "GET /wait?us=10",
    "GET /cpu",
    "GET /nothing",
    "HEAD /nothing",
    "BREW /",
];

fn request(line: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
}

/// An answer but for what differs between workers: the date, the id, and what it makes longer.
fn without_identity(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let greets = head.starts_with("HTTP/1.1 200 ");
    let lines = head.split("\r\n").map(|line| match line.split_once(": ") {
        Some(("date", _)) => "date: <date>".to_owned(),
        Some(("content-length", length)) if greets => {
            assert!(body.is_empty() || body.len().to_string() == length);
            format!(
                "content-length: <{}>",
                if body.len() == 4000 { "4000" } else { "hello" }
            )
        }
        _ => line.to_owned(),
    });
    let lines: Vec<String> = lines.collect();
    let body = if greets {
        let id: String = body.chars().filter(char::is_ascii_digit).collect();
        body.replacen(&id, "<id>", 1)
            .trim_end_matches('.')
            .to_owned()
    } else {
        body.to_owned()
    };
    format!("{}\n\n{body}", lines.join("\n"))
}

#[test]
fn every_cell_answers_with_the_same_bytes_as_a_process_alone() {
    let single = Server::start(SINGLE, &[]);
    let expected = REQUESTS.map(|line| without_identity(&raw(single.address(), &request(line))));
    assert!(
        expected[0].ends_with("Hello from worker <id>\n"),
        "{}",
        expected[0]
    );
    for cell in Cell::all() {
        let server = cell.start("2", &[]);
        assert_eq!(server.ready.model, cell.model);
        assert_eq!(server.ready.workers, 2);
        for (line, expected) in REQUESTS.iter().zip(&expected) {
            let seen = without_identity(&raw(server.address(), &request(line)));
            assert_eq!(seen, *expected, "{cell}: {line}");
        }
    }
}

/// The names of all fields, with those of fields within fields.
fn shape(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| {
                let inner = shape(value)
                    .into_iter()
                    .map(move |of| format!("{name}.{of}"));
                inner.chain([name.clone()])
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(shape).collect(),
        _ => BTreeSet::new(),
    }
}

#[test]
fn every_cell_gives_an_account_of_the_same_shape() {
    let single = Server::start(SINGLE, &[]);
    let account = |address| {
        let answer = get(address, "/stats");
        assert_eq!(answer.status, 200);
        let names: Vec<String> = answer.headers.into_iter().map(|(name, _)| name).collect();
        let body: Value = serde_json::from_str(&answer.body).expect("it is JSON");
        (names, shape(&body))
    };
    let expected = account(single.address());
    assert!(expected.1.contains("cluster.workers.requests"));
    for cell in Cell::all() {
        let server = cell.start("2", &[]);
        assert_eq!(account(server.address()), expected, "{cell}");
    }
}

#[test]
fn every_cell_keeps_a_connection_with_its_worker_until_the_client_wants_it_closed() {
    for cell in Cell::all() {
        let server = cell.start("2", &[]);
        let mut client = Client::connect(server.address());
        let worker = client.get("/").worker();
        for _ in 0..10 {
            let answer = client.get("/");
            assert_eq!(answer.header("connection"), None, "{cell}");
            // What is stolen is answered by whoever stole it.
            if cell.model.accept != Accept::Stealing {
                assert_eq!(answer.worker(), worker, "{cell}");
            }
        }
        client.send_bytes(&request("GET /"));
        let last = client.receive();
        assert_eq!(last.header("connection"), Some("close"), "{cell}");
        client.expect_end();
    }
}
