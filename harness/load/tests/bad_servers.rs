//! Servers that are wrong in one way each. Against every one of them the load ends on time, and each
//! request is accounted for under a name that fits.

mod support;

use std::{
    io::{BufReader, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use load::{LoadError, LoadSpec};
use rustix::net::sockopt::set_socket_linger;
use schema::{Arrivals, ErrorKind, LoadResult, OpenLoop, Pace};

use support::{answering, hello, load, only_error, read_request, serve, spec};

/// Both loops against one server.
fn both(address: std::net::SocketAddr, timeout: Duration) -> [LoadResult; 2] {
    let open = Pace::OpenLoop(OpenLoop {
        from_per_s: 200.0,
        to_per_s: 200.0,
        arrivals: Arrivals::Constant,
        seed: 1,
    });
    [Pace::ClosedLoop { think_ns: 0 }, open].map(|pace| {
        load(LoadSpec {
            pace,
            timeout,
            // Long enough for what times out to do so.
            measure: if timeout < PATIENT {
                timeout * 12
            } else {
                Duration::from_millis(500)
            },
            ..spec(address)
        })
        .unwrap()
        .result
    })
}

const PATIENT: Duration = Duration::from_secs(5);
const IMPATIENT: Duration = Duration::from_millis(50);

#[test]
fn one_that_closes_at_accept() {
    let address = serve(drop);
    for result in both(address, PATIENT) {
        assert_eq!(result.completed, 0, "{result:?}");
        assert!(result.errors > 4, "{result:?}");
        assert!(
            result
                .error_kinds
                .iter()
                .all(|error| matches!(error.kind, ErrorKind::Disconnect | ErrorKind::Connect)),
            "{result:?}"
        );
    }
}

#[test]
fn one_that_resets() {
    let address = serve(|stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        read_request(&mut reader);
        set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    });
    for result in both(address, PATIENT) {
        let (kind, first) = only_error(&result);
        assert_eq!(kind, ErrorKind::Disconnect);
        assert!(first.contains("reset"), "{first}");
        assert!(result.completed == 0 && result.errors > 4, "{result:?}");
    }
}

#[test]
fn one_that_closes_within_the_body() {
    let address = answering(|_| {
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 99\r\n\r\nHello".to_vec()
    });
    for result in both(address, PATIENT) {
        let (kind, first) = only_error(&result);
        assert_eq!(kind, ErrorKind::Protocol);
        assert!(first.contains("before the answer was whole"), "{first}");
    }
}

#[test]
fn one_that_sends_more_than_it_declared() {
    let address = answering(|_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nHello from worker 7\nand more".to_vec()
    });
    for result in both(address, PATIENT) {
        let (kind, first) = only_error(&result);
        assert_eq!(kind, ErrorKind::Protocol);
        assert!(first.contains("and more"), "{first}");
        assert_eq!(result.completed, 0, "{result:?}");
    }
}

#[test]
fn one_that_answers_twice() {
    let address = answering(|_| [hello(7), hello(8)].concat());
    for result in both(address, PATIENT) {
        let (kind, first) = only_error(&result);
        assert_eq!(kind, ErrorKind::Protocol);
        assert!(first.contains("no request asked for"), "{first}");
    }
}

#[test]
fn one_that_speaks_while_nothing_is_asked() {
    let address = serve(|mut stream| {
        let _ = stream.write_all(b"220 ready\r\n");
        let mut reader = BufReader::new(stream);
        while read_request(&mut reader) {}
    });
    for result in both(address, IMPATIENT) {
        assert_eq!(result.completed, 0, "{result:?}");
        assert!(
            result.unsolicited_bytes > 0 || result.errors > 0,
            "{result:?}"
        );
    }
}

#[test]
fn one_that_answers_garbage() {
    let address = answering(|_| b"\x16\x03\x01garbage\r\n\r\n".to_vec());
    for result in both(address, PATIENT) {
        let (kind, first) = only_error(&result);
        assert_eq!(kind, ErrorKind::Protocol);
        assert!(first.contains("\\x16\\x03\\x01garbage"), "{first}");
    }
}

#[test]
fn one_that_never_answers() {
    let address = serve(|stream| {
        let mut reader = BufReader::new(stream);
        while read_request(&mut reader) {}
    });
    for result in both(address, IMPATIENT) {
        assert_eq!((result.completed, result.errors), (0, 0), "{result:?}");
        assert!(result.timeouts >= 4, "{result:?}");
    }
}

