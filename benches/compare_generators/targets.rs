//! What this project's own generator sets out to reach, and whether it did. Told, never enforced:
//! figures depend on the machine.

use std::fmt::Write;

use schema::Estimate;
use serde::Serialize;

use crate::{
    generators::OURS,
    number,
    offered::Load,
    record::Part,
    summary::{self, Metric, Row},
};

/// Most CPU time per request in the closed loop, as a share of a peer's.
const MOST_CPU_OF: [(&str, f64); 2] = [("wrk", 0.72), ("oha", 0.45)];
/// Where the generator's own lateness has to stay small, and how small.
const LATENESS: (u32, f64) = (100_000, 50_000.0);
/// Where CPU time per request has to stay small, and how small.
const CPU: (u32, f64) = (20_000, 20_000.0);

/// One target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// What is to be reached.
    pub sentence: String,
    /// Whether it is; unknown where the figures are missing.
    pub met: Option<bool>,
    /// The figure, or why there is none.
    pub figure: String,
}

/// All targets, held against what was measured.
pub fn judge(parts: &[Part]) -> Vec<Target> {
    let mut targets: Vec<Target> = MOST_CPU_OF
        .iter()
        .map(|&(peer, most)| closed_cpu(parts, peer, most))
        .collect();
    for part in parts.iter().filter(|part| part.load != Load::Closed) {
        for (metric, name) in [(Metric::P50, "p50"), (Metric::P99, "p99")] {
            targets.push(no_higher_than_best(part, metric, name));
        }
    }
    let (rate, most) = LATENESS;
    targets.push(below(parts, rate, Metric::Lateness, "lateness p99", most));
    let (rate, most) = CPU;
    targets.push(below(parts, rate, Metric::Cpu, "CPU per request", most));
    targets
}

fn closed_cpu(parts: &[Part], peer: &str, most: f64) -> Target {
    let sentence = format!("CPU per request in the closed loop at most {most} of {peer}'s");
    let ratio = rows(parts, Load::Closed)
        .iter()
        .find(|row| row.generator == peer)
        .and_then(|row| row.own_over_it.get(Metric::Cpu));
    at_most(sentence, ratio, most)
}

fn no_higher_than_best(part: &Part, metric: Metric, name: &str) -> Target {
    let value = |row: &&Row| row.medians.get(metric).copied().unwrap_or(f64::INFINITY);
    let best = part
        .rows
        .iter()
        .filter(|row| row.generator != OURS && row.medians.get(metric).is_some())
        .min_by(|a, b| value(a).total_cmp(&value(b)));
    let whose = best.map_or_else(
        || "the best peer's".to_owned(),
        |row| format!("{}'s, the best peer's", row.generator),
    );
    let mut target = at_most(
        format!("{name} in the {} no higher than {whose}", part.load),
        best.and_then(|row| row.own_over_it.get(metric)),
        1.0,
    );
    if let Some(row) = best
        && let Some(short) = summary::shortfall(part.load, &row.medians)
    {
        // Lower than the backlog of a peer that could not keep up is no great thing.
        let _ = write!(target.figure, ", but {} {short}", row.generator);
    }
    target
}

fn at_most(sentence: String, ratio: Option<&Estimate>, most: f64) -> Target {
    Target {
        sentence,
        met: ratio.map(|ratio| ratio.point <= most),
        figure: ratio.map_or_else(not_measured, number::ratio),
    }
}

fn below(parts: &[Part], rate_per_s: u32, metric: Metric, name: &str, most_ns: f64) -> Target {
    let load = Load::Open { rate_per_s };
    let value = rows(parts, load)
        .iter()
        .find(|row| row.generator == OURS)
        .and_then(|row| row.medians.get(metric));
    Target {
        sentence: format!("{name} in the {load} below {}", number::time(most_ns)),
        met: value.map(|&value| value < most_ns),
        figure: value.map_or_else(not_measured, |&value| number::time(value)),
    }
}

fn rows(parts: &[Part], load: Load) -> &[Row] {
    parts
        .iter()
        .find(|part| part.load == load)
        .map_or(&[], |part| &part.rows)
}

fn not_measured() -> String {
    "not measured".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{generators::tests::all_found, rounds::Run, summary::tests::run};

    const OURS_AT: usize = 0;
    const OHA_AT: usize = 5;

    fn part(load: Load, runs: &[Run]) -> Part {
        Part {
            load,
            rows: summary::rows(load, &all_found(), runs, 1),
        }
    }

    fn met(targets: &[Target], of: &str) -> Option<bool> {
        let target = targets.iter().find(|target| target.sentence.contains(of));
        target.unwrap_or_else(|| panic!("{of} is no target")).met
    }

    #[test]
    fn targets_are_met_or_not_by_their_figures() {
        let open = Load::Open {
            rate_per_s: 100_000,
        };
        let parts = [
            part(
                Load::Closed,
                &[
                    run(Load::Closed, OURS_AT, 0, 100, 1.0),
                    run(Load::Closed, OHA_AT, 0, 100, 1.0),
                ],
            ),
            part(
                open,
                &[
                    run(open, OURS_AT, 0, 100_000, 30_000.0),
                    run(open, OHA_AT, 0, 100_000, 60_000.0),
                ],
            ),
        ];
        let targets = judge(&parts);
        assert_eq!(met(&targets, "0.72 of wrk's"), None);
        assert_eq!(met(&targets, "0.45 of oha's"), Some(false));
        assert_eq!(met(&targets, "p99 in the open loop, 100,000"), Some(true));
        assert_eq!(met(&targets, "lateness p99"), Some(true));
        assert_eq!(met(&targets, "20,000 requests/s below"), None);
    }

    #[test]
    fn a_best_peer_that_could_not_keep_up_is_named_so() {
        let open = Load::Open { rate_per_s: 1000 };
        let runs = [
            run(open, OURS_AT, 0, 1000, 1.0),
            run(open, OHA_AT, 0, 500, 9.0),
        ];
        let target = no_higher_than_best(&part(open, &runs), Metric::P50, "p50");
        assert_eq!(target.met, Some(true));
        assert!(
            target
                .figure
                .ends_with("but oha reached 50.0 % of the rate"),
            "{target:?}"
        );
    }
}
