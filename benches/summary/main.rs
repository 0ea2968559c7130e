//! `bench-summary`: the summary of what `cargo bench` left, without measuring anything.
//!
//! Ends with 0, or with 1 where there is nothing to summarise or it cannot be written.

use std::{path::PathBuf, process::ExitCode};

use benches::summary::{self, NEWEST, after};
use clap::Parser;

/// Writes primitives.json, summary.md and summary.html from the figures that cargo bench left.
#[derive(Debug, Parser)]
#[command(name = "bench-summary", version)]
struct Cli {
    /// Criterion's folder [default: where cargo bench puts it]
    #[arg(long, value_name = "DIR")]
    criterion: Option<PathBuf>,
    /// Where to write [default: the folder `summary` in criterion's]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The baseline to summarise, as named by --save-baseline
    #[arg(long, value_name = "NAME", default_value = NEWEST)]
    baseline: String,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let criterion = cli.criterion.unwrap_or_else(after::criterion_folder);
    match summary::write(&criterion, &cli.baseline, cli.out.as_deref()) {
        Ok(written) => {
            for line in &written.passed_over {
                eprintln!("bench-summary: {line}");
            }
            println!("{}", written.page.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench-summary: {error:#}");
            ExitCode::FAILURE
        }
    }
}
