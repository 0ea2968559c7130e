//! What every server answers.

use std::{fs, path::Path, time::Instant};

use crate::{
    http::{Answer, Client, get},
    launch::{CLUSTER, ONE_WORKER_EACH, PATIENCE, SINGLE, Server, THREADS},
};

const TARGETS: [&str; 9] = [
    "/",
    "/?from=anywhere",
    "/cpu?us=10",
    "/wait?us=10",
    "/block?us=10",
    "/cpu",
    "/wait?us=x",
    "/block?us=60000001",
    "/nothing",
];

/// An answer without what may differ: the date, and the id together with its length.
pub fn without_identity(mut answer: Answer) -> Answer {
    let id: String = answer.body.chars().filter(char::is_ascii_digit).collect();
    if answer.status == 200 {
        assert_eq!(
            answer.header("content-length"),
            Some(answer.body.len().to_string().as_str())
        );
        answer.body = answer.body.replace(&id, "<id>");
    }
    for (name, value) in &mut answer.headers {
        if name == "date" || (name == "content-length" && answer.status == 200) {
            value.clear();
        }
    }
    answer
}

#[test]
fn every_server_gives_the_same_answers() {
    let [single, cluster, threads] =
        ONE_WORKER_EACH.map(|(program, arguments)| Server::start(program, arguments));
    for target in TARGETS {
        let expected = without_identity(get(single.address(), target));
        for other in [&cluster, &threads] {
            assert_eq!(
                without_identity(get(other.address(), target)),
                expected,
                "{target}"
            );
        }
    }
}

#[test]
fn hello_names_the_worker_and_nothing_else() {
    for (program, arguments) in ONE_WORKER_EACH {
        let server = Server::start(program, arguments);
        let answer = get(server.address(), "/");
        assert_eq!(
            answer.body,
            format!("Hello from worker {}\n", answer.worker())
        );
        assert_eq!(answer.header("content-type"), Some("text/plain"));
        assert_eq!(answer.header("transfer-encoding"), None);
    }
}

#[test]
fn a_worker_is_named_by_its_kernel_task_id() {
    let single = Server::start(SINGLE, &[]);
    assert_eq!(get(single.address(), "/").worker(), single.pid());

    let cluster = Server::start(CLUSTER, &["--workers", "2"]);
    let worker = get(cluster.address(), "/").worker();
    assert!(cluster.workers().contains(&worker));

    let threads = Server::start(THREADS, &["--workers", "2"]);
    let worker = get(threads.address(), "/").worker();
    let task = format!("/proc/{}/task/{worker}", threads.pid());
    assert!(Path::new(&task).exists(), "{task}");
}

#[test]
fn every_workload_is_answered_with_hello() {
    for (program, arguments) in ONE_WORKER_EACH {
        let server = Server::start(program, arguments);
        let worker = get(server.address(), "/").worker();
        for target in [
            "/cpu?us=1000",
            "/wait?us=1000",
            "/block?us=1000",
            "/cpu?us=0",
        ] {
            assert_eq!(get(server.address(), target).worker(), worker, "{target}");
        }
    }
}

#[test]
fn cpu_burns_at_least_the_cpu_time_asked_for() {
    let server = Server::start(SINGLE, &[]);
    let cpu_time_ns = || -> u64 {
        let times = fs::read_to_string(format!("/proc/{}/schedstat", server.pid())).unwrap();
        times.split(' ').next().unwrap().parse().unwrap()
    };
    let before = cpu_time_ns();
    get(server.address(), "/cpu?us=20000");
    assert!(cpu_time_ns() - before >= 20_000_000);
}

#[test]
fn wait_and_block_last_at_least_as_long_as_asked_for() {
    let server = Server::start(SINGLE, &[]);
    for target in ["/wait?us=20000", "/block?us=20000"] {
        let began = Instant::now();
        get(server.address(), target);
        assert!(began.elapsed().as_millis() >= 20, "{target}");
    }
}

#[test]
fn a_waiting_worker_serves_others_meanwhile() {
    for (program, arguments) in ONE_WORKER_EACH {
        let server = Server::start(program, arguments);
        let mut waiting = Client::connect(server.address());
        waiting.send(&["/", "/wait?us=60000000"]);
        waiting.receive();
        get(server.address(), "/").worker();
        assert!(!waiting.has_received());
    }
}

#[test]
fn a_blocked_worker_serves_nobody_meanwhile() {
    for (program, arguments) in ONE_WORKER_EACH {
        let server = Server::start(program, arguments);
        let mut blocking = Client::connect(server.address());
        blocking.send(&["/", "/block?us=100000"]);
        blocking.receive();
        get(server.address(), "/").worker();
        assert!(blocking.has_received());
    }
}

