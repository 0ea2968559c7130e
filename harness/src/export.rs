//! `counters export`: a run's figures for other programs.

use std::{fs, path::PathBuf};

use clap::{Args, ValueEnum};
use reports::ExportFormat;

use crate::{
    exit::{Exit, UsageError, usage},
    say,
};

/// `counters export`.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// A run folder
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// For whom
    #[arg(long, value_enum)]
    pub format: FormatArg,
    /// Write it there [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// [`ExportFormat`], as typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum FormatArg {
    /// Bencher Metric Format, for bencher run --adapter json
    Bencher,
    /// github-action-benchmark's customBiggerIsBetter: throughput
    GithubBigger,
    /// github-action-benchmark's customSmallerIsBetter: CPU time per request, p99 latency, memory
    GithubSmaller,
    /// For a step summary or a comment
    Markdown,
}

impl From<FormatArg> for ExportFormat {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Bencher => Self::Bencher,
            FormatArg::GithubBigger => Self::GithubBigger,
            FormatArg::GithubSmaller => Self::GithubSmaller,
            FormatArg::Markdown => Self::Markdown,
        }
    }
}

/// Writes a run in another format; an invalid one too, and says so.
pub fn export(args: &ExportArgs) -> anyhow::Result<Exit> {
    let run = reports::read_folder(&args.dir).map_err(|error| UsageError(error.to_string()))?;
    let verdicts = reports::judge(&run);
    let text = reports::export(&run, &verdicts, args.format.into());
    match &args.out {
        Some(file) => fs::write(file, text).map_err(|error| {
            usage(format!(
                "cannot write {}: {error}; name another file with --out",
                file.display()
            ))
        })?,
        None => say::result(text.trim_end())?,
    }
    if verdicts.valid {
        return Ok(Exit::Fine);
    }
    say::trouble(format_args!(
        "the run is invalid, so its figures are not to be kept; counters report {} says why",
        args.dir.display()
    ));
    Ok(Exit::Invalid)
}
