//! What became of the cells that an experiment asks for.

use schema::{Cell, Outcome, Standing};

use crate::measurements::Measurements;

/// What became of a cell; `asked` says what the plan would have had to hold where it holds no such
/// cell.
pub(super) fn standing(
    measurements: &Measurements<'_>,
    cell: Option<&Cell>,
    asked: &str,
) -> Standing {
    let Some(cell) = cell else {
        return Standing::NotMeasured {
            cell: None,
            reason: format!("the run did not ask for {asked}"),
        };
    };
    let id = cell.id.clone();
    if !measurements.trials(&id).is_empty() {
        return Standing::Measured { cell: id };
    }
    let outcomes = measurements.run.observations.iter();
    let mut outcomes = outcomes
        .filter(|observation| observation.cell == id)
        .map(|observation| &observation.outcome);
    let reason = |text: &str| text.trim_end_matches('.').to_owned();
    outcomes
        .find_map(|outcome| match outcome {
            Outcome::Failed(failure) => Some(Standing::Failed {
                cell: id.clone(),
                reason: reason(&failure.reason),
            }),
            Outcome::NotMeasured { reason: why, .. } => Some(Standing::NotMeasured {
                cell: Some(id.clone()),
                reason: reason(why),
            }),
            Outcome::Measured(_) => None,
        })
        .unwrap_or_else(|| Standing::NotMeasured {
            cell: Some(id.clone()),
            reason: "no trial of it has figures".to_owned(),
        })
}

/// Why it has no figures, as in `every trial failed: exit code 1`; `None` where it has.
pub(crate) fn absence(standing: &Standing) -> Option<String> {
    match standing {
        Standing::Measured { .. } => None,
        Standing::Failed { reason, .. } => Some(format!("every trial failed: {reason}")),
        Standing::NotMeasured { reason, .. } => Some(format!("not measured: {reason}")),
        Standing::Refused { reason } => Some(format!("cannot be: {reason}")),
    }
}
