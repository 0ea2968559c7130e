//! How the servers end.

use nix::sys::signal::Signal::{SIGINT, SIGTERM};

use crate::{
    http::{Client, get},
    launch::{Ended, ONE_WORKER_EACH, Server},
};

/// A drain timeout no test lives to see the end of.
const FOREVER: [&str; 2] = ["--drain-timeout", "1h"];

fn start_each(more: &[&str]) -> impl Iterator<Item = Server> {
    ONE_WORKER_EACH
        .into_iter()
        .map(move |(program, arguments)| Server::start(program, &[arguments, more].concat()))
}

/// What the server says as it ends, of several tries: a primary ends workers itself where a busy machine
/// keeps them from their CPU for a second, and says that instead.
fn last_words(end: impl Fn() -> Ended) -> String {
    const TRIES: usize = 5;
    let mut said = String::new();
    for _ in 0..TRIES {
        let ended = end();
        assert_eq!(ended.code, Some(0));
        said = ended.stderr;
        if !said.contains("workers killed with their connections") {
            break;
        }
    }
    said
}

/// A connection whose worker has read the request for `target` and not answered it yet: one
/// request before it is answered, and both came in one segment.
fn in_flight(server: &Server, target: &str) -> Client {
    let mut client = Client::connect(server.address());
    client.send(&["/", target]);
    client.receive().worker();
    client
}

#[test]
fn a_request_in_flight_is_answered_whole_before_the_server_ends() {
    for signal in [SIGTERM, SIGINT] {
        for target in ["/wait?us=200000", "/block?us=200000", "/cpu?us=100000"] {
            for server in start_each(&FOREVER) {
                let mut client = in_flight(&server, target);
                server.signal(signal);
                client.receive().worker();
                client.expect_end();
                let ended = server.end();
                assert_eq!(ended.code, Some(0));
                assert_eq!(ended.stderr, "");
            }
        }
    }
}

#[test]
fn a_connection_without_a_request_does_not_hold_up_the_end() {
    for server in start_each(&FOREVER) {
        let mut idle = Client::connect(server.address());
        idle.get("/").worker();
        let mut silent = Client::connect(server.address());
        server.signal(SIGTERM);
        idle.expect_end();
        silent.expect_end();
        let ended = server.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    }
}

#[test]
fn requests_that_came_before_the_signal_are_answered() {
    for server in start_each(&FOREVER) {
        // The only worker is blocked, so these connections and requests wait in the kernel.
        let mut blocking = in_flight(&server, "/block?us=100000");
        let mut waiting: Vec<Client> = (0..20).map(|_| Client::connect(server.address())).collect();
        for client in &mut waiting {
            client.send(&["/"]);
        }
        server.signal(SIGTERM);
        blocking.receive().worker();
        for client in &mut waiting {
            client.receive().worker();
        }
        assert_eq!(server.end().code, Some(0));
    }
}

#[test]
fn new_connections_are_refused_while_requests_in_flight_finish() {
    for server in start_each(&FOREVER) {
        let client = in_flight(&server, "/wait?us=60000000");
        server.signal(SIGTERM);
        while Client::try_connect(server.address()).is_ok() {}
        assert!(!client.has_received());
    }
}

#[test]
fn what_the_drain_timeout_cuts_is_counted_on_stderr() {
    for (program, arguments) in ONE_WORKER_EACH {
        let said = last_words(|| {
            let server =
                Server::start(program, &[arguments, &["--drain-timeout", "10ms"]].concat());
            let _clients = [(); 3].map(|()| in_flight(&server, "/wait?us=60000000"));
            server.signal(SIGTERM);
            server.end()
        });
        let cut = said.contains("connections cut: 3,") && said.contains("--drain-timeout");
        assert!(cut && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    for second in [SIGTERM, SIGINT] {
        for (program, arguments) in ONE_WORKER_EACH {
            let said = last_words(|| {
                let server = Server::start(program, &[arguments, &FOREVER].concat());
                let _client = in_flight(&server, "/wait?us=60000000");
                let mut idle = Client::connect(server.address());
                idle.get("/").worker();
                server.signal(SIGTERM);
                // The first signal has been understood once idle connections are closed.
                idle.expect_end();
                server.signal(second);
                server.end()
            });
            assert!(said.contains("connections cut: "), "{said}");
        }
    }
}

#[test]
fn a_server_that_was_never_used_ends_when_told() {
    for signal in [SIGTERM, SIGINT] {
        for server in start_each(&FOREVER) {
            server.signal(signal);
            let ended = server.end();
            assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        }
    }
}

#[test]
fn a_blocked_worker_is_not_waited_for_beyond_the_drain_timeout() {
    // A single process has nobody to end it while it is blocked.
    for server in start_each(&["--drain-timeout", "10ms"]).skip(1) {
        let client = in_flight(&server, "/block?us=60000000");
        server.signal(SIGTERM);
        let ended = server.end();
        assert_eq!(ended.code, Some(0));
        assert!(ended.stderr.contains("--drain-timeout"), "{}", ended.stderr);
        assert!(!client.has_received());
    }
}

#[test]
fn the_port_is_free_as_soon_as_the_server_has_ended() {
    // An address of its own: no other test can be given the port in between.
    let bind = ["--bind", "127.0.1.1"];
    for (program, arguments) in ONE_WORKER_EACH {
        let server = Server::start(program, &[arguments, &bind].concat());
        let port = server.address().port().to_string();
        let mut client = Client::connect(server.address());
        client.get("/").worker();
        server.signal(SIGTERM);
        client.expect_end();
        server.end();

        let again = [arguments, &bind, &["--port", &port]].concat();
        let server = Server::start(program, &again);
        get(server.address(), "/").worker();
    }
}
