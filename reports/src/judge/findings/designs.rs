//! In what else compared servers differ.

use std::collections::BTreeSet;

use super::Finding;
use crate::{
    Run,
    groups::groups,
    judge::pairs::{Theme, pairs, theme},
};

pub(super) fn more_than_the_worker_differs(run: &Run) -> Option<Finding> {
    let models: BTreeSet<(String, String)> = groups(&run.plan)
        .iter()
        .flat_map(pairs)
        .filter(|pair| theme(pair.reference, pair.subject) == Theme::ProcessesAgainstThreads)
        .filter(|pair| pair.reference.model.accept != pair.subject.model.accept)
        .map(|pair| {
            (
                pair.subject.model.to_string(),
                pair.reference.model.to_string(),
            )
        })
        .collect();
    let models: Vec<String> = models
        .into_iter()
        .map(|(subject, reference)| format!("{subject} against {reference}"))
        .collect();
    (!models.is_empty()).then(|| {
        Finding::caveat(format!(
            "The compared servers differ in more than processes and threads, as connections reach their workers in another way too ({}): a ratio is that of the two designs as they are.",
            models.join(", ")
        ))
    })
}
