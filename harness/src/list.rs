//! `counters list`: experiments, servers and guests, whether this machine has them, and the model grid.

mod grid;

use std::fmt;

use schema::Preset;
use serde::Serialize;

use self::grid::Grid;
use crate::{
    binaries::Binaries,
    cli::ListArgs,
    contenders::{self, Workers},
    exit::Exit,
    experiments::Experiment,
    say,
};

#[derive(Serialize)]
struct Listing {
    experiments: Vec<ExperimentRow>,
    servers: Vec<ServerRow>,
    grid: Grid,
}

#[derive(Serialize)]
struct ExperimentRow {
    name: &'static str,
    about: &'static str,
    /// Those that run it where nothing is named.
    presets: Vec<&'static str>,
}

#[derive(Serialize)]
struct ServerRow {
    name: String,
    about: String,
    model: String,
    /// Absent where it takes any number.
    workers: Option<u32>,
    version: Option<String>,
    /// Why it cannot be measured, and the cure.
    absent: Option<String>,
}

/// Prints the listing.
pub fn list(args: &ListArgs) -> anyhow::Result<Exit> {
    let listing = Listing {
        experiments: Experiment::ALL
            .iter()
            .map(|experiment| ExperimentRow {
                name: experiment.name(),
                about: experiment.about(),
                presets: experiment.presets().map(Preset::name).collect(),
            })
            .collect(),
        servers: contenders::all(&Binaries::locate(args.bin_dir.as_deref())?)
            .iter()
            .map(|contender| ServerRow {
                name: contender.name().to_owned(),
                about: contender.about().to_owned(),
                model: contender.model().to_string(),
                workers: match contender.workers() {
                    Workers::Any => None,
                    Workers::Fixed(workers) => Some(workers),
                },
                version: contender.program().and_then(|program| program.version),
                absent: contender.find().err().map(|absent| absent.to_string()),
            })
            .collect(),
        grid: Grid::new(),
    };
    if args.json {
        say::result(serde_json::to_string_pretty(&listing)?)?;
    } else {
        say::result(listing)?;
    }
    Ok(Exit::Fine)
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.experiments.iter().map(|row| row.name.len());
        let width = names.max().unwrap_or(0);
        write!(f, "Experiments, and the presets that run them")?;
        for row in &self.experiments {
            write!(f, "\n  {:width$}  {}", row.name, row.about)?;
            write!(f, " ({})", row.presets.join(", "))?;
        }
        let width = |of: fn(&ServerRow) -> usize| self.servers.iter().map(of).max().unwrap_or(0);
        let (names, models) = (width(|row| row.name.len()), width(|row| row.model.len()));
        write!(f, "\n\nServers")?;
        for row in &self.servers {
            write!(
                f,
                "\n  {:names$}  {:models$}  {}",
                row.name, row.model, row.about
            )?;
            if let Some(version) = &row.version {
                write!(f, " [{version}]")?;
            }
            if let Some(absent) = &row.absent {
                write!(f, "\n  {:names$}  not measured: {absent}", "")?;
            }
        }
        write!(
            f,
            "\n\nThe model grid: who takes a new connection, and what it is known from\n{}",
            self.grid
        )
    }
}
