//! Benchmarks whose iterations may fail: criterion has no place for an error, so it is kept, the rest of
//! the iterations do nothing, and it is given back at the end.

use std::time::Duration;

use criterion::{BenchmarkGroup, BenchmarkId};

use super::metric::{Metric, Spent};

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
    let mut failure = None;
    group.bench_function(id, |bencher| {
        if prepared.is_none() && failure.is_none() {
            match prepare() {
                Ok(made) => prepared = Some(made),
                Err(error) => failure = Some(error),
            }
        }
        bencher.iter(|| {
            if let (Some(prepared), None) = (&mut prepared, &failure) {
                failure = iteration(prepared).err();
            }
        });
    });
    failure.map_or(Ok(()), Err)
}

/// Measure what says by itself what so many iterations took.
///
/// # Errors
/// The first one of `iterations`.
pub fn iter_custom<M: Metric>(
    group: &mut BenchmarkGroup<'_, M>,
    id: BenchmarkId,
    mut iterations: impl FnMut(u64) -> anyhow::Result<Spent>,
) -> anyhow::Result<()> {
    let mut failure = None;
    group.bench_function(id, |bencher| {
        bencher.iter_custom(|count| {
            if failure.is_none() {
                match iterations(count) {
                    Ok(spent) => return M::of(spent),
                    Err(error) => failure = Some(error),
                }
            }
            // Criterion wants a time above 0 for each.
            Duration::from_nanos(count.max(1))
        });
    });
    failure.map_or(Ok(()), Err)
}
