//! The Universal Scalability Law through one curve.

use std::collections::BTreeSet;

use analysis::usl_estimate;
use schema::{Cell, Law};

use crate::{measurements::Measurements, trials::Trials};

/// Fits the law to the throughputs of cells that differ in workers alone, block by block.
pub(super) fn law(measurements: &Measurements<'_>, cells: &[&Cell]) -> Law {
    let workers: Vec<u32> = cells.iter().map(|cell| cell.workers).collect();
    let trials: Vec<Trials<'_>> = cells
        .iter()
        .map(|cell| measurements.trials(&cell.id))
        .collect();
    let blocks: BTreeSet<u32> = trials.iter().flat_map(Trials::keys).copied().collect();
    let served: Vec<Vec<Option<f64>>> = blocks
        .iter()
        .map(|block| {
            let cells = trials.iter().map(|trials| trials.get(block));
            cells
                .map(|trial| trial.map(|trial| trial.throughput_per_s()))
                .collect()
        })
        .collect();
    match usl_estimate(&served, &workers, measurements.run.plan.seed) {
        Err(error) => Law::NotFitted {
            reason: error.to_string(),
        },
        Ok(fit) => {
            let (peak, refusal) = match fit.peak {
                Ok(peak) => (Some(peak.workers), None),
                Err(reason) => (None, Some(reason.to_string())),
            };
            Law::Fitted {
                alpha: fit.alpha,
                beta: fit.beta,
                gamma: fit.gamma,
                r_squared: fit.r_squared,
                peak,
                refusal,
            }
        }
    }
}
