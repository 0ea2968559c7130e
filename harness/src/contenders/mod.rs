//! Who is measured: this project's servers and guests, each in a file of its own.
//!
//! A contender says what it is, whether this machine has it, and how it is started. The rest of the
//! harness treats all alike.

pub mod command;
mod gunicorn;
mod installed;
mod nginx;
mod node;
pub mod own;

use std::{
    ffi::OsString,
    fmt,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use schema::{Model, Origin, Program};

use crate::binaries::Binaries;

/// How many workers a contender can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// As many as asked for.
    Any,
    /// This many, whatever is asked for.
    Fixed(u32),
}

/// A contender is not on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// What is missing, as in `node not found`.
    pub reason: String,
    /// What to do about it.
    pub cure: String,
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.reason, self.cure)
    }
}

/// How it becomes known that a server can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadyBy {
    /// It prints [`schema::Ready`], which must name this model and so many workers.
    ReadyLine {
        /// Its cell of the grid.
        model: Model,
        /// How many workers it was given.
        workers: u32,
    },
    /// It prints [`schema::Ready`], whatever it names.
    AnyReadyLine,
    /// It has printed this many lines from `prefix` to `started`, and answers at `address`.
    Answers {
        /// Where it listens.
        address: SocketAddr,
        /// What a worker's line begins with.
        prefix: &'static str,
        /// How many such lines.
        lines: u32,
    },
    /// It answers at `address`, and its main process has so many children.
    Forked {
        /// Where it listens.
        address: SocketAddr,
        /// How many workers it was given.
        workers: u32,
    },
}

/// How a contender is started.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Program and arguments.
    pub command: Vec<OsString>,
    /// What its environment says beside this program's.
    pub environment: Vec<(OsString, OsString)>,
    /// When it is ready.
    pub ready_by: ReadyBy,
}

/// A worker's emulated core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The CPU it is a share of.
    pub cpu: u32,
    /// Its control group.
    pub slot: PathBuf,
}

/// A server that can be measured.
pub trait Contender {
    /// Its name on command lines and in reports.
    fn name(&self) -> &str;
    /// One line on what it is.
    fn about(&self) -> &str;
    /// Own or guest.
    fn origin(&self) -> Origin;
    /// Its cell of the grid.
    fn model(&self) -> Model;
    /// How many workers it can be given.
    fn workers(&self) -> Workers;
    /// Whether it does other workloads than `hello`.
    fn does_workloads(&self) -> bool {
        false
    }
    /// Load that it needs before it is at its speed, where that is more than a server needs that was compiled
    /// before.
    fn warm_up(&self) -> Option<Duration> {
        None
    }
    /// The program it needs beside this project's own, with its version.
    fn program(&self) -> Option<Program>;
    /// Whether it is on this machine.
    ///
    /// # Errors
    /// [`Absent`] with the cure.
    fn find(&self) -> Result<(), Absent>;
    /// Whether its workers take their seats by themselves; those of others are put there from outside.
    fn joins_slots(&self) -> bool {
        false
    }
    /// How to start it with this many workers, each with a seat where cores are emulated; `scratch` is a
    /// folder for files it needs.
    fn recipe(&self, workers: u32, scratch: &Path, seats: &[Seat]) -> anyhow::Result<Recipe>;
}

/// A port that nobody listens on now. Another program may take it before the server does; then the
/// server says so, and the trial fails with its words.
fn free_address() -> anyhow::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .context("cannot find a free port on 127.0.0.1")
}

/// All contenders, in the order of reports.
pub fn all(binaries: &Binaries) -> Vec<Box<dyn Contender>> {
    let mut all: Vec<Box<dyn Contender>> = Vec::new();
    for server in own::servers(binaries) {
        all.push(Box::new(server));
    }
    for guest in node::guests() {
        all.push(Box::new(guest));
    }
    for guest in nginx::guests() {
        all.push(Box::new(guest));
    }
    all.push(Box::new(gunicorn::guest()));
    all
}