/// Answers rightly, a byte at a time, with `pause` after each.
fn dripping(pause: fn()) -> std::net::SocketAddr {
    serve(move |stream| {
        stream.set_nodelay(true).unwrap();
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        while read_request(&mut reader) {
            for byte in hello(1) {
                if writer.write_all(&[byte]).is_err() {
                    return;
                }
                pause();
            }
        }
    })
}

#[test]
fn one_that_drips_a_byte_at_a_time() {
    // The pace is what is wrong with this server: nothing is waited for.
    let address = dripping(|| thread::sleep(Duration::from_millis(100)));
    for result in both(address, Duration::from_millis(150)) {
        assert_eq!((result.completed, result.errors), (0, 0), "{result:?}");
        assert!(result.timeouts > 0, "{result:?}");
    }
}

#[test]
fn one_that_drips_but_comes_to_an_end() {
    let address = dripping(thread::yield_now);
    for result in both(address, PATIENT) {
        assert_eq!(result.errors + result.timeouts, 0, "{result:?}");
        assert!(result.completed > 0, "{result:?}");
    }
}

#[test]
fn one_whose_head_never_ends() {
    let address = serve(|stream| {
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        if !read_request(&mut reader) || writer.write_all(b"HTTP/1.1 200 OK\r\n").is_err() {
            return;
        }
        while writer
            .write_all(b"X-Padding: more and more of it\r\n")
            .is_ok()
        {}
    });
    for result in both(address, PATIENT) {
        let (kind, first) = only_error(&result);
        assert_eq!(kind, ErrorKind::Protocol);
        assert!(first.contains("head"), "{first}");
    }
}

#[test]
fn one_that_says_something_other_than_200() {
    let address = answering(|_| b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_vec());
    for result in both(address, PATIENT) {
        let (kind, first) = only_error(&result);
        assert_eq!(
            (kind, first),
            (ErrorKind::Status, "status 503 instead of 200")
        );
        assert!(
            result.connections_opened == 0,
            "the connections stay: {result:?}"
        );
    }
}

#[test]
fn one_whose_line_of_waiting_connections_is_full() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    // The kernel keeps as many as the backlog and one more; after that it does not answer.
    let filling: Vec<TcpStream> = std::iter::from_fn(|| {
        TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok()
    })
    .take(16)
    .collect();
    assert!(filling.len() < 16, "the line never got full");
    for result in both(address, IMPATIENT) {
        assert_eq!((result.completed, result.errors), (0, 0), "{result:?}");
        assert!(result.timeouts >= 4, "{result:?}");
    }
}

#[test]
fn one_that_goes_away_in_the_middle() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Four connections, fifty answers each, and then nobody listens any more.
    thread::spawn(move || {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let stream = listener.accept().unwrap().0;
                thread::spawn(move || {
                    let mut writer = stream.try_clone().unwrap();
                    let mut reader = BufReader::new(stream);
                    for _ in 0..50 {
                        if !read_request(&mut reader) || writer.write_all(&hello(1)).is_err() {
                            return;
                        }
                    }
                })
            })
            .collect();
        drop(listener);
        for thread in threads {
            thread.join().unwrap();
        }
    });
    let result = load(LoadSpec {
        measure: Duration::from_secs(2),
        ..spec(address)
    })
    .unwrap()
    .result;
    assert_eq!(result.completed, 200, "{result:?}");
    let refused = result
        .error_kinds
        .iter()
        .find(|error| error.kind == ErrorKind::Connect)
        .unwrap();
    assert!(refused.first.contains("refused"), "{result:?}");
    // A slot rests after a refusal: errors come by the dozen, not by the million.
    assert!(refused.count < 1000, "{result:?}");
}

#[test]
fn one_that_is_not_there_ends_the_load_before_it_begins() {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = load(spec(address)).unwrap_err();
    assert!(matches!(&error, LoadError::Connect { .. }), "{error}");
    let words = error.to_string();
    assert!(
        words.contains(&address.to_string()) && words.contains("refused"),
        "{words}"
    );
}

#[test]
fn one_whose_body_never_ends() {
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let address = serve(move |stream| {
        let endless = turn
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
            .is_multiple_of(2);
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        while read_request(&mut reader) {
            if !endless {
                if writer.write_all(&hello(1)).is_err() {
                    return;
                }
                continue;
            }
            if writer.write_all(b"HTTP/1.1 200 OK\r\n\r\n").is_err() {
                return;
            }
            while writer.write_all(&vec![b'x'; 256 * 1024]).is_ok() {}
            return;
        }
    });
    for result in both(address, IMPATIENT) {
        // The others are served all the while.
        assert!(result.timeouts > 0 && result.completed > 0, "{result:?}");
    }
}
