//! What is typed, what is printed, and exit codes.

use std::{
    io::pipe,
    net::{Ipv4Addr, SocketAddr},
    process::{self, Child, Command, Stdio},
    thread,
    time::Instant,
};

use nix::sys::signal::{Signal::SIGTERM, kill};
use schema::{Accept, Model, SCHEMA_VERSION, Style, Worker};

use crate::{
    http::{Client, get},
    launch::{CLUSTER, Ended, FLOOR, ONE_WORKER_EACH, PATIENCE, SINGLE, Server, THREADS, pid, run},
};

pub fn assert_one_line(ended: &Ended, code: i32, named: &str) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert!(ended.stdout.is_empty(), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    assert!(ended.stderr.contains(named), "{ended:?}");
}

#[test]
fn wrong_usage_is_one_line_that_names_the_value() {
    for program in [CLUSTER, THREADS] {
        for count in ["0", "1025", "100000", "abc", "-1", "1.5", ""] {
            let ended = run(program, &[&format!("--workers={count}")]);
            assert_one_line(&ended, 2, &format!("'{count}'"));
        }
    }
    for program in [SINGLE, CLUSTER, THREADS, FLOOR] {
        for (argument, named) in [
            ("--port=65536", "'65536'"),
            ("--bind=localhost", "'localhost'"),
            ("--drain-timeout=soon", "'soon'"),
            ("--drain-timeout=2days", "'2days'"),
            ("--colour", "'--colour'"),
            ("surplus", "'surplus'"),
            ("--port", "--port"),
        ] {
            assert_one_line(&run(program, &[argument]), 2, named);
        }
    }
    for program in [SINGLE, FLOOR] {
        assert_one_line(&run(program, &["--workers=1"]), 2, "'--workers'");
    }
}

#[test]
fn a_port_that_is_taken_is_one_line_that_names_it() {
    let owner = Server::start(SINGLE, &[]);
    let port = owner.address().port().to_string();
    for program in [SINGLE, CLUSTER, THREADS, FLOOR] {
        let ended = run(program, &["--port", &port]);
        assert_one_line(&ended, 1, &owner.address().to_string());
        assert!(ended.stderr.contains("--port"), "{ended:?}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for program in [SINGLE, CLUSTER, THREADS, FLOOR] {
        for argument in ["--help", "--version"] {
            let ended = run(program, &[argument]);
            assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
            assert!(!ended.stdout.is_empty());
        }
    }
}

#[test]
fn the_ready_line_tells_who_listens_where() {
    for (program, workers, worker, accept) in [
        (SINGLE, None, Worker::Process, Accept::Shared),
        (FLOOR, None, Worker::Process, Accept::Shared),
        (CLUSTER, Some("3"), Worker::Process, Accept::Shared),
        (THREADS, Some("3"), Worker::Thread, Accept::Stealing),
    ] {
        let arguments: Vec<&str> = workers.into_iter().flat_map(|n| ["--workers", n]).collect();
        let server = Server::start(program, &arguments);
        let ready = &server.ready;
        assert_eq!(ready.schema_version, SCHEMA_VERSION);
        assert_eq!(ready.pid, server.pid());
        assert!(ready.address.ip().is_loopback() && ready.address.port() != 0);
        assert_eq!(ready.workers, if workers.is_some() { 3 } else { 1 });
        let style = Style::Evented;
        assert_eq!(
            ready.model,
            Model {
                worker,
                style,
                accept
            }
        );
    }
}

#[test]
fn there_is_one_worker_for_each_cpu_that_may_be_used() {
    for program in [CLUSTER, THREADS] {
        assert_eq!(Server::start_on_one_cpu(program, &[]).ready.workers, 1);
        let allowed = thread::available_parallelism().unwrap().get();
        assert!(Server::start(program, &[]).ready.workers as usize >= allowed);
    }
}

#[test]
fn ipv6_is_served_too() {
    let server = Server::start(SINGLE, &["--bind", "::1"]);
    assert!(server.address().is_ipv6());
    get(server.address(), "/").worker();
}

/// Ends the process with the test.
struct Nameless(Child);

impl Drop for Nameless {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_closed_stdout_stops_no_server() {
    // With nowhere to read the address from, it has to be chosen; nobody else listens on this one.
    let [.., high, low] = process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, 1, high, low);
    let address = SocketAddr::from((own, 3000));
    for (program, arguments) in ONE_WORKER_EACH.into_iter().chain([(FLOOR, &[][..])]) {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut server = Nameless(
            Command::new(program)
                .args(["--bind", &own.to_string(), "--port", "3000"])
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(writer)
                .spawn()
                .unwrap(),
        );
        let began = Instant::now();
        let mut client = loop {
            match Client::try_connect(address) {
                Ok(client) => break client,
                Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
            }
            thread::yield_now();
        };
        client.get("/").worker();
        kill(pid(server.0.id()), SIGTERM).unwrap();
        client.expect_end();
        assert_eq!(server.0.wait().unwrap().code(), Some(0));
    }
}
