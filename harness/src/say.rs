//! Everything the program says: results on stdout, all else on stderr.
//!
//! A reader may leave before it has read everything (`counters list | head -1`). On stdout that ends
//! the output and is no failure: the exit code stays what it would have been. Results that cannot be
//! written for another reason, such as a full disk, are an error. On stderr nothing is: a run goes on
//! even if nobody watches it.

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
};

use anyhow::Context;

/// Results, on stdout, with a newline behind them.
///
/// # Errors
/// Where they cannot be written although somebody reads them.
pub fn result(text: impl Display) -> anyhow::Result<()> {
    write(io::stdout().lock(), &text)
        .context("cannot write the results to standard output; is the disk full?")
}

/// A line about how it goes, on stderr.
pub fn line(text: impl Display) {
    let _ = write(io::stderr().lock(), &text);
}

/// What went wrong or must be known, on stderr, behind the program's name.
pub fn trouble(what: impl Display) {
    line(format_args!("counters: {what}"));
}

fn write(mut stream: impl Write, text: &impl Display) -> io::Result<()> {
    let written = stream
        .write_all(format!("{text}\n").as_bytes())
        .and_then(|()| stream.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::OpenOptions, io::pipe};

    #[test]
    fn a_reader_that_left_is_no_failure_and_a_full_disk_is() {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        assert!(write(writer, &"all of it").is_ok());
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert!(write(full, &"all of it").is_err());
    }
}
