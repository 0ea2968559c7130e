//! The engine against real sockets: servers written here that are right, or wrong in one way each.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use load::{Expectation, LoadError, LoadSpec, Loaded, Window, start};
use schema::{ErrorKind, LoadResult};

/// Serves each connection on a thread of its own until the peer closes. The threads end with the
/// test's process.
fn serve(handle: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let handle = Arc::new(handle);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (handle, stream) = (Arc::clone(&handle), stream.unwrap());
            thread::spawn(move || handle(stream));
        }
    });
    address
}

/// Reads one request's head; false where the peer closed.
fn read_request(reader: &mut impl BufRead) -> bool {
    let mut line = String::new();
    loop {
        line.clear();
        match reader.read_line(&mut line) {
            Ok(0) | Err(_) => return false,
            Ok(_) if line == "\r\n" => return true,
            Ok(_) => {}
        }
    }
}

/// Answers every request on a connection with what `answer` gives for its running number.
fn answering(answer: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static) -> SocketAddr {
    let count = AtomicUsize::new(0);
    serve(move |stream| {
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        while read_request(&mut reader) {
            let bytes = answer(count.fetch_add(1, Ordering::Relaxed));
            let closing = bytes
                .windows(17)
                .any(|window| window == b"Connection: close");
            if writer.write_all(&bytes).is_err() || closing {
                break;
            }
        }
    })
}

fn hello(worker: u32) -> Vec<u8> {
    let body = format!("Hello from worker {worker}\n");
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn spec(address: SocketAddr) -> LoadSpec {
    LoadSpec {
        address,
        target: "/".to_owned(),
        connections: 4,
        cpus: vec![0],
        warm_up: Duration::ZERO,
        measure: Duration::from_millis(200),
        timeout: Duration::from_secs(5),
        expect: Expectation::HelloFromWorker,
        on_window: Arc::new(|_| {}),
    }
}

fn load(spec: LoadSpec) -> Result<Loaded, LoadError> {
    let loaded = start(spec)?.finish()?;
    let LoadResult {
        offered,
        completed,
        errors,
        timeouts,
        unfinished,
        ..
    } = loaded.result;
    assert_eq!(
        offered,
        completed + errors + timeouts + unfinished,
        "{:?}",
        loaded.result
    );
    Ok(loaded)
}

fn only_error(result: &LoadResult) -> (ErrorKind, &str) {
    assert_eq!(result.error_kinds.len(), 1, "{result:?}");
    (result.error_kinds[0].kind, &result.error_kinds[0].first)
}

#[test]
fn correct_answers_are_counted_by_worker() {
    let address = answering(|number| hello(if number % 4 == 0 { 7 } else { 8 }));
    let loaded = load(LoadSpec {
        warm_up: Duration::from_millis(50),
        ..spec(address)
    })
    .unwrap();
    let result = loaded.result;
    assert_eq!((result.errors, result.timeouts), (0, 0), "{result:?}");
    assert!(result.completed > 0);
    assert_eq!(
        result
            .requests_by_worker
            .keys()
            .copied()
            .collect::<Vec<_>>(),
        [7, 8]
    );
    assert_eq!(
        result.requests_by_worker.values().sum::<u64>(),
        result.completed
    );
    assert!(loaded.latency.len() <= result.completed);
    let latency = result.latency.unwrap();
    assert!(latency.min_ns <= latency.p50_ns && latency.p50_ns <= latency.max_ns);
    assert!(result.generator_cpu.total_ns() > 0);
}

#[test]
fn the_window_opens_and_closes_once_however_many_threads_there_are() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let address = answering(|_| hello(1));
    let result = load(LoadSpec {
        cpus: vec![0, 0, 0],
        on_window: Arc::new(move |window| noted.lock().unwrap().push(window)),
        ..spec(address)
    })
    .unwrap()
    .result;
    assert_eq!(result.generator_threads, 3);
    assert_eq!(*seen.lock().unwrap(), [Window::Opened, Window::Closed]);
}

