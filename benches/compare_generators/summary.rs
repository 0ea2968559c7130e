//! From runs to rows: medians over rounds, and ratios paired round by round.

use std::collections::BTreeMap;

use analysis::PairedRatio;
use schema::Estimate;
use serde::Serialize;

use crate::{
    generators::{Found, OURS},
    offered::Load,
    rounds::{Measured, Outcome, Run},
};

/// Below this share of the rate asked for, quantiles tell of a backlog and not of the server.
const REACHED_AT_LEAST: f64 = 0.99;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Completed requests per second.
    PerSecond,
    /// The generator's CPU time per completed request.
    Cpu,
    /// Median response time.
    P50,
    /// 99th percentile of response time.
    P99,
    /// 99.9th percentile of response time.
    P999,
    /// 99th percentile of lateness.
    Lateness,
}

/// One value for each [`Metric`] that has one.
#[derive(Clone, Debug, Serialize)]
pub struct Figures<T> {
    per_s: Option<T>,
    cpu_ns_per_request: Option<T>,
    p50_ns: Option<T>,
    p99_ns: Option<T>,
    p999_ns: Option<T>,
    lateness_p99_ns: Option<T>,
}

/// One generator under one load.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub generator: &'static str,
    /// The words it was started with; none where it is absent.
    pub command: Option<Vec<String>>,
    /// Medians over the rounds measured.
    pub medians: Figures<f64>,
    /// This project's own over it: geometric mean and 95 % interval over rounds in which both were
    /// measured.
    pub own_over_it: Figures<Estimate>,
    /// What to know before reading the row.
    pub remarks: Vec<String>,
    /// Every measurement.
    pub trials: Vec<Trial>,
}

/// One measurement of a row.
#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    /// From 0.
    pub round: usize,
    /// When in the round, from 0.
    pub place: usize,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl<T> Figures<T> {
    fn each(of: impl Fn(Metric) -> Option<T>) -> Self {
        Self {
            per_s: of(Metric::PerSecond),
            cpu_ns_per_request: of(Metric::Cpu),
            p50_ns: of(Metric::P50),
            p99_ns: of(Metric::P99),
            p999_ns: of(Metric::P999),
            lateness_p99_ns: of(Metric::Lateness),
        }
    }

    /// The value of one.
    pub const fn get(&self, metric: Metric) -> Option<&T> {
        match metric {
            Metric::PerSecond => self.per_s.as_ref(),
            Metric::Cpu => self.cpu_ns_per_request.as_ref(),
            Metric::P50 => self.p50_ns.as_ref(),
            Metric::P99 => self.p99_ns.as_ref(),
            Metric::P999 => self.p999_ns.as_ref(),
            Metric::Lateness => self.lateness_p99_ns.as_ref(),
        }
    }
}

impl Measured {
    fn get(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::PerSecond => Some(self.per_s),
            Metric::Cpu => Some((self.user_ns + self.system_ns) as f64 / self.completed as f64),
            Metric::P50 => self.p50_ns,
            Metric::P99 => self.p99_ns,
            Metric::P999 => self.p999_ns,
            Metric::Lateness => self.lateness_p99_ns,
        }
    }
}

/// The rows of one load, in the order of `found`.
pub fn rows(load: Load, found: &[Found], runs: &[Run], seed: u64) -> Vec<Row> {
    let of_load: Vec<&Run> = runs.iter().filter(|run| run.cell.load == load).collect();
    let of = |place: usize| -> Vec<&Run> {
        let of_generator = of_load.iter().filter(|run| run.cell.generator == place);
        of_generator.copied().collect()
    };
    let own = found
        .iter()
        .position(|found| found.generator.name == OURS)
        .map(of)
        .unwrap_or_default();
    found
        .iter()
        .enumerate()
        .filter(|(_, found)| found.generator.makes(load))
        .map(|(place, found)| row(load, found, &of(place), &own, seed))
        .collect()
}

fn row(load: Load, found: &Found, runs: &[&Run], own: &[&Run], seed: u64) -> Row {
    let medians = Figures::each(|metric| median(by_round(runs, metric).into_values().collect()));
    let own_over_it = Figures::each(|metric| {
        if found.generator.name == OURS {
            return None;
        }
        paired(&by_round(runs, metric), &by_round(own, metric), seed)
    });
    let mut remarks: Vec<String> = found.path.as_ref().err().into_iter().cloned().collect();
    remarks.extend(failures(runs));
    remarks.extend(shortfall(load, &medians).map(|short| {
        let has_quantiles = medians.get(Metric::P50).is_some();
        let backlog = ": its quantiles tell of the backlog";
        short + if has_quantiles { backlog } else { "" }
    }));
    remarks.extend(doubts(runs));
    Row {
        generator: found.generator.name,
        command: runs.first().map(|run| run.command.clone()),
        medians,
        own_over_it,
        remarks,
        trials: runs
            .iter()
            .map(|run| Trial {
                round: run.round,
                place: run.place,
                outcome: run.outcome.clone(),
            })
            .collect(),
    }
}

fn measured<'r>(runs: &'r [&Run]) -> impl Iterator<Item = (usize, &'r Measured)> {
    runs.iter().filter_map(|run| match &run.outcome {
        Outcome::Measured(measured) => Some((run.round, measured)),
        Outcome::Failed { .. } => None,
    })
}

