//! The instrument's own error, or how to have it measured.

use schema::{Calibration, Metric, Verdicts};

use super::{Head, Part, Section, Table, joined};
use crate::{figures::small_percent, groups::counted, pages::provenance::time};

const HEADS: &[Head] = &[
    Head::Words("Slower by"),
    Head::Number("Found"),
    Head::Number("Power"),
    Head::Number("95 % interval"),
    Head::Number("Measuring time each"),
];

pub(in crate::pages) fn calibration(verdicts: &Verdicts) -> Section {
    let parts = verdicts.calibration.as_ref().map_or_else(
        || {
            vec![Part::Text(
                "How often this instrument finds a difference where there is none, and how small a one it finds, was not measured here: 'counters calibrate' does it.".to_owned(),
            )]
        },
        measured,
    );
    Section {
        id: "calibration",
        title: "How far to trust this instrument",
        parts,
    }
}

fn measured(calibration: &Calibration) -> Vec<Part> {
    let same = &calibration.same;
    let metric = match same.metric {
        Metric::Throughput => "throughput",
        Metric::CpuPerRequest => "CPU time per request",
        Metric::P99 => "p99 latency",
    };
    let (rate, low, high) = same.rate;
    let sentences = [
        format!(
            "A server was compared with itself in {metric}, {} of {} each ({}).",
            counted(same.comparisons as usize, "time"),
            counted(same.blocks as usize, "block"),
            calibration.setting
        ),
        format!(
            "{} of the intervals left out 1, a difference where there is none: {} false positives (95 % interval {} to {}; 5 % is what a 95 % interval promises).",
            same.different,
            small_percent(rate),
            small_percent(low),
            small_percent(high)
        ),
        format!(
            "{} called better or worse.",
            match same.verdicts {
                0 => "None was".to_owned(),
                1 => "One was".to_owned(),
                many => format!("{many} were"),
            }
        ),
        format!(
            "The noise floor is ±{}: half of the intervals were narrower. 95 % of the ratios lay within ±{} of 1.",
            small_percent(same.half_width),
            small_percent(same.spread)
        ),
    ];
    let rows = calibration.power.iter().map(|power| {
        let (rate, low, high) = power.rate;
        vec![
            small_percent(power.slowdown),
            format!("{} of {}", power.found, power.runs),
            small_percent(rate),
            format!("{} to {}", small_percent(low), small_percent(high)),
            format!("{:.0} s", power.seconds),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let mut parts = vec![Part::Text(joined(&sentences))];
    if !rows.is_empty() {
        parts.push(Part::Aside(
            "How often a server that was made slower by so much was found to be slower:".to_owned(),
        ));
        parts.push(Part::Table(Table { heads: HEADS, rows }));
    }
    parts.push(Part::Aside(format!(
        "Calibrated at {}, seed {}, on {}.",
        time(calibration.made_unix_ns),
        calibration.seed,
        calibration.machine.cpu_model
    )));
    parts
}
