//! What an interval costs, by number of trials behind it.

use std::hint::black_box;

use analysis::{PairedRatio, Sample, estimate};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const SEED: u64 = 1;

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

criterion_group!(benches, bootstrap);
criterion_main!(benches);
