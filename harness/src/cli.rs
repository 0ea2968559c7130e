//! What can be typed.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use schema::Preset;

use crate::{compare::CompareArgs, export::ExportArgs, load_url::LoadArgs};

/// More workers than this are refused: every one is a process or a thread of this machine.
pub const MOST_WORKERS: i64 = 1024;
/// More connections than this are refused.
pub const MOST_CONNECTIONS: i64 = 100_000;
const MOST_BLOCKS: i64 = 1000;

/// Threads or processes? Measures servers that differ in nothing else, and judges.
///
/// Without a command it does what `counters run` does.
#[derive(Debug, Parser)]
#[command(
    name = "counters",
    version,
    after_help = "Exit codes: 0 fine, 1 failed, 2 wrong usage, \
    3 the run is invalid (a trial failed or an answer was wrong), 130 interrupted."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure the servers on this machine and write a report
    Run(RunArgs),
    /// Say what this machine can measure, and the cure for what it cannot
    Doctor(DoctorArgs),
    /// Measure the instrument's own error: comparisons of a server with itself, and of one made slower
    Calibrate(CalibrateArgs),
    /// Rebuild the report of a run folder without measuring
    Report(ReportArgs),
    /// Give a run's figures to other programs: Bencher, github-action-benchmark, or as Markdown
    Export(ExportArgs),
    /// Set B beside A, two run folders or two servers, and say whether B may pass
    Compare(Box<CompareArgs>),
    /// Drive load at a URL: a closed loop, or with --rate an open one
    Load(Box<LoadArgs>),
    /// Show experiments, servers and guests, whether this machine has them, and the model grid
    List(ListArgs),
    /// Run a command that cannot outlive this program (used by `run` and `list`)
    #[command(hide = true)]
    Guard(GuardArgs),
}

/// `counters run`.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// How much time to spend: smoke under 20 s of measuring, quick under 5 minutes, full about an hour
    #[arg(long, value_enum, default_value = "quick")]
    pub preset: PresetArg,
    /// Only these experiments (see `counters list`)
    #[arg(long, value_name = "EXPERIMENT", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Only these servers (see `counters list`)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub servers: Vec<String>,
    /// Where the run folder goes [default: reports/runs/DATE-PRESET]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Numbers of workers to try [default: 1, 2, 3, 4, 6, 8, 10 and so on up to the number of cores]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=MOST_WORKERS))]
    pub workers: Vec<u32>,
    /// How many cores throughput is measured across, one for each worker
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=MOST_WORKERS))]
    pub cores: u32,
    /// What a core is: a CPU of this machine, a share of one by quota, or whichever there are enough of
    #[arg(long, value_enum, default_value = "auto")]
    pub core_kind: CoreKindArg,
    /// Connections of the closed loop where workers share CPUs; where each has a core, there are 20 for
    /// each worker
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=MOST_CONNECTIONS))]
    pub connections: u32,
    /// Draws the order of measurement [default: from the clock]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Load before each measurement that is not counted [default: the preset's]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub warm_up: Option<Duration>,
    /// Length of each measurement [default: the preset's]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub measure: Option<Duration>,
    /// How often every server is measured, each time launched anew [default: until intervals are
    /// narrow or the preset's time is spent]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST_BLOCKS))]
    pub blocks: Option<u32>,
    /// Time for each experiment; it ends earlier once its intervals are narrow [default: the preset's]
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "blocks")]
    pub budget: Option<Duration>,
    /// How narrow is narrow enough: half of a throughput ratio's 95 % interval, in per cent of the ratio
    /// [default: the preset's]
    #[arg(long, value_name = "PERCENT", value_parser = percent, conflicts_with = "blocks")]
    pub half_width: Option<f64>,
    /// How long a server may take until it is ready
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub ready_timeout: Duration,
    /// How long one request may take
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub timeout: Duration,
    /// What cargo bench found, to explain the run by [default: where cargo leaves it beside the binaries]
    #[arg(long, value_name = "FILE")]
    pub primitives: Option<PathBuf>,
    /// Where the server binaries are [default: beside this program]
    #[arg(long, value_name = "DIR")]
    pub bin_dir: Option<PathBuf>,
}

