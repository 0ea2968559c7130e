//! Two servers that were measured in turns: A B B A, or B A A B.
//!
//! A plan's block holds every server once, so two of them, one in each order, are such a block of
//! four launches: the first and the second of the plan, the third and the fourth, and so on. What
//! drifts in a straight line during the four falls out of their ratio. A block's ratio is the
//! geometric mean of its two, `d` the mean of their logarithms; blocks are what is resampled. A block
//! of four that is not whole is left out.

use std::collections::BTreeMap;

use analysis::PairedRatio;
use schema::{Cell, CompareReport, Estimate, Metric, SCHEMA_VERSION};

use super::{Basis, Side, compared, metrics};
use crate::{Run, judge, measurements::Measurements};

/// Compares the two cells of a plan, A first.
#[must_use]
pub fn compare_blocks(run: &Run, a: &str, b: &str) -> CompareReport {
    let verdicts = judge(&counted_in_fours(run));
    let measurements = Measurements::of(run);
    let seed = run.plan.seed;
    let compared = sides(&measurements).map(|(one, other)| {
        metrics(one.cell).filter_map(move |metric| {
            let ratio = in_turns(one, other, metric)?;
            let basis = Basis::Blocks(u32::try_from(ratio.blocks()).ok()?);
            compared(None, (one, other), metric, ratio.estimate(seed), &basis)
        })
    });
    CompareReport {
        schema_version: SCHEMA_VERSION,
        a: a.to_owned(),
        b: b.to_owned(),
        valid: verdicts.valid,
        compared: compared.into_iter().flatten().collect(),
        only_in_a: Vec::new(),
        only_in_b: Vec::new(),
        caveats: verdicts.caveats,
        gate: None,
    }
}

/// The same run, its stops counted in blocks of four.
fn counted_in_fours(run: &Run) -> Run {
    let mut run = run.clone();
    for stop in &mut run.stops {
        stop.blocks /= 2;
    }
    run
}

/// The throughput ratio of what was measured so far, and the number of blocks of four behind it;
/// `None` before the first is whole.
#[must_use]
pub fn throughput_in_turns(run: &Run) -> Option<(Estimate, usize)> {
    let measurements = Measurements::of(run);
    let (a, b) = sides(&measurements)?;
    let ratio = in_turns(a, b, Metric::Throughput)?;
    Some((ratio.estimate(run.plan.seed), ratio.blocks()))
}

fn sides<'m, 'a>(measurements: &'m Measurements<'a>) -> Option<(Side<'m, 'a>, Side<'m, 'a>)> {
    let [a, b] = measurements.run.plan.cells.as_slice() else {
        return None;
    };
    let side = |cell: &'a Cell| Side { measurements, cell };
    Some((side(a), side(b)))
}

fn in_turns(a: Side<'_, '_>, b: Side<'_, '_>, metric: Metric) -> Option<PairedRatio> {
    let (a, b) = (of_four(a, metric), of_four(b, metric));
    let (reference, subject): (Vec<f64>, Vec<f64>) = a
        .iter()
        .filter_map(|(block, &reference)| Some((reference, *b.get(block)?)))
        .unzip();
    PairedRatio::new(&reference, &subject).ok()
}

/// The geometric mean of a server's two trials in each block of four that holds both.
fn of_four(side: Side<'_, '_>, metric: Metric) -> BTreeMap<u32, f64> {
    let mut halves: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (block, figure) in side.figures(metric) {
        halves.entry(block / 2).or_default().push(figure);
    }
    halves
        .into_iter()
        .filter_map(|(block, figures)| match figures[..] {
            [first, second] => Some((block, (first * second).sqrt())),
            _ => None,
        })
        .collect()
}
