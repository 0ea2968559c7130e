//! This project's servers, started by path: the basic three, every cell of the grid that can be, and what
//! stands beside it.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use schema::{Accept, Known, Model, Origin, Program, Style, Worker};

use super::{Absent, Contender, ReadyBy, Recipe, Seat, Workers};
use crate::binaries::Binaries;

/// The servers that an experiment which is not about the grid is made with.
pub const BASIC: [&str; 3] = [SINGLE, CLUSTER, THREADS];
/// Those that are called as their binaries are.
pub const PROGRAMS: [&str; 4] = [SINGLE, CLUSTER, THREADS, FLOOR];
/// The physical limit: it serves `/` alone.
pub const FLOOR: &str = "floor";
/// Stevens' iterative server: one worker, one connection at a time.
pub const SINGLE_BLOCKING: &str = "single-blocking";
/// Processes on a shared listener, of which the kernel wakes one and not all.
pub const EXCLUSIVE: &str = "process-evented-shared-exclusive";

const SINGLE: &str = "single";
const CLUSTER: &str = "cluster";
const THREADS: &str = "threads";

/// One of the server binaries, with the options that make it a cell of the grid.
pub struct OwnServer {
    name: String,
    about: String,
    model: Model,
    workers: Workers,
    path: PathBuf,
    options: Vec<OsString>,
    /// It takes no options but those of every server, and has no path but `/`.
    bare: bool,
}

/// `single` under another name, each of whose requests burns so much time more.
pub fn single_with_spin(binaries: &Binaries, name: &str, spin_ns: u64) -> OwnServer {
    let server = single(binaries).named(name);
    if spin_ns == 0 {
        return server;
    }
    server.with(&["--spin-ns", &spin_ns.to_string()])
}

/// What stands for a cell of the grid, by its name on command lines.
pub fn name_of(model: Model) -> String {
    model.to_string().replace('/', "-")
}

/// The cell of the grid that a contender stands for; nothing where it only lies in one.
pub fn stands_for(contender: &dyn Contender) -> Option<Model> {
    let model = contender.model();
    (contender.name() == name_of(model)).then_some(model)
}

/// Every server, found or not: the basic three first.
pub fn servers(binaries: &Binaries) -> Vec<OwnServer> {
    let basic = [single(binaries), cluster(binaries), threads(binaries)];
    let cells = Model::legal().filter_map(|model| Some((model, model.known().ok()?)));
    basic
        .into_iter()
        .chain(cells.map(|(model, known)| cell(binaries, model, known)))
        .chain([
            exclusive(binaries),
            single_blocking(binaries),
            floor(binaries),
        ])
        .collect()
}

fn single(binaries: &Binaries) -> OwnServer {
    let about = "one process, one event loop";
    OwnServer {
        workers: Workers::Fixed(1),
        ..OwnServer::of(binaries, SINGLE, evented(Accept::Shared), about)
    }
}

fn cluster(binaries: &Binaries) -> OwnServer {
    let about = "a primary and forked worker processes that share its listener";
    OwnServer::of(binaries, CLUSTER, evented(Accept::Shared), about)
}

fn threads(binaries: &Binaries) -> OwnServer {
    let model = Model {
        worker: Worker::Thread,
        ..evented(Accept::Stealing)
    };
    let about = "one process, a runtime of worker threads that steal work from one another";
    OwnServer::of(binaries, THREADS, model, about)
}

fn cell(binaries: &Binaries, model: Model, known: Known) -> OwnServer {
    let binary = match model.worker {
        Worker::Process => CLUSTER,
        Worker::Thread => THREADS,
    };
    let (style, accept) = (model.style.name(), model.accept.name());
    let about = match (known.from, known.stevens) {
        ("", None) => "a cell of the grid".to_owned(),
        ("", Some(number)) => format!("Stevens' design {number}"),
        (from, None) => format!("as {from}"),
        (from, Some(number)) => format!("as {from}; Stevens' design {number}"),
    };
    OwnServer::of(binaries, binary, model, &about)
        .named(&name_of(model))
        .with(&["--style", style, "--accept", accept])
}