impl Default for RunArgs {
    fn default() -> Self {
        #[derive(Parser)]
        struct Bare {
            #[command(flatten)]
            run: RunArgs,
        }
        Bare::parse_from(["counters"]).run
    }
}

/// `counters doctor`.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// How many cores are wanted
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=MOST_WORKERS))]
    pub cores: u32,
    /// As JSON, for programs
    #[arg(long)]
    pub json: bool,
    /// Where the server binaries are [default: beside this program]
    #[arg(long, value_name = "DIR")]
    pub bin_dir: Option<PathBuf>,
}

/// `counters calibrate`.
#[derive(Args, Clone, Debug)]
pub struct CalibrateArgs {
    /// Comparisons of the server with itself
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub comparisons: u32,
    /// Blocks in each of them: as many as a run makes before it looks at the width of an interval
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(3..=MOST_BLOCKS))]
    pub blocks: u32,
    /// Slowdowns to look for, in per cent of a request's CPU time
    #[arg(long, value_name = "PERCENT", default_value = "1%,2%,5%", value_delimiter = ',', value_parser = percent)]
    pub slowdowns: Vec<f64>,
    /// Runs in which each slowdown is looked for
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub runs: u32,
    /// Length of each of these runs
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub run_time: Duration,
    /// What a core is: a CPU of this machine, a share of one by quota, or whichever there are enough of
    #[arg(long, value_enum, default_value = "auto")]
    pub core_kind: CoreKindArg,
    /// Draws the order of measurement [default: from the clock]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Where the run folders go [default: reports/runs/DATE-calibration]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How long a server may take until it is ready
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub ready_timeout: Duration,
    /// How long one request may take
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub timeout: Duration,
    /// Where the server binaries are [default: beside this program]
    #[arg(long, value_name = "DIR")]
    pub bin_dir: Option<PathBuf>,
}

/// `counters report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// A run folder
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// What cargo bench found on the run's machine, to explain the run by; kept in the run folder
    #[arg(long, value_name = "FILE")]
    pub primitives: Option<PathBuf>,
}

/// `counters list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// As JSON, for programs
    #[arg(long)]
    pub json: bool,
    /// Where the server binaries are [default: beside this program]
    #[arg(long, value_name = "DIR")]
    pub bin_dir: Option<PathBuf>,
}

/// `counters guard`.
#[derive(Args, Debug)]
pub struct GuardArgs {
    /// CPUs the command is bound to [default: those of this program]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub cpus: Vec<u32>,
    /// Control group that the command runs in [default: that of this program]
    #[arg(long, value_name = "DIR")]
    pub group: Option<PathBuf>,
    /// The command
    #[arg(last = true, required = true)]
    pub command: Vec<std::ffi::OsString>,
}

/// [`Preset`], as typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PresetArg {
    /// Does everything work?
    Smoke,
    /// The default.
    Quick,
    /// Narrow intervals, more workloads.
    Full,
}

impl From<PresetArg> for Preset {
    fn from(preset: PresetArg) -> Self {
        match preset {
            PresetArg::Smoke => Self::Smoke,
            PresetArg::Quick => Self::Quick,
            PresetArg::Full => Self::Full,
        }
    }
}

/// What a core is to be, as typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum CoreKindArg {
    /// Real where there are enough, else emulated
    Auto,
    /// CPUs of this machine, as many as there are
    Real,
    /// Shares of a CPU, by quota
    Emulated,
}

impl From<CoreKindArg> for ::cores::WantedKind {
    fn from(kind: CoreKindArg) -> Self {
        match kind {
            CoreKindArg::Auto => Self::Auto,
            CoreKindArg::Real => Self::Real,
            CoreKindArg::Emulated => Self::Emulated,
        }
    }
}

/// A share as people write it: `2%`, `0.5`; the sign may be left out.
pub fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    match number.parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent / 100.0),
        _ => Err("say a number above 0 and up to 100, as in 2%".to_owned()),
    }
}

/// A time as people write it: `500ms`, `10s`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write it as 500ms, 10s or 2m"))?;
    let longest = Duration::from_hours(1);
    if duration.is_zero() || duration > longest {
        return Err("it must be more than 0 and at most 1h".to_owned());
    }
    Ok(duration)
}
