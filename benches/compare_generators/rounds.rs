//! Every pair of load and generator, round after round.

use std::time::Duration;

use anyhow::ensure;
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::{
    child::{self, Ended},
    cli::Cli,
    cpus::Cpus,
    generators::{Doubt, Found, Generator, Reading},
    offered::{Load, Task},
    progress::Progress,
    server::Server,
};

/// What a generator may take beyond its measurement, to start, to sum up and to end.
const GRACE: Duration = Duration::from_secs(30);
/// Loads the server before anything is measured, so that the first round is none of its own.
const WARM_UP_S: u64 = 1;

/// A generator under a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Which load.
    pub load: Load,
    /// Which generator, by its place among those found.
    pub generator: usize,
}

/// A measurement, made or tried.
#[derive(Clone, Debug)]
pub struct Run {
    /// Of what.
    pub cell: Cell,
    /// From 0.
    pub round: usize,
    /// Within the round, from 0.
    pub place: usize,
    /// The words the generator was started with.
    pub command: Vec<String>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a measurement.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// Figures.
    Measured(Measured),
    /// None, and why.
    Failed {
        /// A sentence without its subject, which is the generator.
        reason: String,
    },
}

/// What a generator said, and what it cost.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Requests answered well, as it says.
    pub completed: u64,
    /// Those per second, as it says.
    pub per_s: f64,
    /// CPU time of its whole life in user mode.
    pub user_ns: u64,
    /// CPU time of its whole life in the kernel.
    pub system_ns: u64,
    /// Median response time, in an open loop.
    pub p50_ns: Option<f64>,
    /// 99th percentile of response time, in an open loop.
    pub p99_ns: Option<f64>,
    /// 99.9th percentile of response time, in an open loop.
    pub p999_ns: Option<f64>,
    /// How late requests were sent, 99th percentile, in an open loop.
    pub lateness_p99_ns: Option<f64>,
    /// Its own doubts.
    pub doubts: Vec<Doubt>,
}

/// The rounds, each with every pair that can be had, in an order drawn from the seed.
pub fn plan(found: &[Found], loads: &[Load], rounds: u32, seed: u64) -> Vec<Vec<Cell>> {
    let mut round: Vec<Cell> = Vec::new();
    for &load in loads {
        let able = (0..found.len())
            .filter(|&place| found[place].path.is_ok() && found[place].generator.makes(load));
        round.extend(able.map(|generator| Cell { load, generator }));
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..rounds)
        .map(|_| {
            let mut order = round.clone();
            order.shuffle(&mut random);
            order
        })
        .collect()
}

/// Makes them. Fails only where nothing could go on: without a generator, or without the server.
pub fn run(
    plan: &[Vec<Cell>],
    found: &[Found],
    cli: &Cli,
    cpus: &Cpus,
    server: &mut Server,
) -> anyhow::Result<Vec<Run>> {
    let task = |load, duration_s| Task {
        load,
        connections: cli.connections,
        duration_s,
        cpu: cpus.generator,
        url: server.url(),
    };
    let first = plan.first().and_then(|round| round.first());
    ensure!(
        first.is_some(),
        "there is no load generator to measure; build this project's own with: \
         cargo build --release -p harness"
    );
    let tasks = plan.iter().map(|round| {
        let of = |cell: &Cell| (*cell, task(cell.load, cli.duration.as_secs()));
        round.iter().map(of).collect::<Vec<_>>()
    });
    let tasks: Vec<_> = tasks.collect();
    if let Some(first) = first {
        // Whatever comes of it will show again in what is measured.
        let _ = measure(&found[first.generator], &task(Load::Closed, WARM_UP_S));
    }
    let progress = Progress::over(plan);
    let mut runs = Vec::new();
    for (round, tasks) in tasks.into_iter().enumerate() {
        progress.round(round);
        for (place, (cell, task)) in tasks.into_iter().enumerate() {
            let found = &found[cell.generator];
            progress.run(found.generator.name, cell.load);
            let (command, outcome) = measure(found, &task);
            server.check()?;
            progress.run_done();
            if let Outcome::Failed { reason } = &outcome {
                let name = found.generator.name;
                progress.say(&format!("{name}, {}: {reason}", cell.load));
            }
            runs.push(Run {
                cell,
                round,
                place,
                command,
                outcome,
            });
        }
    }
    progress.finish();
    Ok(runs)
}

