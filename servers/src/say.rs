//! Everything a server says: lines for people on stdout and stderr, the ready line for programs.
//!
//! Saying something never fails. Whoever started the server may have closed its end of the pipe
//! (EPIPE; Rust's runtime ignores SIGPIPE), and a server nobody listens to still has to serve.
//!
//! Nor does it wait for ever. A reader that stopped reading lets its pipe fill up, and the next write
//! would sleep until it goes on. It is waited for once, for a second; after that, lines that there is
//! no room for are lost, and the first that there is room for again comes behind one that says how many.

use std::{
    fmt::Display,
    io::{self, Write},
    net::SocketAddr,
    os::fd::AsFd,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use schema::{Model, Ready, SCHEMA_VERSION};

use crate::{failure::Failure, poll};

/// How long a reader may take to make room, the first time it has none.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lines lost since the last that was written, by stream.
static LOST_ON_STDOUT: AtomicU64 = AtomicU64::new(0);
static LOST_ON_STDERR: AtomicU64 = AtomicU64::new(0);

/// A line for people, on stdout.
pub fn line(text: impl Display) {
    write_line(io::stdout().lock(), &LOST_ON_STDOUT, &text.to_string());
}

/// What went wrong, on stderr, behind the name of who says it.
pub fn trouble(who: &str, what: impl Display) {
    let text = format!("{who}: {what}");
    write_line(io::stderr().lock(), &LOST_ON_STDERR, &text);
}

/// The ready line: every worker accepts connections at `address`.
///
/// # Panics
/// Never: numbers and short names are always JSON.
pub fn ready(address: SocketAddr, model: Model, workers: u32) {
    let ready = Ready {
        schema_version: SCHEMA_VERSION,
        pid: std::process::id(),
        address,
        model,
        workers,
    };
    let text = serde_json::to_string(&ready).expect("numbers and short names are always JSON");
    line(text);
}

/// The exit code of a server, after saying why where it failed.
#[must_use]
pub fn outcome(who: &str, result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            trouble(who, failure);
            ExitCode::FAILURE
        }
    }
}

/// One write for the whole line, so that lines of several processes never mix within a pipe, and
/// nothing is left in a buffer that a fork would copy.
fn write_line(mut stream: impl Write + AsFd, lost: &AtomicU64, text: &str) {
    let before = lost.load(Relaxed);
    let patience = if before == 0 {
        PATIENCE
    } else {
        Duration::ZERO
    };
    // A pipe that can be written to has room for a page, and lines are shorter. Where the kernel cannot
    // tell, the write itself shall.
    if !poll::writable(stream.as_fd(), Instant::now() + patience).unwrap_or(true) {
        lost.store(before + 1, Relaxed);
        return;
    }
    lost.store(0, Relaxed);
    let text = match before {
        0 => format!("{text}\n"),
        before => format!("Lines lost here, for nobody read them in time: {before}\n{text}\n"),
    };
    let _ = stream
        .write_all(text.as_bytes())
        .and_then(|()| stream.flush());
}
