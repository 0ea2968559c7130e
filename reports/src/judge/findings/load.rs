//! What the load generator did to the figures, and what it did not see.

use std::collections::{BTreeMap, BTreeSet};

use schema::{Accept, Cell, Cores, Measured};

use super::{Finding, a_few, gathered, in_experiment};
use crate::{
    Run, figures,
    groups::{each_once, experiment, in_words, server},
    judge::{
        bottleneck::{BUSY_GENERATOR, HeldBack, busiest_generator, held_back},
        headlines::questions,
    },
    measurements::Measurements,
};

/// A main question whose answer would be the generator's, and not the servers'.
pub(super) fn limited_headline(measurements: &Measurements<'_>) -> Option<Finding> {
    let cells: BTreeMap<&str, &Cell> = questions(measurements)
        .iter()
        .flat_map(|question| [question.pair.reference, question.pair.subject])
        .map(|cell| (cell.id.as_str(), cell))
        .collect();
    let limited = cells
        .into_values()
        .filter_map(|cell| Some((cell, held_back(measurements, cell)?)));
    let (worst, limit) =
        limited.max_by(|(_, a), (_, b)| b.server_share.total_cmp(&a.server_share))?;
    Some(Finding::broken(format!(
        "The load generator was the limit in the main question: it used {} of its CPUs while {} used {} of the CPU time it could have had, so the ratio is the generator's and not the servers'; give the generator more CPUs, or each core a smaller share of one.",
        figures::percent(limit.generator_share),
        in_words(worst),
        figures::percent(limit.server_share)
    )))
}

/// How busy the generator was wherever throughput is a figure: at work only, or the limit.
pub(super) fn busy_generator(measurements: &Measurements<'_>) -> Option<Finding> {
    let (share, busiest) = busiest_generator(measurements).filter(|(s, _)| *s > BUSY_GENERATOR)?;
    let limited: Vec<(&Cell, HeldBack)> = measurements
        .run
        .plan
        .cells
        .iter()
        // The floor is in no comparison.
        .filter(|cell| cell.server != server::FLOOR)
        .filter(|cell| experiment::shows_throughput(&cell.experiment))
        .filter_map(|cell| Some((cell, held_back(measurements, cell)?)))
        .collect();
    let shares = |limit: &HeldBack| {
        format!(
            "it used {} of its CPUs, the server {}",
            figures::percent(limit.generator_share),
            figures::percent(limit.server_share)
        )
    };
    let was_the_limit = gathered(
        &limited,
        |(_, limit)| -limit.server_share,
        |(cell, limit)| {
            format!(
                "The load generator, not the server, was the limit with {} ({}): its throughput is a lower bound, so comparisons of its throughput and latency are left undecided; CPU time per request still tells servers apart.",
                in_words(cell),
                shares(limit)
            )
        },
        |many, (cell, limit)| {
            format!(
                "The load generator, not the server, was the limit in {many} cells, worst in {} ({}): that they serve alike is no evidence that they are alike, so throughput there is a lower bound, and what tells them apart is CPU time per request.",
                in_experiment(cell),
                shares(limit)
            )
        },
    );
    let sentence = was_the_limit.unwrap_or_else(|| format!(
        "The load generator used up to {} of its CPUs (with {}), more than {}: throughput figures are lower bounds.",
        figures::percent(share),
        in_words(busiest),
        figures::percent(BUSY_GENERATOR)
    ));
    Some(Finding::caveat(sentence))
}

pub(super) fn closed_loop(run: &Run) -> Option<Finding> {
    let shown = |(cell, ..): (&Cell, u32, &Measured)| {
        cell.cores != Cores::Emulated && cell.rate_per_s.is_none()
    };
    run.measured().any(shown).then(|| {
        Finding::caveat(
            "Latency was measured at saturation in a closed loop: each connection sends its next request only after an answer, so a stall delays the requests that would have shown it. Compare these figures with one another only; they are not what users of a server with room to spare would see.".into(),
        )
    })
}

/// Workers that answered nothing in a whole trial, so that fewer served than the cell says. Where
/// each connection has a worker of its own, ids say nothing of it; and where it is asked who answers,
/// it is a finding.
pub(super) fn idle_workers(run: &Run) -> Option<Finding> {
    let idle: BTreeSet<&str> = run
        .measured()
        .filter(|(cell, ..)| {
            cell.model.accept != Accept::PerConnection && cell.experiment != experiment::BALANCE
        })
        .filter(|(cell, _, measured)| {
            let answered = measured.load.requests_by_worker.len();
            answered > 0 && answered < cell.workers as usize
        })
        .map(|(cell, ..)| cell.id.as_str())
        .collect();
    let cells = each_once(idle.iter().filter_map(|id| run.cell(id)).map(in_words));
    (!cells.is_empty()).then(|| {
        Finding::caveat(format!(
            "In some trials not every worker answered ({}), so fewer served than were there.",
            a_few(&cells)
        ))
    })
}
