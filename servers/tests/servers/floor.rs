//! What `floor` answers, endures, and finishes: as the servers that are compared, with less.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use nix::sys::{
    signal::Signal::{SIGCONT, SIGINT, SIGSTOP, SIGTERM},
    wait::{Id, WaitPidFlag, WaitStatus, waitid},
};

use crate::{
    endpoint::without_identity,
    http::{Client, get},
    launch::{FLOOR, PATIENCE, SINGLE, Server, pid},
};

const HELLO: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

/// A drain timeout no test lives to see the end of.
const FOREVER: [&str; 2] = ["--drain-timeout", "1h"];

fn start() -> Server {
    Server::start(FLOOR, &FOREVER)
}

/// Wait until `happened`.
fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed() < PATIENCE, "never came: {what}");
        thread::yield_now();
    }
}

/// Whether the server waits for something, as one that spins never does.
fn sleeps(server: &Server) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    let (_, after_name) = stat.rsplit_once(") ").unwrap();
    after_name.starts_with('S')
}

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
        writer.shutdown(std::net::Shutdown::Write).unwrap();
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
