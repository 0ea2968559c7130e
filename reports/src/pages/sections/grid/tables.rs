//! Tables of the grid: what policies cost, what stands beside it, all figures.

use schema::{Comparison, Estimate, Estimates, Grid, Origin, Reuse, Style, Verdicts, Worker};

use crate::{
    Run,
    figures::{
        at_least, interval, mebibytes, micros, millis, rate, ratio, ratio_interval, significant,
    },
    groups::{experiment, server},
    judge::name_of,
    pages::{
        badge,
        sections::{Head, Table, with_interval},
    },
};

const HEADS: &[Head] = &[
    Head::Words("Server"),
    Head::Number("Requests per second"),
    Head::Number("CPU per request, µs"),
    Head::Number("user + kernel, µs"),
    Head::Number("Switches per request"),
    Head::Number("p50 with room, ms"),
    Head::Number("p99 with room, ms"),
    Head::Number("PSS, MiB"),
];

const POLICY_HEADS: &[Head] = &[
    Head::Words("Policy over shared"),
    Head::Number("Processes, blocking"),
    Head::Number("Processes, evented"),
    Head::Number("Threads, blocking"),
    Head::Number("Threads, evented"),
];

const REFERENCE_HEADS: &[Head] = &[
    Head::Words("Evented server"),
    Head::Number("CPU, times the floor"),
    Head::Number("Throughput over nginx"),
    Head::Number("CPU over nginx"),
    Head::Number("Throughput over Node's cluster"),
    Head::Number("CPU over Node's cluster"),
];

/// A ratio with its verdict, and its interval behind.
pub(super) fn judged(comparison: &Comparison) -> String {
    let (sign, word) = badge(comparison.verdict);
    let figure = format!("{} {sign} {word}", ratio(&comparison.ratio));
    match ratio_interval(&comparison.ratio) {
        Some(interval) => format!("{figure} ({interval})"),
        None => figure,
    }
}

pub(super) fn or_dash(comparison: Option<&Comparison>) -> String {
    comparison.map_or_else(|| "–".to_owned(), judged)
}

pub(super) fn policies(grid: &Grid, reuse: Reuse) -> Table {
    let of_life = || grid.policies.iter().filter(|cost| cost.reuse == reuse);
    let mut names: Vec<&str> = Vec::new();
    for cost in of_life() {
        if !names.contains(&cost.policy.as_str()) {
            names.push(&cost.policy);
        }
    }
    let columns = [
        (Worker::Process, Style::Blocking),
        (Worker::Process, Style::Evented),
        (Worker::Thread, Style::Blocking),
        (Worker::Thread, Style::Evented),
    ];
    let row = |name: &str| {
        let costs = columns.map(|(worker, style)| {
            let mut costs = of_life();
            let is_it = |cost: &&schema::PolicyCost| {
                (cost.worker, cost.style, cost.policy.as_str()) == (worker, style, name)
            };
            or_dash(costs.find(is_it).map(|cost| &cost.cpu))
        });
        std::iter::once(name.to_owned()).chain(costs).collect()
    };
    Table {
        heads: POLICY_HEADS,
        rows: names.into_iter().map(row).collect(),
    }
}

pub(super) fn references(run: &Run, grid: &Grid, reuse: Reuse) -> Table {
    let of_life = grid.references.iter().filter(|row| row.reuse == reuse);
    let rows = of_life.map(|reference| {
        let name = run.cell(&reference.cell).map(|cell| cell.server.clone());
        let floor = reference.times_the_floor.as_ref();
        let mut row = vec![
            name.unwrap_or_else(|| reference.cell.clone()),
            floor.map_or_else(|| "–".to_owned(), with_interval),
        ];
        for guest in [server::NGINX_SHARED, server::NODE_CLUSTER] {
            let beside = reference.guests.iter().find(|beside| beside.guest == guest);
            row.push(or_dash(beside.map(|beside| &beside.throughput)));
            row.push(or_dash(beside.map(|beside| &beside.cpu)));
        }
        row
    });
    Table {
        heads: REFERENCE_HEADS,
        rows: rows.collect(),
    }
}

pub(super) fn figures(run: &Run, verdicts: &Verdicts, reuse: Reuse) -> Table {
    let cells = run.plan.cells.iter();
    let rows = cells
        .filter(|cell| cell.experiment == experiment::GRID && cell.reuse == reuse)
        .filter_map(|cell| {
            let row = verdicts.estimates.iter().find(|row| row.cell == cell.id)?;
            let known = cell.model.known().ok().map(|known| known.from);
            // Variants, the floor and guests are not what programs are known to be.
            let own = cell.origin == Origin::Own && cell.server == name_of(cell.model);
            let known = known.filter(|from| own && !from.is_empty());
            let mut shown = vec![match known {
                Some(from) => format!("{} ({from})", cell.server),
                None => cell.server.clone(),
            }];
            shown.extend(numbers(row));
            Some(shown)
        });
    Table {
        heads: HEADS,
        rows: rows.collect(),
    }
}

fn numbers(row: &Estimates) -> [String; 7] {
    let none = || "–".to_owned();
    let share = row.at_share.as_ref();
    let latency = |figure: Option<&Estimate>| figure.map_or_else(none, |p| with(p, millis));
    [
        at_least(with(&row.throughput_per_s, rate), row.throughput_at_least),
        with(&row.cpu_ns_per_request, micros),
        format!(
            "{} + {}",
            micros(row.user_ns_per_request.point),
            micros(row.system_ns_per_request.point)
        ),
        row.switches_per_request
            .as_ref()
            .map_or_else(none, |switches| significant(switches.point, 2)),
        latency(share.map(|share| &share.p50_ns)),
        latency(share.map(|share| &share.p99_ns)),
        row.pss_bytes
            .as_ref()
            .map_or_else(none, |size| with(size, mebibytes)),
    ]
}

fn with(estimate: &Estimate, show: fn(f64) -> String) -> String {
    let point = show(estimate.point);
    match interval(estimate, show) {
        Some(interval) => format!("{point} ({interval})"),
        None => point,
    }
}
