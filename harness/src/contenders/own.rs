//! This project's servers, started by path.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use schema::{Accept, Model, Origin, Program, Style, Worker};

use super::{Absent, Contender, ReadyBy, Recipe, Seat, Workers};
use crate::binaries::Binaries;

/// One of the server binaries.
pub struct OwnServer {
    name: String,
    about: &'static str,
    model: Model,
    workers: Workers,
    path: PathBuf,
    /// Time that each request takes longer than it needs to.
    spin_ns: u64,
}

/// `single` under another name, each of whose requests burns so much time more.
pub fn single_with_spin(binaries: &Binaries, name: &str, spin_ns: u64) -> OwnServer {
    let [single, ..] = servers(binaries);
    OwnServer {
        name: name.to_owned(),
        spin_ns,
        ..single
    }
}

/// The servers, found or not.
pub fn servers(binaries: &Binaries) -> [OwnServer; 3] {
    let server = |name: &str, about, worker, accept, workers| OwnServer {
        name: name.to_owned(),
        about,
        model: Model {
            worker,
            style: Style::Evented,
            accept,
        },
        workers,
        path: binaries.path(name),
        spin_ns: 0,
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
    fn name(&self) -> &str {
        &self.name
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

    fn joins_slots(&self) -> bool {
        true
    }

    fn recipe(&self, workers: u32, _scratch: &Path, seats: &[Seat]) -> anyhow::Result<Recipe> {
        let mut command: Vec<OsString> = vec![
            self.path.clone().into_os_string(),
            "--port".into(),
            "0".into(),
        ];
        if self.workers == Workers::Any {
            command.extend(["--workers".into(), workers.to_string().into()]);
        }
        if self.spin_ns > 0 {
            command.extend(["--spin-ns".into(), self.spin_ns.to_string().into()]);
        }
        for seat in seats {
            let mut word = OsString::from(format!("{}=", seat.cpu));
            word.push(&seat.slot);
            command.extend(["--slot".into(), word]);
        }
        Ok(Recipe {
            command,
            environment: Vec::new(),
            ready_by: ReadyBy::ReadyLine {
                model: self.model,
                workers,
            },
        })
    }
}
