//! How it becomes known that a server can be asked.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::bail;
use load::{Answer, Fed, KnownHead, Parser};
use schema::{Model, Ready, SCHEMA_VERSION};
use serde::Deserialize;

const SAME_CHECKOUT: &str = "build both from the same checkout: cargo build --release";

/// All that is read of a line of whatever version.
#[derive(Deserialize)]
struct Versioned {
    schema_version: serde_json::Value,
}

/// A ready line; nothing where it is any other.
///
/// # Errors
/// Where the line is of another schema version.
pub fn announced(line: &str) -> anyhow::Result<Option<Ready>> {
    let Ok(Versioned { schema_version }) = serde_json::from_str(line) else {
        return Ok(None);
    };
    if schema_version != SCHEMA_VERSION {
        bail!(
            "the server's ready line has schema version {schema_version}, this program knows \
             {SCHEMA_VERSION}; {SAME_CHECKOUT}"
        );
    }
    match serde_json::from_str(line) {
        Ok(ready) => Ok(Some(ready)),
        Err(error) => bail!("the server's ready line cannot be read: {error}; {SAME_CHECKOUT}"),
    }
}

/// The address in a ready line; nothing in any other line.
///
/// # Errors
/// Where the line is of another schema version, or announces another server than was asked for.
pub fn address(line: &str, model: Model, workers: u32) -> anyhow::Result<Option<SocketAddr>> {
    let Some(ready) = announced(line)? else {
        return Ok(None);
    };
    if (ready.model, ready.workers) != (model, workers) {
        bail!(
            "the server announced {} with workers: {}, and {model} with workers: {workers} was asked \
             for; {SAME_CHECKOUT}",
            ready.model,
            ready.workers
        );
    }
    Ok(Some(ready.address))
}

/// Whether a whole answer comes from there.
pub fn answers(address: SocketAddr) -> bool {
    ask(address, Duration::from_secs(1)).is_ok()
}

/// The answer to one request, after which the server is to close the connection, and that connection.
///
/// # Errors
/// Where no connection can be made, where its bytes are no answer, or where none come for so long.
pub fn ask(address: SocketAddr, patience: Duration) -> io::Result<(Answer, TcpStream)> {
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let (mut parser, mut known) = (Parser::default(), KnownHead::default());
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer)?;
        let fed = if length == 0 {
            parser.close().map(Some)
        } else {
            let fed = parser.feed(&mut known, &buffer[..length]);
            fed.map(|fed| match fed {
                Fed::Whole { answer, .. } => Some(answer),
                Fed::Partial => None,
            })
        };
        match fed {
            Ok(Some(answer)) => return Ok((answer, stream)),
            Ok(None) => {}
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<SocketAddr>, String> {
        let model = "process/evented/shared".parse().unwrap();
        address(line, model, 2).map_err(|error| error.to_string())
    }

    fn line(version: u32, accept: &str, workers: u32) -> String {
        format!(
            r#"{{"schema_version":{version},"pid":1,"address":"127.0.0.1:81","model":{{"worker":"process","style":"evented","accept":"{accept}"}},"workers":{workers}}}"#
        )
    }

    #[test]
    fn the_ready_line_is_told_from_lines_for_people() {
        let address = "127.0.0.1:81".parse().unwrap();
        assert_eq!(read(&line(SCHEMA_VERSION, "shared", 2)), Ok(Some(address)));
        for other in ["Worker 7 started", "{\"level\":\"info\"}", "{", ""] {
            assert_eq!(read(other), Ok(None), "{other}");
        }
    }

    #[test]
    fn a_line_of_another_version_is_told_as_such_even_if_nothing_else_of_it_can_be_read() {
        for other in [
            line(999, "shared", 2),
            r#"{"schema_version":999,"addresses":[]}"#.to_owned(),
        ] {
            let error = read(&other).unwrap_err();
            assert!(error.contains("schema version 999"), "{error}");
        }
        let ours = format!(r#"{{"schema_version":{SCHEMA_VERSION},"addresses":[]}}"#);
        let error = read(&ours).unwrap_err();
        assert!(error.contains("missing field"), "{error}");
    }

    #[test]
    fn another_server_than_was_asked_for_is_refused() {
        for (accept, workers) in [("reuseport", 2), ("shared", 1)] {
            let error = read(&line(SCHEMA_VERSION, accept, workers)).unwrap_err();
            assert!(
                error.contains(&format!("process/evented/{accept} with workers: {workers}")),
                "{error}"
            );
        }
    }
}
