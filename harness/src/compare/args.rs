//! `counters compare`, as typed.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use crate::cli::{MOST_CONNECTIONS, duration, percent};

const MEASURED: &str = "Where A and B are command lines";

/// `counters compare`.
#[derive(Args, Clone, Debug)]
pub struct CompareArgs {
    /// What B is set beside: a run folder, or a command line that starts a server. In a command line,
    /// {port} becomes a free port, and the server is ready once it answers there; without {port} it must
    /// say the ready line of this project's servers
    #[arg(value_name = "A")]
    pub a: String,
    /// What is judged, of the same kind as A
    #[arg(value_name = "B")]
    pub b: String,
    /// Exit with 1 if B is worse than A in any compared metric by more than this, and the 95 % interval
    /// of that ratio leaves out 1. Compared are throughput, CPU time per request and, where cores are not
    /// emulated, p99 latency. Without this option a worse B exits with 0
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub fail_above: Option<f64>,
    /// As JSON, for programs
    #[arg(long)]
    pub json: bool,
    /// Write the comparison there too, for a step summary or a comment
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// How both are measured.
    #[command(flatten)]
    pub load: MeasureArgs,
}

/// How two command lines are measured.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = MEASURED)]
pub struct MeasureArgs {
    /// Path and query that is asked for
    #[arg(long, default_value = "/", value_parser = path)]
    pub path: String,
    /// Connections of the closed loop
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=MOST_CONNECTIONS))]
    pub connections: u32,
    /// Load before each measurement that is not counted
    #[arg(long, value_name = "TIME", default_value = "300ms", value_parser = duration)]
    pub warm_up: Duration,
    /// Length of each measurement
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub measure: Duration,
    /// Time for all of them; three blocks are made whatever they take, and one that has begun is finished
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub budget: Duration,
    /// How narrow is narrow enough: half of the throughput ratio's 95 % interval, in per cent of the
    /// ratio. Looked at after 10 blocks
    #[arg(long, value_name = "PERCENT", default_value = "1%", value_parser = percent)]
    pub half_width: f64,
    /// Draws which of both begins each block, A B B A or B A A B [default: from the clock]
    #[arg(long)]
    pub seed: Option<u64>,
    /// How long one request may take
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub timeout: Duration,
    /// How long a server may take until it is ready
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub ready_timeout: Duration,
    /// Keep the run folder there [default: it is not kept]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// What may stand in a request's first line.
fn path(text: &str) -> Result<String, String> {
    let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
    if text.starts_with('/') && printable {
        Ok(text.to_owned())
    } else {
        Err("say a path that begins with / and has no spaces, as in /cpu?us=200".to_owned())
    }
}
