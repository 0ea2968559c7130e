//! `compare-generators`: this project's load generator beside its peers.
//!
//! `CPUs -> server -> rounds -> summary -> targets -> table`. One server on one CPU is loaded by one
//! generator at a time on another CPU. Every round holds every pair of load and generator once, in
//! an order drawn from the seed, so that a noisy minute hits all alike; ratios are taken round by
//! round. A generator that is absent, fails or says what cannot be read is a row with the reason,
//! and the others go on.
//!
//! The server and whatever loads it die with this program, even after SIGKILL: the kernel sees to it.
//! For the same reason Ctrl-C needs no care here.
//!
//! Ends with 0, with 1 where this project's own generator failed, and with 2 where nothing could be
//! measured.

mod child;
mod cli;
mod cpus;
mod generators;
mod number;
mod offered;
mod progress;
mod record;
mod rounds;
mod server;
mod summary;
mod table;
mod targets;

use std::process::ExitCode;

use clap::Parser;

use crate::{cli::Cli, generators::Found, record::Record, server::Server};

fn main() -> ExitCode {
    match compare(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("compare-generators: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether this project's own generator did all it was asked to.
fn compare(cli: &Cli) -> anyhow::Result<bool> {
    let cpus = cpus::choose(cli.server_cpu, cli.generator_cpu)?;
    let folder = cli.folder()?;
    let found: Vec<Found> = generators::find(&folder, &cli.only)?;
    for absent in found.iter().filter_map(Found::absence) {
        eprintln!("SKIPPED: {absent}");
    }
    let mut server = Server::start(&cli.server_path(&folder), cpus.server)?;
    let plan = rounds::plan(&found, &cli.loads(), cli.rounds, cli.seed());
    let runs = rounds::run(&plan, &found, cli, &cpus, &mut server)?;
    let record = Record::of(cli, &cpus, &server, &found, &runs);
    if cli.json {
        println!("{}", serde_json::to_string_pretty(&record)?);
    } else {
        print!("{}", table::page(&record));
    }
    Ok(record.own_is_whole())
}
