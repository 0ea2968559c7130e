//! The cells of the grid, as they are started.

use std::fmt;

use schema::{Accept, Model, Style, Worker};

use crate::launch::{CLUSTER, Server, THREADS};

/// One way to start a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub model: Model,
    /// A connection to the shared listener wakes one event loop instead of all.
    exclusive: bool,
}

impl Cell {
    /// Every one that can be.
    pub fn all() -> impl Iterator<Item = Self> {
        Model::legal().flat_map(|model| {
            let sharing_loops = (model.style, model.accept) == (Style::Evented, Accept::Shared);
            let wakes: &[bool] = if sharing_loops {
                &[false, true]
            } else {
                &[false]
            };
            wakes
                .iter()
                .map(move |&exclusive| Self { model, exclusive })
        })
    }

    /// Those whose primary keeps a number of worker processes alive.
    pub fn of_kept_processes() -> impl Iterator<Item = Self> {
        Self::all().filter(|cell| {
            cell.model.worker == Worker::Process && cell.model.accept != Accept::PerConnection
        })
    }

    pub fn is(self, style: Style, accept: Accept) -> bool {
        (self.model.style, self.model.accept) == (style, accept)
    }

    pub const fn program(self) -> &'static str {
        match self.model.worker {
            Worker::Process => CLUSTER,
            Worker::Thread => THREADS,
        }
    }

    fn arguments<'a>(self, workers: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let model = [
            "--style",
            self.model.style.name(),
            "--accept",
            self.model.accept.name(),
            "--workers",
            workers,
        ];
        let wake: &[&str] = if self.exclusive {
            &["--wake", "exclusive"]
        } else {
            &[]
        };
        [&model, wake, more].concat()
    }

    pub fn start(self, workers: &str, more: &[&str]) -> Server {
        Server::start(self.program(), &self.arguments(workers, more))
    }

    /// As [`Self::start`], leading a process group.
    pub fn start_in_own_group(self, workers: &str, more: &[&str]) -> Server {
        Server::start_in_own_group(self.program(), &self.arguments(workers, more))
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wake = if self.exclusive {
            " --wake exclusive"
        } else {
            ""
        };
        write!(f, "{}{wake}", self.model)
    }
}
