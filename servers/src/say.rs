//! Everything a server says: lines for people on stdout and stderr, the ready line for programs.
//!
//! Saying something never fails. Whoever started the server may have closed its end of the pipe
//! (EPIPE; Rust's runtime ignores SIGPIPE), and a server nobody listens to still has to serve.

use std::{
    fmt::Display,
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
};

use schema::{Model, Ready, SCHEMA_VERSION};

use crate::failure::Failure;

/// A line for people, on stdout.
pub fn line(text: impl Display) {
    write_line(io::stdout().lock(), &text.to_string());
}

/// What went wrong, on stderr, behind the name of who says it.
pub fn trouble(who: &str, what: impl Display) {
    write_line(io::stderr().lock(), &format!("{who}: {what}"));
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
fn write_line(mut stream: impl Write, text: &str) {
    let _ = stream
        .write_all(format!("{text}\n").as_bytes())
        .and_then(|()| stream.flush());
}
