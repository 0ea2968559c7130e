//! How evenly something was spread over the workers of a cell.

use std::collections::BTreeMap;

use analysis::{Sample, estimate, fairness_index};
use schema::{Cell, Estimate, Measured, Spread};

use crate::measurements::Measurements;

/// Over the trials of a cell that say anything of it; `None` where none does. Workers that got
/// nothing are in no trial's counts, and count all the same.
pub(super) fn spread<'a>(
    measurements: &Measurements<'a>,
    cell: &Cell,
    counts: impl Fn(&'a Measured) -> &'a BTreeMap<u64, u64>,
) -> Option<Spread> {
    let launches: Vec<Vec<f64>> = measurements
        .trials(&cell.id)
        .values()
        .filter_map(|trial| shares(counts(trial.measured), cell.workers))
        .collect();
    let seed = measurements.run.plan.seed;
    let mean = |figure: &dyn Fn(&[f64]) -> Option<f64>| -> Option<Estimate> {
        let figures = launches.iter().filter_map(|shares| figure(shares));
        Some(estimate(&Sample::new(figures.collect()).ok()?, seed))
    };
    let ranks = launches.iter().map(Vec::len).max()?;
    let of_rank = |rank: usize| {
        let shares = launches
            .iter()
            .map(|shares| shares.get(rank).unwrap_or(&0.0));
        shares.sum::<f64>() / launches.len() as f64
    };
    Some(Spread {
        answered: mean(&|shares| Some(shares.iter().filter(|&&share| share > 0.0).count() as f64))?,
        jain: mean(&fairness_index)?,
        max_over_mean: mean(&|shares| Some(shares.first()? * shares.len() as f64))?,
        shares: (0..ranks).map(of_rank).collect(),
    })
}

/// Of each worker, greatest first; `None` where there is nothing to share.
fn shares(counts: &BTreeMap<u64, u64>, workers: u32) -> Option<Vec<f64>> {
    let all: u64 = counts.values().sum();
    let mut shares: Vec<f64> = counts
        .values()
        .map(|&count| count as f64 / all.max(1) as f64)
        .collect();
    shares.sort_by(|a, b| b.total_cmp(a));
    shares.resize(shares.len().max(workers as usize), 0.0);
    (all > 0).then_some(shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_that_got_nothing_count() {
        let counts = BTreeMap::from([(7, 1), (9, 3)]);
        assert_eq!(shares(&counts, 4), Some(vec![0.75, 0.25, 0.0, 0.0]));
        assert_eq!(shares(&BTreeMap::new(), 4), None);
    }
}
