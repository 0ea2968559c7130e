//! From observations to verdicts.
//!
//! Steps, each pure: which trials count ([`Measurements`]), what was measured of each cell
//! ([`estimates`]), which cells are set against each other and with what outcome
//! ([`comparisons`], [`headlines`], [`scaling`]), what comes of experiments that answer a question of
//! their own ([`grid`], [`stevens`], [`balance`]), how true emulated cores are ([`fidelity`]), and what a
//! reader must know ([`findings`]). The plan's seed draws the resamples, so the same folder gives the
//! same verdicts.

mod balance;
mod bottleneck;
mod causes;
mod comparisons;
mod conclusions;
mod estimates;
mod fidelity;
mod findings;
mod grid;
mod handoffs;
mod headlines;
mod law;
mod pairs;
mod ratios;
mod scaling;
mod self_checks;
mod sentences;
mod spread;
mod standing;
mod stevens;

use schema::{SCHEMA_VERSION, Verdicts};

pub(crate) use self::{
    bottleneck::held_back,
    comparisons::{Limits, METRICS, figure, margin},
    grid::name_of,
    pairs::{Theme, theme},
    sentences::outcome,
    standing::absence,
};
use crate::{Run, measurements::Measurements};

/// Judges a run.
///
/// [`Verdicts::valid`] is false where a rule of measurement was broken: a trial failed, an answer
/// was wrong or late, the counts do not add up, or nothing was measured at all. What only narrows
/// the meaning of the figures is a caveat and leaves them valid.
#[must_use]
pub fn judge(run: &Run) -> Verdicts {
    let measurements = Measurements::of(run);
    let findings = findings::findings(&measurements);
    let estimates = estimates::estimates(&measurements);
    let grid = grid::grid(&measurements);
    let primitives = run.primitives.clone();
    let handoffs = handoffs::handoffs(
        &measurements,
        primitives.as_ref(),
        grid.as_ref(),
        &estimates,
    );
    Verdicts {
        schema_version: SCHEMA_VERSION,
        valid: !findings.iter().any(|finding| finding.breaks_a_rule),
        headlines: headlines::headlines(&measurements),
        estimates,
        comparisons: comparisons::comparisons(&measurements),
        scaling: scaling::curves(&measurements),
        grid,
        stevens: stevens::stevens(&measurements),
        balance: balance::balance(&measurements),
        fidelity: fidelity::fidelity(&measurements),
        calibration: run.calibration.clone(),
        primitives,
        handoffs,
        caveats: findings.into_iter().map(|f| f.sentence).collect(),
    }
}