fn exclusive(binaries: &Binaries) -> OwnServer {
    let about = "process/evented/shared, but a connection wakes one worker and not all";
    OwnServer::of(binaries, CLUSTER, evented(Accept::Shared), about)
        .named(EXCLUSIVE)
        .with(&[
            "--style",
            "evented",
            "--accept",
            "shared",
            "--wake",
            "exclusive",
        ])
}

fn single_blocking(binaries: &Binaries) -> OwnServer {
    let model = Model {
        style: Style::Blocking,
        ..evented(Accept::Shared)
    };
    let about = "one process, one connection at a time: Stevens' iterative server";
    OwnServer {
        workers: Workers::Fixed(1),
        ..OwnServer::of(binaries, SINGLE, model, about)
            .named(SINGLE_BLOCKING)
            .with(&["--style", "blocking"])
    }
}

fn floor(binaries: &Binaries) -> OwnServer {
    let about = "a hand-written event loop with a ready-made answer: the physical limit";
    OwnServer {
        workers: Workers::Fixed(1),
        bare: true,
        ..OwnServer::of(binaries, FLOOR, evented(Accept::Shared), about)
    }
}

const fn evented(accept: Accept) -> Model {
    Model {
        worker: Worker::Process,
        style: Style::Evented,
        accept,
    }
}

impl OwnServer {
    /// A binary under its own name, as it comes.
    fn of(binaries: &Binaries, binary: &str, model: Model, about: &str) -> Self {
        Self {
            name: binary.to_owned(),
            about: about.to_owned(),
            model,
            workers: Workers::Any,
            path: binaries.path(binary),
            options: Vec::new(),
            bare: false,
        }
    }

    fn named(self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self
        }
    }

    fn with(mut self, options: &[&str]) -> Self {
        self.options.extend(options.iter().map(OsString::from));
        self
    }
}

impl Contender for OwnServer {
    fn name(&self) -> &str {
        &self.name
    }

    fn about(&self) -> &str {
        &self.about
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
        !self.bare
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
        !self.bare
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
        command.extend(self.options.iter().cloned());
        for seat in seats.iter().filter(|_| self.joins_slots()) {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all() -> Vec<OwnServer> {
        servers(&Binaries::locate(Some(Path::new("/bin-dir"))).unwrap())
    }

    fn command(name: &str, workers: u32) -> String {
        let all = all();
        let server = all.iter().find(|server| server.name == name).unwrap();
        let recipe = server.recipe(workers, Path::new("/"), &[]).unwrap();
        let words: Vec<_> = recipe.command.iter().map(|w| w.to_str().unwrap()).collect();
        words.join(" ")
    }

    #[test]
    fn every_model_that_can_be_has_a_server_and_no_name_is_given_twice() {
        let all = all();
        let names: BTreeSet<_> = all.iter().map(|server| server.name.as_str()).collect();
        assert_eq!(names.len(), all.len());
        for model in Model::legal() {
            let name = name_of(model);
            let server = all.iter().find(|server| server.name == name).unwrap();
            assert_eq!(server.model, model);
        }
        for name in BASIC.iter().chain(&[FLOOR, SINGLE_BLOCKING, EXCLUSIVE]) {
            assert!(names.contains(name), "{name}");
        }
    }

    #[test]
    fn options_say_which_cell_of_the_grid_a_server_is() {
        for (name, expected) in [
            (
                "process-evented-reuseport",
                "cluster --port 0 --workers 4 --style evented --accept reuseport",
            ),
            (
                "thread-blocking-per-connection",
                "threads --port 0 --workers 4 --style blocking --accept per-connection",
            ),
            (
                EXCLUSIVE,
                "cluster --port 0 --workers 4 --style evented --accept shared --wake exclusive",
            ),
            ("cluster", "cluster --port 0 --workers 4"),
        ] {
            assert_eq!(command(name, 4), format!("/bin-dir/{expected}"));
        }
        assert_eq!(
            command(SINGLE_BLOCKING, 1),
            "/bin-dir/single --port 0 --style blocking"
        );
        assert_eq!(command(FLOOR, 1), "/bin-dir/floor --port 0");
    }
}
