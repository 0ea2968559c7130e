//! A bench's beginning and end: the fork server before any thread, each group twice, the summary after.

use std::{process::ExitCode, time::Duration};

use criterion::{
    BenchmarkGroup, Criterion,
    measurement::{Measurement, WallTime},
};

use super::{
    cpus,
    fork_server::{ForkServer, Job, Workers},
    metric::{CpuTime, Metric},
    tree,
};
use crate::summary::{
    after::{self, Asked},
    drift,
};

/// Load before a benchmark is measured, where nobody asks for another. Ours are warm after a few calls.
const WARM_UP: Duration = Duration::from_millis(300);

/// Length of its measurement, where nobody asks for another; with `--quick` the most it may take.
const MEASURE: Duration = Duration::from_secs(1);

/// Criterion draws the density of every resampled statistic, at so many points for each resample that its default
/// of 100,000 takes it longer than measuring does. Our tables come from the samples themselves.
const RESAMPLES: usize = 2_000;

/// One file's benches, over workers that do [`Bench::Job`].
pub trait Bench {
    /// What its workers do.
    type Job: Job;

    /// Make its groups. Called once for each way of measuring.
    ///
    /// # Errors
    /// Whatever keeps it from measuring.
    fn measure<M: Metric>(suite: &mut Suite<'_, M>) -> anyhow::Result<()>;
}

/// Where groups are made, for one way of measuring.
pub struct Suite<'a, M: Metric> {
    criterion: Criterion<M>,
    /// Where workers come from.
    pub workers: Workers<'a>,
    /// The CPUs that may be used, ascending; at least one.
    pub cpus: Vec<usize>,
}

impl<M: Metric> Suite<'_, M> {
    /// A group of criterion's. Where CPU time is measured, its name says so.
    pub fn group(&mut self, name: &str) -> BenchmarkGroup<'_, M> {
        self.criterion
            .benchmark_group(format!("{name}{}", M::SUFFIX))
    }
}

/// Run a bench from `main`: nothing may have made a thread before.
#[must_use]
pub fn run<B: Bench>() -> ExitCode {
    ended(both_ways::<B>())
}

/// Run benches that have no workers and ask for the clock alone, from `main`.
#[must_use]
pub fn run_alone(benches: &[fn(&mut Criterion)]) -> ExitCode {
    for bench in benches {
        bench(&mut configured(WallTime));
    }
    configured(WallTime).final_summary();
    ended(Ok(()))
}

fn ended(measured: anyhow::Result<()>) -> ExitCode {
    match measured.and_then(|()| after_measuring()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn both_ways<B: Bench>() -> anyhow::Result<()> {
    tree::check()?;
    let server = ForkServer::start::<B::Job>()?;
    measure::<B, _>(&server, WallTime)?;
    measure::<B, _>(&server, CpuTime)
}

fn after_measuring() -> anyhow::Result<()> {
    let asked = Asked::of_this_program();
    if asked == Asked::Test {
        drift::check_this_bench(cpus::allowed()?.len())?;
    }
    after::bench(&asked);
    Ok(())
}

fn measure<B: Bench, M: Metric>(server: &ForkServer, metric: M) -> anyhow::Result<()> {
    let mut suite = Suite {
        criterion: configured(metric),
        workers: server.workers(),
        cpus: cpus::allowed()?,
    };
    B::measure(&mut suite)?;
    suite.criterion.final_summary();
    Ok(())
}

/// Criterion as all benches have it; options on the command line come last.
#[must_use]
pub fn configured<M: Measurement + 'static>(metric: M) -> Criterion<M> {
    Criterion::default()
        .with_measurement(metric)
        .warm_up_time(WARM_UP)
        .measurement_time(MEASURE)
        .nresamples(RESAMPLES)
        .configure_from_args()
}
