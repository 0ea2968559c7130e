//! What an interval costs, by number of trials behind it; and a whole report's worth of them.

use std::{hint::black_box, process::ExitCode};

use analysis::{PairedRatio, Sample, estimate};
use benches::tools::suite;
use criterion::{BenchmarkId, Criterion};

const SEED: u64 = 1;

/// Cells of the largest report that is planned, and blocks behind each.
const CELLS: u32 = 100;
const BLOCKS: u32 = 30;

/// Throughputs as they scatter on a quiet machine: within a few per cent.
fn trials(count: u32) -> Vec<f64> {
    (0..count)
        .map(|trial| 100_000.0 + 1_000.0 * f64::from(trial * 7919 % 13))
        .collect()
}

fn bootstrap(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bootstrap");
    for count in [6, 30] {
        let values = trials(count);
        let sample = Sample::new(values.clone()).expect("the trials are finite");
        group.bench_with_input(
            BenchmarkId::new("mean", count),
            &sample,
            |bencher, sample| {
                bencher.iter(|| estimate(black_box(sample), SEED));
            },
        );
        let reversed: Vec<f64> = values.iter().rev().copied().collect();
        let ratio = PairedRatio::new(&values, &reversed).expect("the trials are positive");
        group.bench_with_input(
            BenchmarkId::new("ratio", count),
            &ratio,
            |bencher, ratio| {
                bencher.iter(|| black_box(ratio).estimate(SEED));
            },
        );
    }
    group.finish();
}

/// One cell after the other, as the judge asks for them; each spreads over all CPUs by itself.
fn hundred_cells(criterion: &mut Criterion) {
    // No two values alike: what is equal is sorted sooner.
    let throughput = |trial: u32| 100_000.0 + 3_000.0 * f64::from(trial).sin();
    let cells: Vec<Sample> = (0..CELLS)
        .map(|cell| {
            let trials = cell * BLOCKS..(cell + 1) * BLOCKS;
            Sample::new(trials.map(throughput).collect()).expect("the trials are finite")
        })
        .collect();
    let mut group = criterion.benchmark_group("bootstrap");
    group.sample_size(20);
    group.bench_function("hundred-cells", |bencher| {
        bencher.iter(|| -> Vec<_> {
            black_box(&cells)
                .iter()
                .map(|cell| estimate(cell, SEED))
                .collect()
        });
    });
    group.finish();
}

fn main() -> ExitCode {
    suite::run_alone(&[bootstrap, hundred_cells])
}
