//! The Universal Scalability Law: how throughput grows with the number of workers, and where it
//! turns.
//!
//! `X(N) = γN / (1 + α(N - 1) + βN(N - 1))` (N. J. Gunther, *Guerrilla Capacity Planning*, 2007,
//! in the form with three parameters that needs no measurement at N = 1). γ is the throughput of
//! one worker, α what workers wait for each other in a queue, β what they pay to agree, pair by
//! pair. With β above 0 throughput has a peak at `N* = √((1 - α)/β)`.
//!
//! [`UslFit::new`] fits points; [`usl_estimate`] resamples blocks and says how sure the parameters
//! are. A peak is a claim about numbers of workers that may not have been measured, so it is
//! quoted only where the data bear it: otherwise [`NoPeak`] says why not.

mod estimate;
mod fit;

pub use self::estimate::{LEAST_SIZES_FOR_A_PEAK, NoPeak, Peak, UslEstimate, usl_estimate};

/// One curve: parameters of the law.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UslFit {
    /// Throughput of one worker, in the unit of the measured throughputs. Above 0.
    pub gamma: f64,
    /// Contention: the share of the work that is done one at a time. 0 or above.
    pub alpha: f64,
    /// Coherency: what each pair of workers costs. 0 or above.
    pub beta: f64,
}

/// Why measurements have no curve.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum UslError {
    /// Three parameters need three points.
    #[error(
        "throughput is known at {found} numbers of workers; a curve needs at least 3: measure at more"
    )]
    TooFewSizes {
        /// Different numbers of workers.
        found: usize,
    },
    /// There is no such number of workers.
    #[error("{n} is no number of workers; give finite numbers from 1")]
    BadSize {
        /// What was given.
        n: f64,
    },
    /// A number of workers stands in the list twice.
    #[error("{n} workers are listed twice; give each number of workers once")]
    RepeatedSize {
        /// Which.
        n: u32,
    },
    /// Nothing was served, or the value is no number.
    #[error(
        "throughput at {n} workers is {value}; it must be finite and above 0: leave failed cells out"
    )]
    BadThroughput {
        /// Number of workers.
        n: f64,
        /// The throughput given.
        value: f64,
    },
    /// A block has another number of cells than there are numbers of workers.
    #[error("block {block} has {found} cells for {expected} numbers of workers; give one for each")]
    CellsMissing {
        /// Which block, from 0.
        block: usize,
        /// Cells it has.
        found: usize,
        /// Cells it should have.
        expected: usize,
    },
    /// No block can take part.
    #[error(
        "none of {blocks} blocks has throughputs at 3 numbers of workers or more: measure more cells"
    )]
    NoBlocks {
        /// Blocks given.
        blocks: usize,
    },
}

impl UslFit {
    /// The curve with the least sum of squared distances from points (number of workers,
    /// throughput), over all γ > 0, α ≥ 0 and β ≥ 0. A number of workers may occur many times.
    ///
    /// # Errors
    /// With fewer than three different numbers of workers, or a point that is none.
    pub fn new(points: &[(f64, f64)]) -> Result<Self, UslError> {
        let points = fit::checked(points)?;
        Ok(fit::least_squares(&points))
    }

    /// Throughput with n workers.
    #[must_use]
    pub fn throughput(&self, n: f64) -> f64 {
        self.gamma * fit::relative_capacity(n, self.alpha, self.beta)
    }

    /// The number of workers, not rounded, beyond which throughput falls. `None` where it never
    /// does (β = 0) or does from the first worker on (α ≥ 1).
    #[must_use]
    pub fn peak(&self) -> Option<f64> {
        (self.beta > 0.0 && self.alpha < 1.0).then(|| ((1.0 - self.alpha) / self.beta).sqrt())
    }

    /// R²: by how much the curve comes closer to the points than their mean does, in squares; 1 is
    /// all the way. `None` where all throughputs are equal.
    ///
    /// For a curve like this one it is a description and no test: it is near 1 for most curves
    /// that rise.
    #[must_use]
    pub fn r_squared(&self, points: &[(f64, f64)]) -> Option<f64> {
        let mean = points.iter().map(|(_, x)| x).sum::<f64>() / points.len() as f64;
        let total: f64 = points.iter().map(|(_, x)| (x - mean).powi(2)).sum();
        let left: f64 = points
            .iter()
            .map(|&(n, x)| (x - self.throughput(n)).powi(2))
            .sum();
        (total > 0.0).then(|| 1.0 - left / total)
    }
}
