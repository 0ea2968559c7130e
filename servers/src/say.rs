//! Everything a server says: lines for people on stdout and stderr, the ready line for programs.
//!
//! Saying something never fails. Whoever started the server may have closed its end of the pipe
//! (EPIPE; Rust's runtime ignores SIGPIPE), and a server nobody listens to still has to serve.
//!
//! # Nobody is waited for
//! Whoever started the server may also have stopped reading, and then the pipe fills. A primary that
//! waited there would leave its workers alone, so a line for which there is no room is lost, and the
//! first for which there is room again comes behind one that says how many were. A pipe that has room takes `PIPE_BUF` bytes (4096) without waiting, and a longer line goes in pieces of that
//! length. Who says something the moment another process fills the same pipe may still wait: only a
//! descriptor that does not block would prevent that, and the descriptor is not this server's alone.
//!
//! The ready line is the exception: whoever waits for it reads, and nothing is served before.

use std::{
    fmt::Display,
    io::{self, Write},
    net::SocketAddr,
    os::fd::AsFd,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use nix::libc::PIPE_BUF;
use schema::{Model, Ready, SCHEMA_VERSION};

use crate::{failure::Failure, poll};

/// Lines lost since the last that was written, by stream.
static LOST_ON_STDOUT: AtomicU64 = AtomicU64::new(0);
static LOST_ON_STDERR: AtomicU64 = AtomicU64::new(0);

/// A line for people, on stdout.
pub fn line(text: impl Display) {
    write_if_room(io::stdout().lock(), &LOST_ON_STDOUT, &text.to_string());
}

/// What went wrong, on stderr, behind the name of who says it.
pub fn trouble(who: &str, what: impl Display) {
    let text = format!("{who}: {what}");
    write_if_room(io::stderr().lock(), &LOST_ON_STDERR, &text);
}

/// The ready line: every worker accepts connections at `address`. Waits until it is written.
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
    let _ = write_at_once(&mut io::stdout().lock(), format!("{text}\n").as_bytes());
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

/// Write the line as far as nobody has to be waited for; as a rule all of it or nothing.
fn write_if_room(mut stream: impl Write + AsFd, lost: &AtomicU64, line: &str) {
    let before = lost.load(Relaxed);
    if !poll::has_room(stream.as_fd()) {
        lost.store(before + 1, Relaxed);
        return;
    }
    lost.store(0, Relaxed);
    let text = match before {
        0 => format!("{line}\n"),
        before => format!("Lines lost here, for nobody read them in time: {before}\n{line}\n"),
    };
    for piece in text.as_bytes().chunks(PIPE_BUF) {
        if !poll::has_room(stream.as_fd()) || write_at_once(&mut stream, piece).is_err() {
            return;
        }
    }
}

/// One write, so that lines of several processes never mix within a pipe, and nothing is left in a
/// buffer that a fork would copy.
fn write_at_once(stream: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use std::io::{PipeWriter, Read, pipe};

    use rustix::io::{Errno, ioctl_fionbio};

    use super::*;

    /// Leave no room in a pipe. How many bytes that took.
    fn fill(writer: &PipeWriter) -> usize {
        ioctl_fionbio(writer, true).unwrap();
        let mut written = 0;
        loop {
            match rustix::io::write(writer, &[b'.'; PIPE_BUF]) {
                Ok(more) => written += more,
                Err(Errno::AGAIN) => break,
                Err(error) => panic!("{error}"),
            }
        }
        ioctl_fionbio(writer, false).unwrap();
        written
    }

    #[test]
    fn lines_that_a_full_pipe_has_no_room_for_are_lost_and_counted() {
        let (mut reader, writer) = pipe().unwrap();
        let lost = AtomicU64::new(0);
        let mut filling = vec![0; fill(&writer)];
        write_if_room(&writer, &lost, "lost");
        write_if_room(&writer, &lost, "lost");
        reader.read_exact(&mut filling).unwrap();
        write_if_room(&writer, &lost, "said");
        write_if_room(&writer, &lost, "said");
        drop(writer);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert_eq!(
            rest,
            "Lines lost here, for nobody read them in time: 2\nsaid\nsaid\n"
        );
    }

    #[test]
    fn of_a_line_longer_than_all_the_room_there_is_the_rest_is_lost() {
        let (mut reader, writer) = pipe().unwrap();
        let room = fill(&writer);
        reader.read_exact(&mut vec![0; room]).unwrap();
        write_if_room(&writer, &AtomicU64::new(0), &"x".repeat(room + 1));
        drop(writer);
        assert_eq!(reader.read_to_end(&mut Vec::new()).unwrap(), room);
    }

    #[test]
    fn a_pipe_that_nobody_reads_any_more_is_no_trouble() {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        write_if_room(&writer, &AtomicU64::new(0), "lost");
    }
}
