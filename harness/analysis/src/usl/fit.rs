//! Least squares for the law.
//!
//! For fixed α and β the best γ is known in closed form, so the search is in two dimensions only
//! (variable projection: Golub and Pereyra, SIAM Journal on Numerical Analysis 10(2), 1973, with
//! Kaufman's simpler derivative, BIT 15, 1975). A coarse grid finds where to begin, then steps
//! are those of Levenberg and Marquardt (SIAM Journal 11(2), 1963), cut off at the bounds; a
//! parameter that stands on its bound and would leave it sits a step out.

use super::{UslError, UslFit};

/// All the points at one number of workers: their mean, and how many they are. As the squares
/// around a mean do not depend on the curve, the fit to means is the fit to points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Size {
    /// Number of workers.
    pub(super) n: f64,
    /// Mean throughput.
    pub(super) throughput: f64,
    /// How many points, the weight of the mean.
    pub(super) points: f64,
}

/// α and β.
type Pair = [f64; 2];

const START_ALPHAS: [f64; 8] = [0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];
/// β·N² at the greatest N: what it adds there, beside the 1 of a lone worker.
const START_BETAS: [f64; 7] = [0.0, 0.01, 0.1, 1.0, 10.0, 100.0, 1_000.0];

/// Far more steps than a fit takes (about ten), so that no data can hold it up.
const MOST_STEPS: usize = 200;
/// A damping under which no step can be told from standing still.
const MOST_DAMPING: f64 = 1e12;
/// What a parameter may change the curve by at the greatest N before it is more than rounding.
const ROUNDING: f64 = 1e-9;

/// Points by number of workers, ascending.
pub(super) fn checked(points: &[(f64, f64)]) -> Result<Vec<Size>, UslError> {
    for &(n, value) in points {
        if !n.is_finite() || n < 1.0 {
            return Err(UslError::BadSize { n });
        }
        if !value.is_finite() || value <= 0.0 {
            return Err(UslError::BadThroughput { n, value });
        }
    }
    let mut ascending = points.to_vec();
    ascending.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let sizes: Vec<Size> = ascending
        .chunk_by(|(one, _), (other, _)| one.total_cmp(other).is_eq())
        .map(|same| Size {
            n: same[0].0,
            throughput: same.iter().map(|(_, x)| x).sum::<f64>() / same.len() as f64,
            points: same.len() as f64,
        })
        .collect();
    if sizes.len() < 3 {
        return Err(UslError::TooFewSizes { found: sizes.len() });
    }
    Ok(sizes)
}

/// What n workers do of what one does.
pub(super) fn relative_capacity(n: f64, alpha: f64, beta: f64) -> f64 {
    n / (1.0 + alpha * (n - 1.0) + beta * n * (n - 1.0))
}

/// The best curve through at least three sizes.
pub(super) fn least_squares(sizes: &[Size]) -> UslFit {
    let greatest = sizes.iter().map(|size| size.n).fold(1.0, f64::max);
    let mut best = START_BETAS
        .iter()
        .flat_map(|beta| START_ALPHAS.map(|alpha| [alpha, beta / (greatest * greatest)]))
        .map(|pair| (squares(sizes, pair), pair))
        .min_by(|(one, _), (other, _)| one.total_cmp(other))
        .map_or([0.0; 2], |(_, pair)| pair);
    descend(sizes, &mut best);
    let [mut alpha, mut beta] = best;
    // What is left of a parameter whose best value is its bound.
    if alpha * greatest < ROUNDING {
        alpha = 0.0;
    }
    if beta * greatest * greatest < ROUNDING {
        beta = 0.0;
    }
    UslFit {
        gamma: best_gamma(sizes, [alpha, beta]),
        alpha,
        beta,
    }
}

/// Steps down from a pair until none leads further.
fn descend(sizes: &[Size], pair: &mut Pair) {
    let mut least = squares(sizes, *pair);
    let mut damping = 1e-3;
    for _ in 0..MOST_STEPS {
        let slope = Slope::at(sizes, *pair);
        loop {
            let trial = slope.step(*pair, damping);
            let found = squares(sizes, trial);
            if found < least {
                *pair = trial;
                least = found;
                damping = (damping / 10.0).max(1e-12);
                break;
            }
            damping *= 10.0;
            if damping > MOST_DAMPING {
                return;
            }
        }
    }
}

fn best_gamma(sizes: &[Size], [alpha, beta]: Pair) -> f64 {
    let (above, below) = sizes.iter().fold((0.0, 0.0), |(above, below), size| {
        let capacity = relative_capacity(size.n, alpha, beta);
        let weighted = size.points * capacity;
        (
            above + weighted * size.throughput,
            below + weighted * capacity,
        )
    });
    above / below
}

/// Weighted sum of squared distances, with the best γ.
fn squares(sizes: &[Size], pair: Pair) -> f64 {
    let gamma = best_gamma(sizes, pair);
    sizes
        .iter()
        .map(|size| {
            let predicted = gamma * relative_capacity(size.n, pair[0], pair[1]);
            size.points * (size.throughput - predicted).powi(2)
        })
        .sum()
}

/// The sum of squares around a pair, as Gauss and Newton see it.
struct Slope {
    /// The way down.
    down: Pair,
    /// Curvature by α twice, by β twice, by both.
    curvature: [f64; 3],
}

impl Slope {
    fn at(sizes: &[Size], pair: Pair) -> Self {
        let gamma = best_gamma(sizes, pair);
        // Derivatives of the curve by α and β; then what a change of γ would do just as well is
        // taken out of them.
        let rows = sizes.iter().map(|size| {
            let capacity = relative_capacity(size.n, pair[0], pair[1]);
            let by_beta = -gamma * capacity * capacity * (size.n - 1.0);
            (size, capacity, [by_beta / size.n, by_beta])
        });
        let mut along = [0.0; 2];
        let mut length = 0.0;
        for (size, capacity, by) in rows.clone() {
            length += size.points * capacity * capacity;
            along[0] += size.points * capacity * by[0];
            along[1] += size.points * capacity * by[1];
        }
        let (mut down, mut curvature) = ([0.0; 2], [0.0; 3]);
        for (size, capacity, by) in rows {
            let left = size.throughput - gamma * capacity;
            let by = [
                by[0] - capacity * along[0] / length,
                by[1] - capacity * along[1] / length,
            ];
            down[0] += size.points * by[0] * left;
            down[1] += size.points * by[1] * left;
            curvature[0] += size.points * by[0] * by[0];
            curvature[1] += size.points * by[1] * by[1];
            curvature[2] += size.points * by[0] * by[1];
        }
        Self { down, curvature }
    }

    /// Where a damped step leads, within the bounds.
    fn step(&self, pair: Pair, damping: f64) -> Pair {
        let free = [0, 1].map(|which| pair[which] > 0.0 || self.down[which] > 0.0);
        let [first, second, both] = self.curvature;
        let (first, second) = (first * (1.0 + damping), second * (1.0 + damping));
        let change = match free {
            [true, true] => {
                let determinant = first * second - both * both;
                [
                    (self.down[0] * second - self.down[1] * both) / determinant,
                    (self.down[1] * first - self.down[0] * both) / determinant,
                ]
            }
            [true, false] => [self.down[0] / first, 0.0],
            [false, true] => [0.0, self.down[1] / second],
            [false, false] => [0.0; 2],
        };
        // A change that is no number is no step: max takes the bound, and the squares decide.
        [
            (pair[0] + change[0]).max(0.0),
            (pair[1] + change[1]).max(0.0),
        ]
    }
}
