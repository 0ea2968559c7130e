//! Pairs of cells, block by block, with verdicts.

use analysis::verdict;
use schema::{Comparison, Metric, Verdict};

use super::{
    bottleneck::{HeldBack, held_back},
    pairs::{Pair, pairs, theme},
    ratios::paired,
    sentences,
};
use crate::{
    groups::{experiment, groups},
    measurements::Measurements,
    trials::Trial,
};

/// Ratios of throughput and of CPU time within 2 % of 1 count as equal.
const MARGIN: f64 = 0.02;

/// A tail varies more from launch to launch, and nobody feels 5 % of it.
const TAIL_MARGIN: f64 = 0.05;

/// Ratios within 1 ± this count as equal.
pub(crate) const fn margin(metric: Metric) -> f64 {
    match metric {
        Metric::Throughput | Metric::CpuPerRequest => MARGIN,
        Metric::P99 => TAIL_MARGIN,
    }
}

/// In the order in which they are told, whatever is compared.
pub(crate) const METRICS: [Metric; 3] = [Metric::Throughput, Metric::CpuPerRequest, Metric::P99];

/// Every comparison that has a block in which both cells were measured, group by group. Emulated
/// cores beside real ones say something of the instrument, and of servers nothing.
pub(super) fn comparisons(measurements: &Measurements<'_>) -> Vec<Comparison> {
    let mut groups = groups(&measurements.run.plan);
    groups.retain(|group| group.experiment != experiment::FIDELITY);
    let several = groups.len() > 1;
    let mut comparisons = Vec::new();
    for group in &groups {
        let setting = several.then(|| group.in_brief());
        let pairs = pairs(group);
        for metric in METRICS {
            let shown = metric != Metric::P99 || group.shows_latency();
            let asked = |pair: &&Pair<'_>| {
                let theme = theme(pair.reference, pair.subject);
                shown && theme.asks(metric)
            };
            let asked = pairs.iter().filter(asked);
            let compared =
                asked.filter_map(|&pair| compare(measurements, pair, metric, setting.as_deref()));
            comparisons.extend(compared);
        }
    }
    comparisons
}

fn compare(
    measurements: &Measurements<'_>,
    pair: Pair<'_>,
    metric: Metric,
    setting: Option<&str>,
) -> Option<Comparison> {
    told(measurements, pair, metric, setting).map(|told| told.comparison)
}

/// A comparison with its words, and its outcome in a few of them.
pub(super) struct Told {
    pub(super) comparison: Comparison,
    pub(super) outcome: String,
}

/// Two cells in one metric, in words; `None` where they have no block in common.
pub(super) fn told(
    measurements: &Measurements<'_>,
    pair: Pair<'_>,
    metric: Metric,
    setting: Option<&str>,
) -> Option<Told> {
    let Judged {
        mut comparison,
        limit,
    } = judged(measurements, pair, metric)?;
    comparison.question = sentences::question(pair, metric, setting);
    comparison.sentence = sentences::answer(&comparison, pair, limit, setting);
    Some(Told {
        outcome: sentences::outcome(&comparison, limit),
        comparison,
    })
}

/// A comparison without words, and what they must not leave out.
pub(super) struct Judged {
    pub(super) comparison: Comparison,
    pub(super) limit: Option<HeldBack>,
}

/// Two cells in one metric; `None` where they have no block in common.
pub(super) fn judged(
    measurements: &Measurements<'_>,
    pair: Pair<'_>,
    metric: Metric,
) -> Option<Judged> {
    let paired = paired(measurements, pair, |trial| figure(trial, metric))?;
    let ratio = paired.estimate(measurements.run.plan.seed);
    let margin = margin(metric);
    let limits = Limits {
        reference: held_back(measurements, pair.reference),
        subject: held_back(measurements, pair.subject),
    };
    let seen = verdict(&ratio, margin, metric.direction());
    Some(Judged {
        comparison: Comparison {
            question: String::new(),
            reference: pair.reference.id.clone(),
            subject: pair.subject.id.clone(),
            metric,
            blocks: u32::try_from(paired.blocks()).ok()?,
            ratio,
            equivalence_margin: margin,
            verdict: limits.allow(seen, metric),
            sentence: String::new(),
        },
        limit: limits.either().filter(|_| metric != Metric::CpuPerRequest),
    })
}

/// Which of two cells the generator held back.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) reference: Option<HeldBack>,
    pub(crate) subject: Option<HeldBack>,
}

impl Limits {
    pub(crate) fn either(self) -> Option<HeldBack> {
        self.reference.or(self.subject)
    }

    /// What a generator's limit leaves of a verdict.
    ///
    /// What the generator could not offer, no server could answer: two servers that it holds back
    /// look equal whatever they are. If it held back only the winner, the winner stays one. CPU
    /// time per request was used whoever was the limit.
    pub(crate) fn allow(self, seen: Verdict, metric: Metric) -> Verdict {
        let held_back = (self.reference.is_some(), self.subject.is_some());
        match (metric, held_back, seen) {
            (Metric::CpuPerRequest, ..)
            | (_, (false, false), _)
            | (Metric::Throughput, (false, true), Verdict::Better)
            | (Metric::Throughput, (true, false), Verdict::Worse) => seen,
            _ => Verdict::Undecided,
        }
    }
}

/// What a metric reads of a trial.
pub(crate) fn figure(trial: Trial<'_>, metric: Metric) -> f64 {
    match metric {
        Metric::Throughput => trial.throughput_per_s(),
        Metric::CpuPerRequest => trial.cpu_ns_per_request(),
        Metric::P99 => trial.latency().p99_ns as f64,
    }
}
