//! Bencher Metric Format (<https://bencher.dev/docs/reference/bencher-metric-format/>): an object of
//! benchmarks, each an object of measures, each with a value and, where there is an interval, its
//! bounds.

use std::collections::BTreeMap;

use schema::{Estimate, Verdicts};
use serde::Serialize;

use super::{measures, name, rounded, rows};
use crate::Run;

#[derive(Serialize)]
struct Metric {
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lower_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upper_value: Option<f64>,
}

impl From<Estimate> for Metric {
    fn from(estimate: Estimate) -> Self {
        Self {
            value: rounded(estimate.point),
            lower_value: estimate.interval.map(|(low, _)| rounded(low)),
            upper_value: estimate.interval.map(|(_, high)| rounded(high)),
        }
    }
}

pub(super) fn export(run: &Run, verdicts: &Verdicts) -> String {
    let benchmarks: BTreeMap<String, BTreeMap<&str, Metric>> = rows(run, verdicts)
        .map(|(cell, row)| {
            let metrics = measures(cell, row)
                .into_iter()
                .map(|measure| (measure.slug, measure.estimate.into()));
            (name(cell), metrics.collect())
        })
        .collect();
    super::json(&benchmarks)
}
