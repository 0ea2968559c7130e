//! Figures of two cells, block by block.

use analysis::PairedRatio;
use schema::Estimate;

use super::pairs::Pair;
use crate::{measurements::Measurements, trials::Trial};

/// The figures of both cells in the blocks in which both were measured.
///
/// `None` where there is no such block, or a figure is 0.
pub(super) fn paired<'a>(
    measurements: &Measurements<'a>,
    pair: Pair<'_>,
    figure: impl Fn(Trial<'a>) -> f64,
) -> Option<PairedRatio> {
    let subjects = measurements.trials(&pair.subject.id);
    let (reference, subject): (Vec<f64>, Vec<f64>) = measurements
        .trials(&pair.reference.id)
        .iter()
        .filter_map(|(block, &reference)| {
            let subject = *subjects.get(block)?;
            Some((figure(reference), figure(subject)))
        })
        .unzip();
    PairedRatio::new(&reference, &subject).ok()
}

/// The ratio of both cells' figures, subject over reference.
pub(super) fn ratio<'a>(
    measurements: &Measurements<'a>,
    pair: Pair<'_>,
    figure: impl Fn(Trial<'a>) -> f64,
) -> Option<Estimate> {
    let seed = measurements.run.plan.seed;
    paired(measurements, pair, figure).map(|paired| paired.estimate(seed))
}

/// An estimate in another unit.
pub(super) fn times(estimate: Estimate, factor: f64) -> Estimate {
    Estimate {
        point: estimate.point * factor,
        interval: estimate
            .interval
            .map(|(low, high)| (low * factor, high * factor)),
    }
}
