//! Pure statistics: from numbers to figures with intervals, and from those to verdicts.
//!
//! Read in this order:
//! - [`Sample`]: one number from each trial, finite and not empty; [`quantile`] of many;
//! - [`estimate`]: their mean, with a 95 % bootstrap interval ([`bootstrap_interval`]);
//! - [`PairedRatio`]: two cells set against each other, block by block; [`UnpairedRatio`]: two runs
//!   that share no blocks;
//! - [`narrow_enough`]: whether a ratio has been measured often enough ([`half_width`]);
//! - [`verdict`]: better, worse, equivalent or undecided; [`binomial_interval`]: how often verdicts
//!   are wrong;
//! - [`fairness_index`]: how evenly workers answered;
//! - [`usl_estimate`]: how throughput grows with the number of workers, and where it turns;
//! - [`Simulation`]: how long requests wait in line, from the service times that were measured.
//!
//! Nothing here reads a clock, a file or the machine. The same numbers and the same seed give the
//! same figures, bit for bit, whatever the number of threads.

mod binomial;
mod bootstrap;
mod comparison;
#[cfg(test)]
mod coverage;
mod fairness;
mod quantile;
mod resample;
mod sample;
mod simulation;
mod stopping;
mod unpaired;
mod usl;

pub use self::{
    binomial::binomial_interval,
    bootstrap::{LEAST_FOR_AN_INTERVAL, RELIABLE_FROM, RESAMPLES, bootstrap_interval, estimate},
    comparison::{PairedRatio, verdict},
    fairness::fairness_index,
    quantile::quantile,
    sample::{Sample, SampleError},
    simulation::{Queueing, Simulation, SimulationError, Visit},
    stopping::{LEAST_BEFORE_STOPPING, half_width, narrow_enough},
    unpaired::UnpairedRatio,
    usl::{LEAST_SIZES_FOR_A_PEAK, NoPeak, Peak, UslError, UslEstimate, UslFit, usl_estimate},
};