#[test]
fn what_cannot_be_answered_is_refused_in_one_line_that_names_it() {
    let server = Server::start(SINGLE, &[]);
    for (target, status, named) in [
        ("/nothing", 404, "/nothing"),
        ("/cpu/", 404, "/cpu/"),
        ("/cpu", 400, "missing"),
        ("/wait?us=", 400, "''"),
        ("/block?us=1e3", 400, "'1e3'"),
        ("/cpu?us=60000001", 400, "'60000001'"),
    ] {
        let answer = get(server.address(), target);
        assert_eq!(answer.status, status, "{target}");
        assert!(answer.body.contains(named), "{}", answer.body);
        assert_eq!(answer.body.find('\n'), Some(answer.body.len() - 1));
    }
}

#[test]
fn a_method_that_does_not_read_is_refused_with_those_that_do() {
    for (program, arguments) in ONE_WORKER_EACH {
        let server = Server::start(program, arguments);
        for method in ["POST", "DELETE", "OPTIONS", "BREW"] {
            let mut client = Client::connect(server.address());
            client.send_bytes(&format!(
                "{method} / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc"
            ));
            let answer = client.receive();
            assert_eq!(answer.status, 405, "{method}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"));
            assert!(answer.body.contains(method), "{}", answer.body);
        }
    }
}

#[test]
fn head_is_answered_like_get_without_the_body() {
    let server = Server::start(SINGLE, &[]);
    let mut client = Client::connect(server.address());
    let expected = client.get("/");
    client.send_bytes("HEAD / HTTP/1.1\r\nHost: test\r\n\r\n");
    let head = client.receive_head();
    assert_eq!(head.status, 200);
    assert_eq!(
        head.header("content-length"),
        expected.header("content-length")
    );
    // Were there a body, it would stand where the next status line is expected.
    assert_eq!(client.get("/").body, expected.body);
}

#[test]
fn one_connection_carries_many_requests() {
    for (program, arguments) in ONE_WORKER_EACH {
        let server = Server::start(program, arguments);
        let mut client = Client::connect(server.address());
        for _ in 0..50 {
            client.get("/").worker();
        }
        let stats: serde_json::Value = serde_json::from_str(&client.get("/stats").body).unwrap();
        assert_eq!(stats["requests"], 51);
        assert_eq!(stats["connections"], 1);
    }
}

#[test]
fn a_client_that_wants_one_request_per_connection_gets_it() {
    for (program, arguments) in ONE_WORKER_EACH {
        let server = Server::start(program, arguments);
        let mut client = Client::connect(server.address());
        client.send_bytes("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        client.receive().worker();
        client.expect_end();
    }
}

#[test]
fn a_client_that_has_finished_sending_still_gets_its_answer() {
    for (program, arguments) in ONE_WORKER_EACH {
        let server = Server::start(program, arguments);
        let mut client = Client::connect(server.address());
        client.send(&["/", "/wait?us=20000"]);
        client.finish_sending();
        client.receive().worker();
        client.receive().worker();
        client.expect_end();
    }
}

#[test]
fn a_connection_its_client_closed_is_closed_by_the_server() {
    for (program, arguments) in ONE_WORKER_EACH {
        let server = Server::start(program, arguments);
        let stats = get(server.address(), "/stats").body;
        let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
        let files = format!("/proc/{}/fd", stats["pid"]);
        let open = || fs::read_dir(&files).unwrap().count();
        let mut first = Client::connect(server.address());
        first.get("/").worker();
        let before = open();
        for said in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: test\r\n\r\n"] {
            for _ in 0..100 {
                Client::connect(server.address()).send_bytes(said);
            }
        }
        let began = Instant::now();
        while open() > before {
            first.get("/").worker();
            assert!(began.elapsed() < PATIENCE, "{} are open", open());
        }
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    for (program, arguments) in ONE_WORKER_EACH {
        let server = Server::start(program, arguments);
        let mut client = Client::connect(server.address());
        client.send(&["/", "/nothing", "/wait?us=5000", "/cpu", "/"].repeat(20));
        for _ in 0..20 {
            let statuses = [(); 5].map(|()| client.receive().status);
            assert_eq!(statuses, [200, 404, 200, 400, 200]);
        }
    }
}

#[test]
fn stats_are_what_the_answering_worker_knows_of_itself() {
    let server = Server::start(CLUSTER, &["--workers", "1"]);
    get(server.address(), "/");
    get(server.address(), "/nothing");
    let answer = get(server.address(), "/stats");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let stats: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(stats["worker"], server.workers()[0]);
    assert_eq!(stats["pid"], server.workers()[0]);
    assert_eq!(stats["requests"], 3);
    assert_eq!(stats["connections"], 3);
    assert!(stats["started_unix_ns"].as_u64().unwrap() > 1_600_000_000_000_000_000);
}
