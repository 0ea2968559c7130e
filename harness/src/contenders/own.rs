//! This project's servers, started by path.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use schema::{Accept, Model, Origin, Program, Style, Worker};

use super::{Absent, Contender, ReadyBy, Recipe, Workers};
use crate::binaries::Binaries;

/// One of the server binaries.
pub struct OwnServer {
    name: &'static str,
    about: &'static str,
    model: Model,
    workers: Workers,
    path: PathBuf,
}

/// The servers, found or not.
pub fn servers(binaries: &Binaries) -> [OwnServer; 3] {
    let server = |name, about, worker, accept, workers| OwnServer {
        name,
        about,
        model: Model {
            worker,
            style: Style::Evented,
            accept,
        },
        workers,
        path: binaries.path(name),
    };
    [
        server(
            "single",
            "one process, one event loop",
            Worker::Process,
            Accept::Shared,
            Workers::Fixed(1),
        ),
        server(
            "cluster",
            "a primary and forked worker processes that share its listener",
            Worker::Process,
            Accept::Shared,
            Workers::Any,
        ),
        server(
            "threads",
            "one process, a runtime of worker threads that steal work from one another",
            Worker::Thread,
            Accept::Stealing,
            Workers::Any,
        ),
    ]
}

impl Contender for OwnServer {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn origin(&self) -> Origin {
        Origin::Own
    }

    fn model(&self) -> Model {
        self.model
    }

    fn workers(&self) -> Workers {
        self.workers
    }

    fn does_workloads(&self) -> bool {
        true
    }

    fn program(&self) -> Option<Program> {
        None
    }

    fn find(&self) -> Result<(), Absent> {
        let absent = |what: &str, cure: &str| {
            Err(Absent {
                reason: format!("{} {what}", self.path.display()),
                cure: cure.to_owned(),
            })
        };
        match fs::metadata(&self.path) {
            Ok(file) if file.is_file() && file.permissions().mode() & 0o111 != 0 => Ok(()),
            Ok(_) => absent(
                "is no program that may be executed",
                "allow it with chmod +x, or build it with: cargo build --release -p servers",
            ),
            Err(_) => absent(
                "not found",
                "build it with: cargo build --release -p servers",
            ),
        }
    }

    fn recipe(&self, workers: u32, _scratch: &Path) -> anyhow::Result<Recipe> {
        let mut command = vec![
            self.path.clone().into_os_string(),
            "--port".into(),
            "0".into(),
        ];
        if self.workers == Workers::Any {
            command.extend(["--workers".into(), workers.to_string().into()]);
        }
        Ok(Recipe {
            command,
            ready_by: ReadyBy::ReadyLine {
                model: self.model,
                workers,
            },
        })
    }
}