fn by_round(runs: &[&Run], metric: Metric) -> BTreeMap<usize, f64> {
    measured(runs)
        .filter_map(|(round, measured)| Some((round, measured.get(metric)?)))
        .collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        even if even.is_multiple_of(2) => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

/// Ours over theirs, from the rounds that have both. A quantile of 0 has no ratio.
fn paired(
    theirs: &BTreeMap<usize, f64>,
    ours: &BTreeMap<usize, f64>,
    seed: u64,
) -> Option<Estimate> {
    let (theirs, ours): (Vec<f64>, Vec<f64>) = theirs
        .iter()
        .filter_map(|(round, &theirs)| Some((theirs, *ours.get(round)?)))
        .unzip();
    let ratio = PairedRatio::new(&theirs, &ours).ok()?;
    Some(ratio.estimate(seed))
}

fn failures(runs: &[&Run]) -> Option<String> {
    let reasons: Vec<&str> = runs
        .iter()
        .filter_map(|run| match &run.outcome {
            Outcome::Failed { reason } => Some(reason.as_str()),
            Outcome::Measured(_) => None,
        })
        .collect();
    let last = reasons.last()?;
    Some(format!(
        "failed in {} of {} rounds: {last}",
        reasons.len(),
        runs.len()
    ))
}

/// The share of an open loop's rate that was reached, in per cent, where it was not reached.
pub fn shortfall(load: Load, medians: &Figures<f64>) -> Option<String> {
    let Load::Open { rate_per_s } = load else {
        return None;
    };
    let reached = medians.get(Metric::PerSecond)? / f64::from(rate_per_s);
    (reached < REACHED_AT_LEAST).then(|| format!("reached {:.1} % of the rate", reached * 100.0))
}

/// Each check that the generator's own measurement failed, with how often and what it found last.
fn doubts(runs: &[&Run]) -> Vec<String> {
    let mut by_check: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for (_, measured) in measured(runs) {
        for doubt in &measured.doubts {
            let (times, sentence) = by_check.entry(&doubt.check).or_default();
            *times += 1;
            *sentence = &doubt.sentence;
        }
    }
    by_check
        .into_iter()
        .map(|(check, (times, sentence))| {
            let sentence = sentence.trim_end_matches('.');
            format!(
                "its check {check} failed in {times} of {} rounds: {sentence}",
                runs.len()
            )
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        generators::{Doubt, tests::all_found},
        rounds::Cell,
    };

    /// A run of the generator at `place` that completed `per_s` requests for 10 µs of CPU time each.
    pub(crate) fn run(load: Load, place: usize, round: usize, per_s: u32, p99_ns: f64) -> Run {
        let open = load != Load::Closed;
        Run {
            cell: Cell {
                load,
                generator: place,
            },
            round,
            place,
            command: vec!["generator".to_owned()],
            outcome: Outcome::Measured(Measured {
                completed: u64::from(per_s),
                per_s: f64::from(per_s),
                user_ns: u64::from(per_s) * 4_000,
                system_ns: u64::from(per_s) * 6_000,
                p50_ns: open.then_some(p99_ns / 2.0),
                p99_ns: open.then_some(p99_ns),
                p999_ns: open.then_some(p99_ns * 2.0),
                lateness_p99_ns: (open && place == 0).then_some(1000.0),
                doubts: Vec::new(),
            }),
        }
    }

    pub(crate) fn failed(load: Load, place: usize, round: usize) -> Run {
        Run {
            outcome: Outcome::Failed {
                reason: "it broke".to_owned(),
            },
            ..run(load, place, round, 1, 1.0)
        }
    }

    #[test]
    fn medians_of_even_and_odd_numbers_of_rounds_are_known() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
    }

    #[test]
    fn ratios_pair_only_rounds_in_which_both_were_measured() {
        let ours = BTreeMap::from([(0, 1.0), (1, 2.0), (3, 8.0)]);
        let theirs = BTreeMap::from([(0, 2.0), (2, 100.0), (3, 4.0)]);
        let ratio = paired(&theirs, &ours, 1).unwrap();
        assert!((ratio.point - 1.0).abs() < 1e-12, "{ratio:?}");
    }

    #[test]
    fn a_generator_that_fails_sometimes_is_summed_up_from_the_other_rounds() {
        let found = all_found();
        let runs = [
            run(Load::Closed, 0, 0, 50, 1.0),
            run(Load::Closed, 1, 0, 100, 1.0),
            failed(Load::Closed, 1, 1),
            run(Load::Closed, 0, 1, 50, 1.0),
        ];
        let rows = rows(Load::Closed, &found, &runs, 1);
        assert_eq!(rows[1].medians.get(Metric::PerSecond), Some(&100.0));
        assert_eq!(rows[1].remarks, ["failed in 1 of 2 rounds: it broke"]);
        let ratio = rows[1].own_over_it.get(Metric::PerSecond).unwrap();
        assert!((ratio.point - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_rate_that_was_not_reached_is_remarked() {
        let open = Load::Open { rate_per_s: 100 };
        let rows = rows(open, &all_found(), &[run(open, 0, 0, 50, 1.0)], 1);
        assert!(
            rows[0].remarks[0].contains("50.0 %"),
            "{:?}",
            rows[0].remarks
        );
    }

    #[test]
    fn doubts_are_told_once_for_each_check() {
        let mut runs = [0, 1, 2].map(|round| run(Load::Closed, 0, round, 50, 1.0));
        for run in &mut runs[1..] {
            if let Outcome::Measured(measured) = &mut run.outcome {
                measured.doubts = vec![Doubt {
                    check: "busy".to_owned(),
                    sentence: "The generator was busy.".to_owned(),
                }];
            }
        }
        let runs: Vec<&Run> = runs.iter().collect();
        assert_eq!(
            doubts(&runs),
            ["its check busy failed in 2 of 3 rounds: The generator was busy"]
        );
    }
}
