//! Comparisons in words.

use analysis::LEAST_FOR_AN_INTERVAL;
use schema::{Comparison, Metric, Verdict};

use super::{bottleneck::HeldBack, pairs::Pair};
use crate::{
    figures,
    groups::{counted, in_words},
};

/// The question, as in `Does cluster with 2 workers serve more than threads with 2 workers?`
pub(super) fn question(pair: Pair<'_>, metric: Metric, setting: Option<&str>) -> String {
    let (subject, reference) = (in_words(pair.subject), in_words(pair.reference));
    let do_they = if is_plural(&pair.subject.server) {
        "Do"
    } else {
        "Does"
    };
    let question = match metric {
        Metric::Throughput => format!("{do_they} {subject} serve more than {reference}?"),
        Metric::CpuPerRequest => {
            format!("{do_they} {subject} use less CPU time per request than {reference}?")
        }
        Metric::P99 => format!("Is the p99 latency of {subject} below that of {reference}?"),
    };
    match setting {
        Some(setting) => format!("[{setting}] {question}"),
        None => question,
    }
}

/// The answer with its figures.
pub(super) fn answer(
    comparison: &Comparison,
    pair: Pair<'_>,
    limit: Option<HeldBack>,
    setting: Option<&str>,
) -> String {
    let finding = finding(comparison, pair);
    let evidence = evidence(comparison);
    let outcome = outcome(comparison, limit);
    let setting = setting.map(|s| format!("[{s}] ")).unwrap_or_default();
    format!("{setting}{finding} ({evidence}): {outcome}.")
}

fn finding(comparison: &Comparison, pair: Pair<'_>) -> String {
    let (subject, reference) = (in_words(pair.subject), in_words(pair.reference));
    let ratio = figures::ratio(&comparison.ratio);
    let verb =
        |server: &str, one: &str, many: &str| if is_plural(server) { many } else { one }.to_owned();
    match comparison.metric {
        Metric::Throughput => format!(
            "{subject} {} {ratio} times what {reference} {}",
            verb(&pair.subject.server, "serves", "serve"),
            verb(&pair.reference.server, "serves", "serve"),
        ),
        Metric::CpuPerRequest => format!(
            "{subject} {} {ratio} times the CPU time per request of {reference}",
            verb(&pair.subject.server, "uses", "use"),
        ),
        Metric::P99 => {
            format!("the p99 latency of {subject} is {ratio} times that of {reference}")
        }
    }
}

pub(super) fn evidence(comparison: &Comparison) -> String {
    let blocks = counted(comparison.blocks as usize, "block");
    match figures::ratio_interval(&comparison.ratio) {
        Some(interval) => format!("95 % interval {interval}, {blocks}"),
        None => format!("{blocks}, too few for an interval"),
    }
}

pub(crate) fn outcome(comparison: &Comparison, limit: Option<HeldBack>) -> String {
    if let Some(limit) = limit {
        let outcome = match comparison.verdict {
            Verdict::Better => "better by at least this",
            Verdict::Worse => "worse by at least this",
            Verdict::Equivalent | Verdict::Undecided => "undecided",
        };
        return format!(
            "{outcome}, as the load generator was the limit (it used {} of its CPUs, the server {})",
            figures::percent(limit.generator_share),
            figures::percent(limit.server_share),
        );
    }
    let margin = figures::percent(comparison.equivalence_margin);
    match (comparison.verdict, comparison.ratio.interval) {
        (Verdict::Better, _) => "better".to_owned(),
        (Verdict::Worse, _) => "worse".to_owned(),
        (Verdict::Equivalent, _) => format!("equivalent within ±{margin}"),
        (Verdict::Undecided, Some(_)) => "undecided, as the interval holds 1".to_owned(),
        (Verdict::Undecided, None) => {
            format!("undecided, as it takes {LEAST_FOR_AN_INTERVAL} blocks")
        }
    }
}

/// `threads serve`, `cluster serves`.
fn is_plural(server: &str) -> bool {
    server.ends_with('s')
}
