//! How far two measurements of the same thing lie apart: what the others' differences have to be larger than.
//!
//! Ping-pong over pipes on one CPU, twice between threads and twice between processes, in turns. Whatever
//! makes the second figure of a pair another than the first would also make a thread look another than a
//! process. The summary takes the largest difference, by the clock or in CPU time, for the noise of the run.

use std::process::ExitCode;

use benches::tools::{
    fork_server::Side,
    metric::Metric,
    ping_pong::{self, Means, Pong},
    suite::{self, Bench, Suite},
};
use criterion::BenchmarkId;

struct Noise;

impl Bench for Noise {
    type Job = Pong;

    fn measure<M: Metric>(suite: &mut Suite<'_, M>) -> anyhow::Result<()> {
        let here = suite.cpus[0];
        let workers = suite.workers;
        let mut group = suite.group("noise");
        for time in ["a", "b"] {
            for side in Side::BOTH {
                let id = BenchmarkId::new(format!("{}-{time}", side.name()), "one-cpu");
                ping_pong::play(&mut group, workers, id, (side, Means::Pipe), (here, here))?;
            }
        }
        group.finish();
        Ok(())
    }
}

fn main() -> ExitCode {
    suite::run::<Noise>()
}
