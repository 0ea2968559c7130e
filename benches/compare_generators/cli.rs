//! What can be typed.

use std::{
    env,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use clap::Parser;

use crate::offered::Load;

const MOST_ROUNDS: i64 = 1000;
const MOST_CONNECTIONS: i64 = 10_000;
const MOST_PER_SECOND: i64 = 10_000_000;

/// Sets this project's load generator beside wrk, h2load, hey, ab and oha, on this machine.
#[derive(Debug, Parser)]
#[command(
    name = "compare-generators",
    version,
    after_help = "Exit codes: 0 fine, 1 this project's own generator failed, 2 nothing could be measured."
)]
pub struct Cli {
    /// How often each generator is measured under each load
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=MOST_ROUNDS))]
    pub rounds: u32,
    /// Length of each measurement, in whole seconds, as in 3s
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = whole_seconds)]
    pub duration: Duration,
    /// Connections, all kept alive
    #[arg(short, long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=MOST_CONNECTIONS))]
    pub connections: u32,
    /// Rates of the open loop, in requests per second
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [20_000, 100_000], value_parser = clap::value_parser!(u32).range(1..=MOST_PER_SECOND))]
    pub rates: Vec<u32>,
    /// Only these peers
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Draws the order within each round [default: from the clock]
    #[arg(long)]
    seed: Option<u64>,
    /// The server to load; it takes `--port 0` and says where it listens in a line of JSON
    /// [default: the program `floor` in the folder of binaries]
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// Where `counters` and the servers are [default: beside this program]
    #[arg(long, value_name = "DIR")]
    bin_dir: Option<PathBuf>,
    /// The server's CPU [default: the first that may be used]
    #[arg(long, value_name = "CPU")]
    pub server_cpu: Option<usize>,
    /// The generators' CPU [default: the last one, of another core than the server's]
    #[arg(long, value_name = "CPU")]
    pub generator_cpu: Option<usize>,
    /// As JSON, with the figures of every run, instead of the table
    #[arg(long)]
    pub json: bool,
}

impl Cli {
    /// Where the binaries are.
    pub fn folder(&self) -> anyhow::Result<PathBuf> {
        if let Some(given) = &self.bin_dir {
            return Ok(given.clone());
        }
        let program = env::current_exe().context("cannot find out where this program lies")?;
        Ok(program.parent().map(Path::to_owned).unwrap_or_default())
    }

    /// The server's program.
    pub fn server_path(&self, folder: &Path) -> PathBuf {
        self.server.clone().unwrap_or_else(|| folder.join("floor"))
    }

    /// The closed loop, and an open one for each rate.
    pub fn loads(&self) -> Vec<Load> {
        let open = self
            .rates
            .iter()
            .map(|&rate_per_s| Load::Open { rate_per_s });
        std::iter::once(Load::Closed).chain(open).collect()
    }

    /// The seed given, or one that stays the same as long as the program runs.
    pub fn seed(&self) -> u64 {
        static FROM_THE_CLOCK: OnceLock<u64> = OnceLock::new();
        self.seed.unwrap_or_else(|| {
            *FROM_THE_CLOCK.get_or_init(|| {
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(1, |since| since.as_secs())
            })
        })
    }
}

fn whole_seconds(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write it as 3s or 1m"))?;
    let whole = duration.subsec_nanos() == 0;
    if !whole || duration.is_zero() || duration > Duration::from_mins(10) {
        return Err(
            "it must be whole seconds, as wrk and ab take no others, from 1s to 10m".to_owned(),
        );
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_that_some_generator_cannot_take_is_refused_with_the_reason() {
        assert_eq!(whole_seconds("3s"), Ok(Duration::from_secs(3)));
        for odd in ["1500ms", "0s", "1h", "three"] {
            assert!(whole_seconds(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn each_rate_is_a_load_after_the_closed_loop() {
        let cli = Cli::parse_from(["compare-generators", "--rates", "5,6"]);
        let open = |rate_per_s| Load::Open { rate_per_s };
        assert_eq!(cli.loads(), [Load::Closed, open(5), open(6)]);
    }
}
