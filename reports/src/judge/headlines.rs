//! The main questions, answered: many workers over one, and processes over threads.

use schema::{
    Cell, Comparison, Cores, Estimate, Headline, HeadlineKind, Metric, Verdict, Workload,
};

use super::{
    causes::cause,
    comparisons::{Judged, judged},
    pairs::{Pair, many_against_one, processes_against_threads},
    ratios::{ratio, times},
    sentences,
};
use crate::{
    figures::{self, in_letters},
    groups::{Group, experiment, groups, server},
    measurements::Measurements,
    trials::Trial,
};

/// With an efficiency within 1 ± this, many workers are as good as that many times one.
const LINEAR_MARGIN: f64 = 0.05;

/// Two cells that answer a main question.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) kind: HeadlineKind,
    pub(super) pair: Pair<'a>,
}

/// The main questions that the run can answer: of the experiment made for them, or else of the one
/// that measures every number of workers.
pub(super) fn questions<'a>(measurements: &Measurements<'a>) -> Vec<Question<'a>> {
    let groups = groups(&measurements.run.plan);
    let of = |name: &str| {
        let hello = |group: &&Group<'_>| {
            group.experiment == name
                && group.workload == Workload::Hello
                && group.cores != Cores::Shared
        };
        let mut questions = groups.iter().find(hello).map(of_group).unwrap_or_default();
        questions.retain(|question| {
            let measured = |cell: &Cell| !measurements.trials(&cell.id).is_empty();
            measured(question.pair.reference) && measured(question.pair.subject)
        });
        questions
    };
    let questions = of(experiment::HEADLINE);
    if questions.is_empty() {
        of(experiment::SCALING)
    } else {
        questions
    }
}

fn of_group<'a>(group: &Group<'a>) -> Vec<Question<'a>> {
    let growth = [
        (HeadlineKind::Processes, server::CLUSTER),
        (HeadlineKind::Threads, server::THREADS),
    ];
    let mut questions: Vec<Question<'a>> = growth
        .into_iter()
        .filter_map(|(kind, server)| {
            let pair = many_against_one(group, server).into_iter().next()?;
            Some(Question { kind, pair })
        })
        .collect();
    let against = processes_against_threads(group).into_iter();
    questions.extend(
        against
            .filter(|pair| pair.subject.workers > 1)
            .max_by_key(|pair| pair.subject.workers)
            .map(|pair| Question {
                kind: HeadlineKind::ProcessesOverThreads,
                pair,
            }),
    );
    questions
}

/// The answers.
pub(super) fn headlines(measurements: &Measurements<'_>) -> Vec<Headline> {
    questions(measurements)
        .into_iter()
        .filter_map(|question| headline(measurements, question))
        .collect()
}

fn headline(measurements: &Measurements<'_>, question: Question<'_>) -> Option<Headline> {
    let Question { kind, pair } = question;
    let Judged {
        mut comparison,
        limit,
    } = judged(measurements, pair, Metric::Throughput)?;
    let workers = pair.subject.workers;
    let more = f64::from(workers) / f64::from(pair.reference.workers.max(1));
    let by_cpu = ratio(measurements, pair, Trial::requests_per_cpu_s);
    let efficiency = match kind {
        HeadlineKind::Processes | HeadlineKind::Threads => {
            Some(times(comparison.ratio, 1.0 / more))
        }
        HeadlineKind::ProcessesOverThreads => None,
    };
    comparison.question = asked(kind, workers);
    let outcome = sentences::outcome(&comparison, limit);
    let linear = efficiency
        .filter(|_| limit.is_none())
        .and_then(|efficiency| linearity(measurements, &efficiency, pair));
    let outcome = match (linear, comparison.verdict) {
        (None, _) => outcome,
        // That many serve more than one goes without saying.
        (Some(linear), Verdict::Better) => linear,
        (Some(linear), _) => format!("{outcome}, and {linear}"),
    };
    comparison.sentence = sentence(kind, &comparison, pair.subject, &outcome);
    Some(Headline {
        kind,
        workload: pair.subject.workload,
        cores: pair.subject.cores,
        workers,
        throughput: comparison,
        by_cpu_given: by_cpu.map(|ratio| times(ratio, more)),
        efficiency,
    })
}

fn plural(kind: HeadlineKind) -> &'static str {
    match kind {
        HeadlineKind::Processes | HeadlineKind::ProcessesOverThreads => "processes",
        HeadlineKind::Threads => "threads",
    }
}

fn asked(kind: HeadlineKind, workers: u32) -> String {
    let (number, who) = (in_letters(workers), plural(kind));
    match kind {
        HeadlineKind::Processes | HeadlineKind::Threads => {
            format!("How much more do {number} {who} serve than one?")
        }
        HeadlineKind::ProcessesOverThreads => {
            format!("Do {number} processes serve more than {number} threads?")
        }
    }
}

fn sentence(kind: HeadlineKind, comparison: &Comparison, subject: &Cell, outcome: &str) -> String {
    let number = in_letters(subject.workers);
    let over = match kind {
        HeadlineKind::Processes | HeadlineKind::Threads => "one serves".to_owned(),
        HeadlineKind::ProcessesOverThreads => format!("{number} threads serve"),
    };
    let cores = match subject.cores {
        Cores::Emulated => format!("{number} emulated cores"),
        Cores::Real | Cores::Shared => format!("{number} cores"),
    };
    format!(
        "{number} {} serve {} times what {over} ({}), on {cores}: {outcome}.",
        plural(kind),
        figures::ratio(&comparison.ratio),
        sentences::evidence(comparison)
    )
}

/// Whether each worker adds as much as the first, with the cause where it does not; `None` without an
/// interval.
fn linearity(
    measurements: &Measurements<'_>,
    efficiency: &Estimate,
    pair: Pair<'_>,
) -> Option<String> {
    let (low, high) = efficiency.interval?;
    let figure = format!(
        "efficiency {}, {low:.3} to {high:.3}",
        figures::ratio(efficiency)
    );
    let because = || {
        let cause = cause(measurements, pair.reference, pair.subject);
        cause.map(|cause| format!(": {cause}")).unwrap_or_default()
    };
    Some(
        if low >= 1.0 - LINEAR_MARGIN && high <= 1.0 + LINEAR_MARGIN {
            format!("as good as linear ({figure})")
        } else if high < 1.0 {
            format!("less than linear ({figure}){}", because())
        } else if low > 1.0 {
            format!("more than linear ({figure}){}", because())
        } else {
            format!("whether it is linear stays open ({figure})")
        },
    )
}
