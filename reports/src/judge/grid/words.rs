//! A row of the grid in a sentence.

use schema::Standing;

use crate::{
    figures::{percent, ratio},
    judge::{bottleneck::HeldBack, comparisons::Told, sentences::evidence, standing::absence},
};

/// Why CPU time per request decides a row.
#[derive(Clone, Copy)]
pub(super) enum ByCpu {
    /// The load generator was the limit of one of its cells.
    InThisRow(HeldBack),
    /// It was that of most rows with connections that live so long.
    InMostRows,
}

pub(super) fn by_throughput(name: &str, throughput: &Told, cpu: &Told) -> String {
    format!(
        "{name}: processes serve {} times what threads serve {}; a request takes {} times the CPU time {}.",
        ratio(&throughput.comparison.ratio),
        part(throughput),
        ratio(&cpu.comparison.ratio),
        part(cpu),
    )
}

pub(super) fn by_cpu(name: &str, cpu: &Told, why: ByCpu) -> String {
    let why = match why {
        ByCpu::InThisRow(limit) => format!(
            "the load generator was the limit (it used {} of its CPUs, the server {})",
            percent(limit.generator_share),
            percent(limit.server_share)
        ),
        ByCpu::InMostRows => {
            "the load generator was the limit of most rows of this matrix".to_owned()
        }
    };
    format!(
        "{name}: with processes a request takes {} times the CPU time that it takes with threads {}; judged by CPU time and not by throughput, as {why}.",
        ratio(&cpu.comparison.ratio),
        part(cpu),
    )
}

fn part(told: &Told) -> String {
    format!(
        "({}): {}",
        evidence(&told.comparison),
        told.outcome.as_str()
    )
}

pub(super) fn not_compared(name: &str, standings: &[Standing; 2]) -> String {
    let whys: Vec<String> = ["processes", "threads"]
        .into_iter()
        .zip(standings)
        .filter_map(|(who, standing)| Some((who, absence(standing)?)))
        .map(|(who, why)| format!("{who} {why}"))
        .collect();
    let why = match &standings {
        [
            Standing::Refused { reason: one },
            Standing::Refused { reason: other },
        ] if one == other => {
            format!("neither can be: {one}")
        }
        _ if whys.is_empty() => "no block measured both".to_owned(),
        _ => whys.join("; "),
    };
    format!("{name}: nothing to compare ({why}).")
}
