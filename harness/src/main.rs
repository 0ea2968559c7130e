//! `counters`: plans, launches, loads, observes, stores, and hands over to the report.
//!
//! `plan -> launch -> ready -> warm up -> load -> observe -> append -> judge -> pages`; see
//! [`run`] for the loop and [`trial`] for one turn of it.

// They panic where the reader has left: say it through [`say`].
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod binaries;
mod calibrate;
mod cli;
mod compare;
mod contenders;
mod doctor;
mod exit;
mod experiments;
mod export;
mod guard;
mod guarded;
mod interrupt;
mod launch;
mod limits;
mod list;
mod load_url;
mod machine;
mod noise;
mod plan;
mod primitives;
mod progress;
mod ready;
mod report;
mod resources;
mod run;
mod say;
mod stopping;
mod store;
mod trial;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    cli::{Cli, Command, RunArgs},
    exit::Exit,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli
        .command
        .unwrap_or_else(|| Command::Run(RunArgs::default()))
    {
        Command::Run(args) => run::run(&args),
        Command::Calibrate(args) => calibrate::calibrate(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Report(args) => report::rebuild(&args),
        Command::Export(args) => export::export(&args),
        Command::Compare(args) => compare::compare(&args),
        Command::Load(args) => load_url::load_url(&args),
        Command::List(args) => list::list(&args),
        Command::Guard(args) => guard::guard(&args),
    };
    done.unwrap_or_else(|error| {
        say::trouble(format_args!("{error:#}"));
        Exit::of(&error)
    })
    .into()
}