fn measure(found: &Found, task: &Task) -> (Vec<String>, Outcome) {
    let arguments = (found.generator.arguments)(task);
    let mut command = vec![found.generator.name.to_owned()];
    let outcome = match &found.path {
        Ok(path) => {
            command[0] = path.display().to_string();
            let limit = Duration::from_secs(task.duration_s) + GRACE;
            child::run(path, &arguments, task.cpu, limit)
                .and_then(|ended| judge(&found.generator, task, &ended))
        }
        Err(reason) => Err(anyhow::anyhow!("{reason}")),
    };
    command.extend(arguments);
    let outcome = outcome.map_or_else(
        |error| Outcome::Failed {
            reason: format!("{error:#}"),
        },
        Outcome::Measured,
    );
    (command, outcome)
}

fn judge(generator: &Generator, task: &Task, ended: &Ended) -> anyhow::Result<Measured> {
    let tolerated = ended.status.code() == generator.tolerated_exit;
    ensure!(
        ended.status.success() || (tolerated && ended.status.code().is_some()),
        "it ended with {}: {}",
        ended.status,
        last_words(ended)
    );
    let reading = (generator.read)(task, &ended.stdout)?;
    Ok(Measured::of(reading, ended))
}

/// The line that best tells why it ended: one that calls itself an error, which advice may follow;
/// or the last it complained of; or the last it said.
fn last_words(ended: &Ended) -> &str {
    let mut complaints = ended.stderr.lines().map(str::trim);
    let last = |text| {
        str::lines(text)
            .map(str::trim)
            .rfind(|line| !line.is_empty())
    };
    complaints
        .find(|line| line.starts_with("error"))
        .or_else(|| last(&ended.stderr))
        .or_else(|| last(&ended.stdout))
        .unwrap_or("it said nothing")
}

impl Measured {
    fn of(reading: Reading, ended: &Ended) -> Self {
        let quantile =
            |of: fn(&crate::generators::Quantiles) -> f64| reading.response.as_ref().map(of);
        Self {
            completed: reading.completed,
            per_s: reading.per_s,
            user_ns: ended.user_ns,
            system_ns: ended.system_ns,
            p50_ns: quantile(|response| response.p50_ns),
            p99_ns: quantile(|response| response.p99_ns),
            p999_ns: quantile(|response| response.p999_ns),
            lateness_p99_ns: reading.lateness_p99_ns,
            doubts: reading.doubts,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::ExitStatusExt, path::PathBuf, process::ExitStatus};

    use super::*;
    use crate::{
        generators::tests::{all_found, named},
        offered::tests::task,
    };

    fn ended(wait_status: i32, stdout: &str, stderr: &str) -> Ended {
        Ended {
            status: ExitStatus::from_raw(wait_status),
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
            user_ns: 2,
            system_ns: 3,
        }
    }

    #[test]
    fn every_round_holds_every_pair_once_in_an_order_of_its_own() {
        let open = Load::Open { rate_per_s: 10 };
        let found = all_found();
        let rounds = plan(&found, &[Load::Closed, open], 5, 1);
        let sorted = |round: &Vec<Cell>| {
            let mut cells: Vec<_> = round
                .iter()
                .map(|cell| (cell.load, cell.generator))
                .collect();
            cells.sort_unstable();
            cells
        };
        for round in &rounds {
            assert_eq!(sorted(round), sorted(&rounds[0]));
        }
        assert!(rounds.iter().any(|round| round != &rounds[0]));
        assert_eq!(rounds, plan(&found, &[Load::Closed, open], 5, 1));
        let in_open_loop = rounds[0].iter().filter(|cell| cell.load == open);
        assert_eq!(in_open_loop.count(), 3, "counters, h2load and oha");
    }

    #[test]
    fn what_is_absent_is_in_no_round() {
        let mut found = all_found();
        found[1].path = Err("not found".to_owned());
        let rounds = plan(&found, &[Load::Closed], 1, 1);
        assert!(rounds[0].iter().all(|cell| cell.generator != 1));
    }

    #[test]
    fn a_generator_that_fails_is_quoted() {
        let ab = named("ab");
        let said = ended(111 << 8, "", "apr_socket_recv: Connection refused (111)\n");
        let error = judge(&ab, &task(Load::Closed), &said)
            .unwrap_err()
            .to_string();
        assert!(error.contains("111: apr_socket_recv"), "{error}");
    }

    #[test]
    fn an_error_is_quoted_and_not_the_advice_after_it() {
        let said = ended(
            2 << 8,
            "",
            "error: unexpected argument '-r'\n\nUsage: counters\n\nTry '--help'.\n",
        );
        assert_eq!(last_words(&said), "error: unexpected argument '-r'");
    }

    #[test]
    fn a_program_that_cannot_be_started_is_an_outcome() {
        let mut found = all_found().remove(0);
        found.path = Ok(PathBuf::from("/nowhere/counters"));
        let (command, outcome) = measure(&found, &task(Load::Closed));
        assert_eq!(command[0], "/nowhere/counters");
        assert!(matches!(outcome, Outcome::Failed { reason } if reason.contains("/nowhere")));
    }
}
