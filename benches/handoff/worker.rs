//! The side that serves.

use std::{
    io::{self, Write},
    net::{TcpListener, TcpStream},
    os::fd::OwnedFd,
};

use anyhow::{Context, ensure};
use benches::tools::{fork_server::Job, turns::stay_by_turns_on};
use serde::{Deserialize, Serialize};
use servers::accept::handoff::lane::{Line, Word};

use super::lanes::receive;

/// What every client gets.
pub const BYTE: u8 = b'!';

/// Where connections come from.
pub enum Source {
    /// From the servers' own lane to a thread.
    Line(Line),
    /// As descriptors.
    Packets(OwnedFd),
    /// From the kernel.
    Listener(TcpListener),
}

impl From<Line> for Source {
    fn from(line: Line) -> Self {
        Self::Line(line)
    }
}

impl Source {
    /// Sleep until there are connections; none once the bench is done.
    fn wait(&mut self, connections: &mut Vec<TcpStream>) -> anyhow::Result<()> {
        match self {
            Self::Line(line) => {
                if let Line::Channel {
                    connections: lane, ..
                } = line
                    && let Some(connection) = lane.blocking_recv()
                {
                    line.say(Word::TookAndFree);
                    connections.push(connection);
                }
                Ok(())
            }
            Self::Packets(socket) => receive(socket, connections),
            Self::Listener(listener) => match listener.accept() {
                Ok((connection, _)) => {
                    connections.push(connection);
                    Ok(())
                }
                // It was shut down.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
                Err(error) => Err(error).context("cannot accept a connection"),
            },
        }
    }
}

/// Serve what comes, by turns on `cpu`.
///
/// # Errors
/// A client cannot be written to.
pub fn serve(source: &mut Source, cpu: usize) -> anyhow::Result<()> {
    stay_by_turns_on(cpu)?;
    let mut connections = Vec::new();
    loop {
        source.wait(&mut connections)?;
        if connections.is_empty() {
            return Ok(());
        }
        for mut connection in connections.drain(..) {
            let written = connection.write(&[BYTE]).context("cannot serve a client")?;
            ensure!(written == 1, "nothing was written to a client");
        }
    }
}

/// A worker that gets its source as a descriptor. The second descriptor ends with it, for the bench to see.
#[derive(Debug, Serialize, Deserialize)]
pub struct Serving {
    /// Whether connections are passed on to it.
    pub passed: bool,
    /// Where it runs.
    pub cpu: usize,
}

impl Job for Serving {
    fn run(self, descriptors: Vec<OwnedFd>) -> anyhow::Result<()> {
        let came = descriptors.len();
        let all: Option<[OwnedFd; 2]> = descriptors.try_into().ok();
        let [source, _lifeline] = all.with_context(|| format!("{came} descriptors came, not 2"))?;
        let mut source = if self.passed {
            Source::Packets(source)
        } else {
            Source::Listener(source.into())
        };
        serve(&mut source, self.cpu)
    }
}
