//! What simulating a request costs: all of a run's lines, before anybody asks for the next.
//!
//! One iteration is the way of 10,000 requests, as one of the many repetitions behind an interval has.

use std::{hint::black_box, process::ExitCode};

use analysis::{Queueing, Sample, Simulation};
use benches::tools::suite;
use criterion::{BenchmarkId, Criterion, Throughput};

const REQUESTS: usize = 10_000;

/// Busy for so much of the time: lines are there, and end.
const UTILISATION: f64 = 0.8;

/// Service times as they scatter: most alike, a few ten times as long.
fn service() -> Sample {
    let times = (0..1000).map(|index| if index % 50 == 0 { 10.0 } else { 1.0 });
    Sample::new(times.collect()).expect("the times are finite")
}

fn simulator(criterion: &mut Criterion) {
    let service = service();
    let mut group = criterion.benchmark_group("simulator");
    group.throughput(Throughput::Elements(REQUESTS as u64));
    for (name, queueing) in [
        ("one-line", Queueing::OneLine),
        ("lines-at-random", Queueing::LinesAtRandom),
        ("lines-in-turn", Queueing::LinesInTurn),
    ] {
        for workers in [1_u8, 10] {
            let rate = UTILISATION * f64::from(workers) / service.mean();
            let simulation = Simulation::new(&service, workers.into(), rate, queueing)
                .expect("workers are busy less than always");
            group.bench_function(BenchmarkId::new(name, workers), |bencher| {
                let mut seed = 0;
                bencher.iter(|| {
                    seed += 1;
                    black_box(&simulation).visits(REQUESTS, seed)
                });
            });
        }
    }
    group.finish();
}

fn main() -> ExitCode {
    suite::run_alone(&[simulator])
}