#[test]
fn chunked_bodies_are_checked_too() {
    let address = answering(|_| {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\nHello from worker 9\n\r\n0\r\n\r\n".to_vec()
    });
    let result = load(spec(address)).unwrap().result;
    assert_eq!(result.errors, 0, "{result:?}");
    assert!(result.requests_by_worker[&9] > 0);
}

#[test]
fn a_connection_for_each_request_is_made_where_the_server_closes() {
    let address = answering(|_| {
        b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nHello from worker 3\n".to_vec()
    });
    let result = load(spec(address)).unwrap().result;
    assert_eq!(result.errors, 0, "{result:?}");
    assert!(
        result.completed > 4 && result.connections_opened > 4,
        "{result:?}"
    );
}

#[test]
fn wrong_answers_are_errors_with_the_first_in_words() {
    let cases: [(&'static [u8], ErrorKind, &str); 5] = [
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", ErrorKind::Status, "status 500"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nHi\n", ErrorKind::Body, "'Hi\\n'"),
        (b"220 smtp.example ready\r\n\r\n", ErrorKind::Protocol, "220 smtp.example"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nHello from worker 7\nHTTP/1.1 200 OK\r\n",
            ErrorKind::Protocol,
            "no request asked for",
        ),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 99\r\n\r\nHello",
            ErrorKind::Protocol,
            "before the answer was whole",
        ),
    ];
    for (bytes, kind, words) in cases {
        let result = load(spec(answering(|_| bytes.to_vec()))).unwrap().result;
        assert_eq!(result.completed, 0, "{result:?}");
        let (found, first) = only_error(&result);
        assert!(found == kind && first.contains(words), "{kind:?}: {first}");
    }
}

#[test]
fn a_server_that_hangs_up_without_an_answer_is_counted_and_connected_to_again() {
    let address = serve(|stream| {
        let mut reader = BufReader::new(stream);
        read_request(&mut reader);
    });
    let result = load(spec(address)).unwrap().result;
    assert_eq!(only_error(&result).0, ErrorKind::Disconnect);
    assert!(result.errors > 4, "{result:?}");
}

#[test]
fn requests_that_are_never_answered_time_out() {
    let address = serve(|stream| {
        let mut reader = BufReader::new(stream);
        while read_request(&mut reader) {}
    });
    let result = load(LoadSpec {
        timeout: Duration::from_millis(50),
        ..spec(address)
    })
    .unwrap()
    .result;
    assert_eq!((result.completed, result.errors), (0, 0), "{result:?}");
    assert!(result.timeouts >= 4, "{result:?}");
}

#[test]
fn a_wrong_answer_during_warm_up_ends_the_load() {
    let address = answering(|_| b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec());
    let error = load(LoadSpec {
        warm_up: Duration::from_millis(50),
        ..spec(address)
    })
    .unwrap_err();
    assert!(
        matches!(&error, LoadError::WarmUp { first, .. } if first.contains("404")),
        "{error}"
    );
}

#[test]
fn nobody_listening_is_said_with_the_address() {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = load(spec(address)).unwrap_err().to_string();
    assert!(
        error.contains(&address.to_string()) && error.contains("refused"),
        "{error}"
    );
}

#[test]
fn a_load_that_is_called_off_says_so() {
    let address = answering(|_| hello(1));
    let running = start(LoadSpec {
        measure: Duration::from_mins(1),
        ..spec(address)
    })
    .unwrap();
    running.stop();
    assert!(matches!(running.finish(), Err(LoadError::Stopped)));
}

#[test]
fn a_cpu_that_does_not_exist_is_named() {
    let address = answering(|_| hello(1));
    let error = load(LoadSpec {
        cpus: vec![1000],
        ..spec(address)
    })
    .unwrap_err();
    assert!(matches!(error, LoadError::Pin { cpu: 1000, .. }), "{error}");
}

#[test]
fn a_load_of_nothing_is_refused() {
    let address = answering(|_| hello(1));
    assert!(matches!(
        start(LoadSpec {
            connections: 0,
            ..spec(address)
        }),
        Err(LoadError::Empty { .. })
    ));
}
