//! The closed loop against real sockets.

mod support;

use std::{
    io::BufReader,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use load::{Expectation, LoadError, LoadSpec, Window, start};
use schema::{Arrivals, ErrorKind, OpenLoop, Pace, Reuse};

use support::{answering, cpu, hello, last_hello, load, only_error, read_request, serve, spec};

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
    assert_eq!(loaded.latencies.response().len(), result.completed);
    let latency = result.response.unwrap();
    assert!(latency.min_ns <= latency.p50_ns && latency.p50_ns <= latency.max_ns);
    assert!(result.generator_cpu.total_ns() > 0);
}

#[test]
fn the_window_opens_and_closes_once_however_many_threads_there_are() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let address = answering(|_| hello(1));
    let result = load(LoadSpec {
        cpus: vec![cpu(); 3],
        on_window: Arc::new(move |window| noted.lock().unwrap().push(window)),
        ..spec(address)
    })
    .unwrap()
    .result;
    assert_eq!(result.generator_threads, 3);
    let seen = seen.lock().unwrap();
    assert!(
        matches!(
            seen[..],
            [Window::Approaches, Window::Opened { .. }, Window::Closed]
        ),
        "{seen:?}"
    );
}

#[test]
fn held_loads_begin_together_and_not_before_they_are_told() {
    let served = Arc::new(AtomicUsize::new(0));
    let address = {
        let served = Arc::clone(&served);
        answering(move |_| {
            served.fetch_add(1, Ordering::Relaxed);
            hello(9)
        })
    };
    let opened = Arc::new(Mutex::new(Vec::new()));
    let mut loads = [0, 1].map(|_| {
        let opened = Arc::clone(&opened);
        let spec = LoadSpec {
            held: true,
            on_window: Arc::new(move |window| {
                if matches!(window, Window::Opened { .. }) {
                    opened.lock().unwrap().push(Instant::now());
                }
            }),
            ..spec(address)
        };
        start(spec).unwrap()
    });
    for load in &mut loads {
        while !load.is_ready() {
            assert!(!load.wait(Duration::from_millis(1)));
        }
    }
    assert_eq!(served.load(Ordering::Relaxed), 0);
    let at = Instant::now() + Duration::from_millis(5);
    for load in &mut loads {
        load.begin(at);
        assert!(!load.is_ready());
    }
    for load in loads {
        assert!(load.finish().unwrap().result.completed > 0);
    }
    let opened = opened.lock().unwrap();
    assert!(opened.len() == 2 && opened.iter().all(|&when| when > at));
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
fn a_kept_connection_that_the_server_ends_with_an_answer_is_made_anew_without_an_error() {
    for pace in [
        Pace::ClosedLoop { think_ns: 0 },
        Pace::OpenLoop(OpenLoop {
            from_per_s: 2_000.0,
            to_per_s: 2_000.0,
            arrivals: Arrivals::Constant,
            seed: 1,
        }),
    ] {
        let address = answering(|number| {
            if number % 10 == 9 {
                last_hello(7)
            } else {
                hello(7)
            }
        });
        let result = load(LoadSpec {
            pace,
            warm_up: Duration::from_millis(50),
            ..spec(address)
        })
        .unwrap()
        .result;
        assert_eq!((result.errors, result.timeouts), (0, 0), "{result:?}");
        // Connections are made when they are needed, the last ones after the window perhaps.
        let ended = result.completed / 10;
        let opened = result.connections_opened;
        assert!(opened > 0 && opened + 5 >= ended, "{result:?}");
        assert!(opened <= ended + 5, "{result:?}");
    }
}

#[test]
fn a_greeting_and_dots_are_counted_by_worker_and_any_other_body_is_an_error() {
    let with_dots = |length: usize| {
        let mut body = b"Hello from worker 7\n".to_vec();
        body.resize(length, b'.');
        body
    };
    let address = answering(move |number| {
        let mut body = with_dots(if number == 40 { 3_999 } else { 4_000 });
        if number == 20 {
            body[2_000] = b'x';
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.into_bytes(), body].concat()
    });
    let result = load(LoadSpec {
        expect: Expectation::HelloAndDots { length: 4_000 },
        ..spec(address)
    })
    .unwrap()
    .result;
    let (kind, first) = only_error(&result);
    assert_eq!((kind, result.errors), (ErrorKind::Body, 2));
    assert!(
        first.contains("of 4000 bytes") && first.contains("and dots up to 4000 bytes"),
        "{first}"
    );
    let counted: Vec<_> = result.requests_by_worker.into_iter().collect();
    assert_eq!(counted, [(7, result.completed)]);
    assert!(result.completed > 40);
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
fn a_wrong_answer_during_warm_up_ends_the_load() {
    let address = answering(|_| b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec());
    let error = load(LoadSpec {
        warm_up: Duration::from_secs(1),
        ..spec(address)
    })
    .unwrap_err();
    assert!(
        matches!(&error, LoadError::WarmUp { first, .. } if first.contains("404")),
        "{error}"
    );
}

#[test]
fn a_load_that_is_called_off_says_so() {
    let address = answering(|_| hello(1));
    let running = start(LoadSpec {
        warm_up: Duration::from_mins(1),
        ..spec(address)
    })
    .unwrap();
    running.stop();
    assert!(matches!(running.finish(), Err(LoadError::Stopped)));
}

#[test]
fn a_window_that_is_cut_short_counts_what_it_saw() {
    let address = answering(|_| hello(1));
    let mut running = start(LoadSpec {
        measure: Duration::from_mins(1),
        ..spec(address)
    })
    .unwrap();
    while running.completed() == 0 {
        assert!(!running.wait(Duration::from_millis(1)));
    }
    running.stop();
    let loaded = running.finish().unwrap();
    assert!(loaded.interrupted && loaded.result.completed > 0);
    assert!(loaded.result.elapsed_ns < 60_000_000_000);
}

#[test]
fn one_silent_connection_of_four_is_a_timeout_however_short_the_window() {
    let turn = AtomicUsize::new(0);
    let address = serve(move |stream| {
        let silent = turn.fetch_add(1, Ordering::Relaxed) == 2;
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        while read_request(&mut reader) {
            if !silent && std::io::Write::write_all(&mut writer, &hello(1)).is_err() {
                break;
            }
        }
    });
    let result = load(LoadSpec {
        warm_up: Duration::from_secs(1),
        measure: Duration::from_secs(4),
        timeout: Duration::from_mins(1),
        ..spec(address)
    })
    .unwrap()
    .result;
    assert_eq!((result.errors, result.timeouts), (0, 1), "{result:?}");
    let response = result.response.unwrap();
    assert!(response.max_ns >= 4_000_000_000, "{response:?}");
    assert!(response.bounds_from.is_some(), "{response:?}");
}

#[test]
fn connections_think_between_an_answer_and_the_next_request() {
    let address = answering(|_| hello(1));
    let result = load(LoadSpec {
        pace: Pace::ClosedLoop {
            think_ns: 20_000_000,
        },
        ..spec(address)
    })
    .unwrap()
    .result;
    // Fifty times 20 ms in a second, for each of four connections.
    assert!((4..=200).contains(&result.completed), "{result:?}");
    assert_eq!(result.errors, 0, "{result:?}");
}

#[test]
fn a_new_connection_for_each_request_comes_from_many_addresses() {
    let seen = Arc::new(Mutex::new(std::collections::BTreeSet::new()));
    let noted = Arc::clone(&seen);
    let address = serve(move |stream| {
        noted
            .lock()
            .unwrap()
            .insert(stream.peer_addr().unwrap().ip());
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        if read_request(&mut reader) {
            let _ = std::io::Write::write_all(&mut writer, &hello(1));
        }
    });
    let result = load(LoadSpec {
        reuse: Reuse::NewConnection,
        ..spec(address)
    })
    .unwrap()
    .result;
    assert_eq!(result.errors, 0, "{result:?}");
    assert!(result.completed > 4, "{result:?}");
    // The first was there before the load, and it may end while none is under way.
    assert!(
        result.connections_opened + 1 >= result.completed,
        "{result:?}"
    );
    assert_eq!(
        result.connections_by_worker[&1], result.completed,
        "{result:?}"
    );
    assert!(seen.lock().unwrap().len() > 4);
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
