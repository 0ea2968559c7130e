//! May B pass?
//!
//! It fails where it is worse than A in any compared metric by more than the limit, and the interval
//! of that ratio leaves out 1. Both: a large ratio alone may be chance, and a sure one may be too
//! small to matter. What cannot be told fails nothing, and is told.

use schema::{CompareReport, Compared, Direction, Gate};

use crate::{figures::small_percent, groups::counted};

/// Holds a comparison against a limit, as a part of A: 0.05 is 5 %.
#[must_use]
pub fn gate(report: &CompareReport, limit: f64) -> Gate {
    let (mut failed, mut untold) = (Vec::new(), Vec::new());
    for compared in &report.compared {
        let comparison = &compared.comparison;
        if compared.withheld || comparison.ratio.interval.is_none() {
            untold.push(comparison.sentence.clone());
        } else if fails(compared, limit) {
            failed.push(comparison.sentence.clone());
        }
    }
    Gate {
        limit,
        passed: failed.is_empty(),
        failed,
        untold,
    }
}

fn fails(compared: &Compared, limit: f64) -> bool {
    let ratio = compared.comparison.ratio;
    ratio
        .interval
        .is_some_and(|(low, high)| match compared.comparison.metric.direction() {
            Direction::MoreIsBetter => ratio.point < 1.0 - limit && high < 1.0,
            Direction::LessIsBetter => ratio.point > 1.0 + limit && low > 1.0,
        })
}

/// The outcome in one sentence.
pub(super) fn in_words(gate: &Gate) -> String {
    let limit = small_percent(gate.limit);
    if gate.passed && gate.untold.is_empty() {
        format!("B passes: it is not surely worse than A by more than {limit}.")
    } else if gate.passed {
        let ratios = counted(gate.untold.len(), "ratio");
        format!(
            "B passes, as nothing shows it to be worse than A by more than {limit}, but {ratios} could not be told: it takes more blocks, or a load generator with more CPUs."
        )
    } else {
        format!("B does not pass: it is surely worse than A by more than {limit}.")
    }
}
