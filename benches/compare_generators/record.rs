//! Everything there is to tell, as it is written with `--json`.

use benches::tools::machine::Machine;
use serde::Serialize;

use crate::{
    cli::Cli,
    cpus::Cpus,
    generators::{Found, OURS},
    offered::Load,
    rounds::{Outcome, Run},
    server::Server,
    summary::{self, Row},
    targets::{self, Target},
};

/// Of [`Record`].
const SCHEMA_VERSION: u32 = 1;

/// One comparison.
#[derive(Debug, Serialize)]
pub struct Record {
    schema_version: u32,
    /// Draws the order and the bootstrap's resamples.
    pub seed: u64,
    /// How often everything was measured.
    pub rounds: u32,
    /// How long each time.
    pub duration_s: u64,
    /// Connections, all kept alive.
    pub connections: u32,
    /// What it ran on.
    pub machine: Machine,
    /// What was loaded.
    pub server: ServerRecord,
    /// Where the generators ran.
    pub generator_cpu: usize,
    /// The generators, found or not.
    pub generators: Vec<GeneratorRecord>,
    /// One for each load.
    pub parts: Vec<Part>,
    /// Whether this project's own generator reaches what it set out to.
    pub targets: Vec<Target>,
    /// What to know before quoting a figure; each a whole sentence.
    pub notes: Vec<String>,
}

/// What was loaded.
#[derive(Debug, Serialize)]
pub struct ServerRecord {
    /// Its program.
    pub name: String,
    /// The words it was started with.
    pub command: Vec<String>,
    /// Its CPU.
    pub cpu: usize,
}

/// A generator, found or not.
#[derive(Debug, Serialize)]
pub struct GeneratorRecord {
    /// In tables.
    pub name: &'static str,
    /// Its program.
    pub path: Option<String>,
    /// As it tells it.
    pub version: Option<String>,
    /// Why it is left out and what to do about it, where it is.
    pub absent: Option<String>,
}

/// All generators under one load.
#[derive(Debug, Serialize)]
pub struct Part {
    /// The load.
    pub load: Load,
    /// One for each generator that can make it.
    pub rows: Vec<Row>,
}

impl Record {
    /// Sums up and judges.
    pub fn of(cli: &Cli, cpus: &Cpus, server: &Server, found: &[Found], runs: &[Run]) -> Self {
        let part = |load| Part {
            load,
            rows: summary::rows(load, found, runs, cli.seed()),
        };
        let parts: Vec<Part> = cli.loads().into_iter().map(part).collect();
        Self {
            schema_version: SCHEMA_VERSION,
            seed: cli.seed(),
            rounds: cli.rounds,
            duration_s: cli.duration.as_secs(),
            connections: cli.connections,
            machine: Machine::read(),
            server: ServerRecord {
                name: server.name(),
                command: server.command(),
                cpu: cpus.server,
            },
            generator_cpu: cpus.generator,
            generators: found.iter().map(GeneratorRecord::of).collect(),
            targets: targets::judge(&parts),
            notes: notes(cpus, found),
            parts,
        }
    }

    /// Whether this project's own generator was measured in every round of every load.
    pub fn own_is_whole(&self) -> bool {
        self.parts.iter().all(|part| {
            let own = part.rows.iter().find(|row| row.generator == OURS);
            own.is_some_and(|row| {
                let whole = |trial: &summary::Trial| matches!(trial.outcome, Outcome::Measured(_));
                !row.trials.is_empty() && row.trials.iter().all(whole)
            })
        })
    }
}

impl GeneratorRecord {
    fn of(found: &Found) -> Self {
        Self {
            name: found.generator.name,
            path: found
                .path
                .as_ref()
                .ok()
                .map(|path| path.display().to_string()),
            version: found.version.clone(),
            absent: found.path.as_ref().err().cloned(),
        }
    }
}

fn notes(cpus: &Cpus, found: &[Found]) -> Vec<String> {
    let mut notes = vec![
        "CPU per request is the user and system time of the generator's process from its start to \
         its end, by the kernel's count, over the requests that it says it completed."
            .to_owned(),
        "wrk, hey and ab have no open loop: what they measure begins when a request is sent, not \
         when it was due (hey's -q only holds a connection back)."
            .to_owned(),
    ];
    notes.extend(
        found
            .iter()
            .filter(|found| found.path.is_ok())
            .filter_map(|found| found.generator.note.map(str::to_owned)),
    );
    if cpus.siblings {
        notes.push(format!(
            "CPUs {} and {} share a physical core, so server and generator slow each other down.",
            cpus.server, cpus.generator
        ));
    }
    notes
}
