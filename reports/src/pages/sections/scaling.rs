//! Speed-ups and efficiencies of one group, and the law through them.

use schema::{Cores, Estimate, Law, ScalingCurve, Verdicts};

use super::{Head, Part, Table};
use crate::{
    figures::{self, interval, percent, ratio, ratio_interval, significant},
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

const LAW: &str = "The Universal Scalability Law through these throughputs, X(N) = γN / (1 + α(N − 1) + βN(N − 1)): γ is what one worker serves, α the share of the work that workers do one after another, β what each pair of them pays to agree. R² is the share of the variance that it explains.";

const LAW_HEADS: &[Head] = &[
    Head::Words("Server"),
    Head::Number("α"),
    Head::Number("β"),
    Head::Number("γ, requests per second"),
    Head::Number("R²"),
    Head::Words("Most is served with"),
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
        Part::List(
            curves
                .iter()
                .filter_map(|curve| curve.shortfall.clone())
                .collect(),
        ),
        Part::Aside(LAW.to_owned()),
        Part::Table(Table {
            heads: LAW_HEADS,
            rows: curves.iter().map(|curve| law(curve)).collect(),
        }),
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

/// The Universal Scalability Law as far as it may be believed.
fn law(curve: &ScalingCurve) -> Vec<String> {
    let server = curve.server.clone();
    let none = || "–".to_owned();
    match &curve.law {
        Law::NotFitted { reason } => {
            let why = format!("not fitted: {}", reason.trim_end_matches('.'));
            vec![server, none(), none(), none(), none(), why]
        }
        Law::Fitted {
            alpha,
            beta,
            gamma,
            r_squared,
            peak,
            refusal,
        } => vec![
            server,
            with(alpha, small),
            with(beta, small),
            with(gamma, figures::rate),
            r_squared.map_or_else(none, |share| format!("{share:.3}")),
            match (peak, refusal) {
                (Some(peak), _) => most_served(peak, curve),
                (None, Some(refusal)) => refusal.trim_end_matches('.').to_owned(),
                (None, None) => none(),
            },
        ],
    }
}

fn with(estimate: &Estimate, show: fn(f64) -> String) -> String {
    let point = show(estimate.point);
    match interval(estimate, show) {
        Some(interval) => format!("{point} ({interval})"),
        None => point,
    }
}

/// A parameter of the law; what rounding alone sets apart from 0 is 0.
fn small(value: f64) -> String {
    if value.abs() < 1e-9 {
        "0".to_owned()
    } else {
        significant(value, 2)
    }
}

fn most_served(peak: &Estimate, curve: &ScalingCurve) -> String {
    let workers = with(peak, |workers| format!("{workers:.0}"));
    let measured = curve.points.last().map_or(0, |point| point.workers);
    if peak.point > f64::from(measured) {
        format!("{workers} workers, more than were measured")
    } else {
        format!("{workers} workers")
    }
}
