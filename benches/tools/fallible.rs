//! Benchmarks whose iterations may fail.
//!
//! Criterion has no place for an error, and its statistics break on figures made up in the place of real
//! ones. So a failure unwinds out of criterion, silently, and is given back as an error: nothing is
//! recorded of that benchmark.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use criterion::{Bencher, BenchmarkGroup, BenchmarkId};

use super::metric::{Metric, Spent};

/// What is thrown through criterion.
struct Failed(anyhow::Error);

/// What succeeded; a failure unwinds, to be [`caught`].
pub fn or_unwind<T>(result: anyhow::Result<T>) -> T {
    result.unwrap_or_else(|error| resume_unwind(Box::new(Failed(error))))
}

/// Measure `iteration`, over what `prepare` makes before the first one, unmeasured.
///
/// # Errors
/// The first one of either.
pub fn iter<M: Metric, T>(
    group: &mut BenchmarkGroup<'_, M>,
    id: BenchmarkId,
    prepare: impl Fn() -> anyhow::Result<T>,
    mut iteration: impl FnMut(&mut T) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut prepared = None;
    bench(group, id, |bencher| {
        let prepared = prepared.get_or_insert_with(|| or_unwind(prepare()));
        bencher.iter(|| or_unwind(iteration(prepared)));
    })
}

/// Measure what says by itself what so many iterations took.
///
/// # Errors
/// The first one of `iterations`.
pub fn iter_custom<M: Metric>(
    group: &mut BenchmarkGroup<'_, M>,
    id: BenchmarkId,
    iterations: impl FnMut(u64) -> anyhow::Result<Spent>,
) -> anyhow::Result<()> {
    bench(group, id, custom(iterations))
}

/// As [`iter_custom`], for whoever calls criterion by itself, in [`caught`].
pub fn custom<M: Metric>(
    mut iterations: impl FnMut(u64) -> anyhow::Result<Spent>,
) -> impl FnMut(&mut Bencher<'_, M>) {
    move |bencher| bencher.iter_custom(|count| M::of(or_unwind(iterations(count))))
}

fn bench<M: Metric>(
    group: &mut BenchmarkGroup<'_, M>,
    id: BenchmarkId,
    measure: impl FnMut(&mut Bencher<'_, M>),
) -> anyhow::Result<()> {
    caught(|| {
        group.bench_function(id, measure);
    })
}

/// What unwinds out of `measuring`, as an error.
///
/// # Errors
/// What one of its iterations failed with.
pub fn caught(measuring: impl FnOnce()) -> anyhow::Result<()> {
    let ended = catch_unwind(AssertUnwindSafe(measuring));
    ended.or_else(|thrown| match thrown.downcast::<Failed>() {
        Ok(failed) => Err(failed.0),
        // A panic that has told of itself.
        Err(panic) => resume_unwind(panic),
    })
}
