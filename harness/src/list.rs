//! `counters list`: experiments, servers and guests, and whether this machine has them.

use std::fmt;

use serde::Serialize;

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
}

#[derive(Serialize)]
struct ExperimentRow {
    name: &'static str,
    about: &'static str,
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
        write!(f, "Experiments")?;
        for row in &self.experiments {
            write!(f, "\n  {:<13} {}", row.name, row.about)?;
        }
        write!(f, "\n\nServers")?;
        for row in &self.servers {
            write!(f, "\n  {:<13} {:<25} {}", row.name, row.model, row.about)?;
            if let Some(version) = &row.version {
                write!(f, " [{version}]")?;
            }
            if let Some(absent) = &row.absent {
                write!(f, "\n  {:<13} not measured: {absent}", "")?;
            }
        }
        Ok(())
    }
}
