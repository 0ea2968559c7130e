//! Servers written here that are right, or wrong in one way each, and a load to drive at them.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use load::{LoadError, LoadSpec, Loaded, start};
use nix::{
    sched::{CpuSet, sched_getaffinity},
    unistd::Pid,
};
use schema::{ErrorKind, LoadResult};

/// Serves each connection on a thread of its own until the peer closes. The threads end with the
/// test's process.
pub fn serve(handle: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
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
pub fn read_request(reader: &mut impl BufRead) -> bool {
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
pub fn answering(answer: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static) -> SocketAddr {
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

pub fn hello(worker: u32) -> Vec<u8> {
    let body = format!("Hello from worker {worker}\n");
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The same, after which the server closes.
pub fn last_hello(worker: u32) -> Vec<u8> {
    let body = format!("Hello from worker {worker}\n");
    format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A CPU that this process may use.
pub fn cpu() -> u32 {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    (0..CpuSet::count())
        .find(|&cpu| allowed.is_set(cpu).unwrap())
        .and_then(|cpu| u32::try_from(cpu).ok())
        .unwrap()
}

pub fn spec(address: SocketAddr) -> LoadSpec {
    LoadSpec {
        connections: 4,
        // Longer than a busy machine keeps somebody from a CPU.
        measure: Duration::from_secs(1),
        ..LoadSpec::to(address, cpu())
    }
}

pub fn load(spec: LoadSpec) -> Result<Loaded, LoadError> {
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

pub fn only_error(result: &LoadResult) -> (ErrorKind, &str) {
    assert_eq!(result.error_kinds.len(), 1, "{result:?}");
    (result.error_kinds[0].kind, &result.error_kinds[0].first)
}
