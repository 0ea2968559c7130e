//! Speed-ups and efficiencies of one group, and the law through them.

use schema::{Cores, Estimate, Law, ScalingCurve, Verdicts};

use super::{Head, Part, Table};
use crate::{
    figures::{self, in_letters, interval, percent, ratio, ratio_interval, significant},
    groups::Group,
};

const HEADS: &[Head] = &[
    Head::Words("Server"),
    Head::Number("Cores"),
    Head::Number("Requests per second"),
    Head::Number("Speed-up"),
    Head::Number("Efficiency"),
    Head::Number("Speed-up by CPU time given"),
    Head::Number("Quota used"),
];

/// Nothing where the group has no curves.
pub(in crate::pages) fn scaling(group: &Group<'_>, verdicts: &Verdicts) -> Vec<Part> {
    let curves: Vec<&ScalingCurve> = curves(group, verdicts).collect();
    if curves.is_empty() {
        return Vec::new();
    }
    let rows = curves.iter().flat_map(|curve| rows(curve)).collect();
    let cores = match group.cores {
        Cores::Emulated => "emulated cores",
        Cores::Real | Cores::Shared => "cores",
    };
    vec![
        Part::Aside(format!(
            "Speed-up is over one worker of the same server, block by block, on {cores}; efficiency is speed-up over cores."
        )),
        Part::Table(Table { heads: HEADS, rows }),
        Part::List(curves.iter().map(|curve| law(curve)).collect()),
        Part::List(
            curves
                .iter()
                .filter_map(|curve| curve.shortfall.clone())
                .collect(),
        ),
    ]
}

/// The curves of a group.
pub(in crate::pages) fn curves<'v>(
    group: &Group<'_>,
    verdicts: &'v Verdicts,
) -> impl Iterator<Item = &'v ScalingCurve> {
    verdicts.scaling.iter().filter(|curve| {
        curve.experiment == group.experiment
            && curve.workload == group.workload
            && curve.cores == group.cores
    })
}

fn rows(curve: &ScalingCurve) -> Vec<Vec<String>> {
    let with_interval = |estimate: &Estimate| {
        let point = ratio(estimate);
        match ratio_interval(estimate) {
            Some(interval) => format!("{point} ({interval})"),
            None => point,
        }
    };
    curve
        .points
        .iter()
        .map(|point| {
            let given = point.given_over_quota;
            let against_itself = point.workers == 1;
            let over_one = |estimate: &Estimate| {
                if against_itself {
                    "1".to_owned()
                } else {
                    with_interval(estimate)
                }
            };
            vec![
                curve.server.clone(),
                point.workers.to_string(),
                figures::rate(point.throughput_per_s.point),
                over_one(&point.speedup),
                over_one(&point.efficiency),
                over_one(&point.speedup_by_cpu_given),
                given.map_or_else(|| "–".to_owned(), |given| percent(given.point)),
            ]
        })
        .collect()
}

/// The Universal Scalability Law in a sentence, as far as it may be believed.
fn law(curve: &ScalingCurve) -> String {
    let server = &curve.server;
    let share = |value: f64| {
        if value.abs() < 1e-9 {
            "0".to_owned()
        } else {
            significant(value, 2)
        }
    };
    match &curve.law {
        Law::NotFitted { reason } => {
            format!("{server}: no scalability law was fitted, as {reason}.")
        }
        Law::Fitted {
            alpha,
            beta,
            gamma,
            r_squared,
            peak,
            refusal,
        } => {
            let figure = |estimate: &Estimate| {
                let point = share(estimate.point);
                match interval(estimate, share) {
                    Some(interval) => format!("{point} ({interval})"),
                    None => point,
                }
            };
            let beyond = match (peak, refusal) {
                (_, Some(refusal)) => {
                    format!("beyond what was measured it says nothing: {refusal}")
                }
                (Some(peak), None) => {
                    let range = interval(peak, |workers| format!("{workers:.0}"));
                    let range = range.map(|r| format!(" ({r})")).unwrap_or_default();
                    format!("it serves most with {:.0}{range} workers", peak.point)
                }
                (None, None) => "it has no peak".to_owned(),
            };
            let most = curve.points.last().map_or(0, |point| point.workers);
            format!(
                "{server}: the Universal Scalability Law through one to {} workers has α = {} (work done one after another), β = {} (workers agreeing with each other) and γ = {} requests per second, and explains {} of the variance; {}.",
                in_letters(most),
                figure(alpha),
                figure(beta),
                figures::rate(gamma.point),
                percent(*r_squared),
                beyond.trim_end_matches('.')
            )
        }
    }
}
