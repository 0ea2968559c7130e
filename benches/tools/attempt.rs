//! A benchmark that measures by itself, and may fail.

use criterion::Bencher;

use super::metric::{Metric, Spent};

/// Whether a benchmark has failed, over all the times that criterion calls it.
///
/// Criterion has no word for failure, so once it failed nothing is measured any more, as fast as may be, and
/// the error is to be had at the end.
#[derive(Debug, Default)]
pub struct Attempt(Option<anyhow::Error>);

impl Attempt {
    /// Have `measure` say what so many iterations took.
    pub fn measure<M: Metric>(
        &mut self,
        bencher: &mut Bencher<'_, M>,
        mut measure: impl FnMut(u64) -> anyhow::Result<Spent>,
    ) {
        if self.0.is_some() {
            // Who returned without taking any time would be asked for ever more iterations.
            return bencher.iter(|| ());
        }
        bencher.iter_custom(|iterations| {
            let measured = measure(iterations).unwrap_or_else(|error| {
                self.0 = Some(error);
                Spent::default()
            });
            M::of(measured)
        });
    }

    /// How it went.
    ///
    /// # Errors
    /// The first of what measured.
    pub fn result(self) -> anyhow::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}
