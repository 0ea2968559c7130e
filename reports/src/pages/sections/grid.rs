//! The model grid: a matrix, and the figures and verdicts behind it.

use std::collections::BTreeSet;

use schema::{
    Comparison, Estimate, Estimates, Grid, GridRow, Origin, Reuse, Style, Verdict, Verdicts, Worker,
};

use super::{Head, Part, Section, Table, joined, with_interval};
use crate::{
    Run,
    charts::{Matrix, letter, matrix},
    figures::{
        capital, in_letters, interval, mebibytes, micros, millis, rate, ratio, ratio_interval,
        significant,
    },
    groups::{counted, experiment, lifetime, server},
    judge::name_of,
    pages::{badge, chance_note},
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

const ABOUT: &str = "A cell is a server of this project: workers that are processes or threads, that block or run an event loop, and that get their connections in one of seven ways. One line holds everything equal but the worker, so it is the answer to the question; one column holds everything equal but the policy, so it is the price of the policy.";

const HOW_TO_READ: &str = "A blocking worker serves one connection at a time, so with connections kept alive there are as many of them as workers, and blocking and evented lines are not to be set beside each other there. Context switches are those that the kernel still knows: where each connection has a worker of its own they are left out (–), as it forgets those of threads that have ended.";

/// Nothing where the run did not ask.
pub(super) fn grid(run: &Run, verdicts: &Verdicts) -> Option<Section> {
    let grid = verdicts.grid.as_ref()?;
    let mut parts = vec![
        Part::Text(ABOUT.to_owned()),
        Part::Aside(HOW_TO_READ.to_owned()),
    ];
    for reuse in [Reuse::KeepAlive, Reuse::NewConnection] {
        let Some(matrix) = Matrix::new(run, verdicts, reuse) else {
            continue;
        };
        parts.extend(of_lifetime(run, verdicts, grid, &matrix, reuse));
    }
    parts.extend(chance_note(verdicts_in(grid)).map(Part::Aside));
    Some(Section {
        id: "grid",
        title: "The grid: every way to serve, with processes and with threads",
        parts,
    })
}

fn of_lifetime(
    run: &Run,
    verdicts: &Verdicts,
    grid: &Grid,
    drawn: &Matrix<'_>,
    reuse: Reuse,
) -> Vec<Part> {
    let rows: Vec<&GridRow> = grid.rows.iter().filter(|row| row.reuse == reuse).collect();
    let life = capital(lifetime(reuse));
    let letters = (0..).map(letter).zip(&drawn.notes);
    let mut parts = vec![
        Part::Chart(matrix(drawn)),
        Part::List(letters.map(|(letter, why)| format!("({letter}) {}.", why.trim_end_matches('.'))).collect()),
        Part::Heading(format!("{life}: processes over threads")),
        Part::Text(tally(&rows)),
        Part::List(
            rows.iter()
                .filter(|row| row.throughput.is_some())
                .map(|row| row.sentence.clone())
                .collect(),
        ),
        Part::Heading(format!("{life}: what an accept policy costs")),
        Part::Aside("CPU time per request over that of a shared listener with the same workers, block by block; what is worse costs more.".to_owned()),
        Part::Table(policies(grid, reuse)),
    ];
    if grid
        .references
        .iter()
        .any(|reference| reference.reuse == reuse)
    {
        parts.extend([
            Part::Heading(format!("{life}: beside the floor and beside others")),
            Part::Aside("The floor is an event loop by hand with its answer ready made, and one worker: how little CPU time a request can take. It serves nothing else, so it is in no verdict. Verdicts are on the server of this project.".to_owned()),
            Part::Table(references(run, grid, reuse)),
        ]);
    }
    parts.extend([
        Part::Heading(format!("{life}: all figures")),
        Part::Aside(with_room(verdicts)),
        Part::Table(figures(run, verdicts, reuse)),
    ]);
    parts
}

/// What "with room" is.
fn with_room(verdicts: &Verdicts) -> String {
    let shares = verdicts
        .estimates
        .iter()
        .filter_map(|row| row.at_share.as_ref());
    let percents: BTreeSet<String> = shares.map(|share| share.percent.to_string()).collect();
    let percents: Vec<String> = percents.into_iter().collect();
    let mut sentences = vec!["Means over trials with their 95 % intervals.".to_owned()];
    if !percents.is_empty() {
        sentences.push(format!(
            "Latency with room is that of Poisson arrivals at {} % of the requests per second that the same launch had just served, counted from when each request was due.",
            percents.join(" or ")
        ));
    }
    joined(&sentences)
}

/// How many rows came out how.
pub(in crate::pages) fn tally(rows: &[&GridRow]) -> String {
    let compared = rows.iter().filter(|row| row.throughput.is_some()).count();
    if compared == 0 {
        return "No line has figures of both, so nothing is compared.".to_owned();
    }
    let throughput = rows.iter().filter_map(|row| row.throughput.as_ref());
    let cpu = rows.iter().filter_map(|row| row.cpu.as_ref());
    format!(
        "Of {} with figures of both, {}. In CPU time per request, {}.",
        counted(compared, "line"),
        tallied(throughput, "serve more"),
        tallied(cpu, "take less"),
    )
}

/// Outcomes that came about, as in `processes serve more in two and they are alike in nine`.
fn tallied<'g>(comparisons: impl Iterator<Item = &'g Comparison>, better: &str) -> String {
    let verdicts: Vec<Verdict> = comparisons.map(|comparison| comparison.verdict).collect();
    let outcomes = [
        (Verdict::Better, format!("processes {better} in")),
        (Verdict::Worse, format!("threads {better} in")),
        (Verdict::Equivalent, "they are alike in".to_owned()),
        (Verdict::Undecided, "it stays open in".to_owned()),
    ];
    let outcomes = outcomes.into_iter().filter_map(|(wanted, words)| {
        let count = verdicts
            .iter()
            .filter(|verdict| **verdict == wanted)
            .count();
        let count = u32::try_from(count).ok().filter(|count| *count > 0)?;
        Some(format!("{words} {}", in_letters(count)))
    });
    outcomes.collect::<Vec<_>>().join(", ")
}

/// A ratio with its verdict, and its interval behind.
fn judged(comparison: &Comparison) -> String {
    let (sign, word) = badge(comparison.verdict);
    let figure = format!("{} {sign} {word}", ratio(&comparison.ratio));
    match ratio_interval(&comparison.ratio) {
        Some(interval) => format!("{figure} ({interval})"),
        None => figure,
    }
}

fn or_dash(comparison: Option<&Comparison>) -> String {
    comparison.map_or_else(|| "–".to_owned(), judged)
}

fn policies(grid: &Grid, reuse: Reuse) -> Table {
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

fn references(run: &Run, grid: &Grid, reuse: Reuse) -> Table {
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

fn figures(run: &Run, verdicts: &Verdicts, reuse: Reuse) -> Table {
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
        with(&row.throughput_per_s, rate),
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

/// Comparisons of the grid that end in a verdict.
fn verdicts_in(grid: &Grid) -> usize {
    let rows = grid.rows.iter();
    let of_rows = rows.map(|row| [&row.throughput, &row.cpu].into_iter().flatten().count());
    let guests = grid.references.iter().map(|row| 2 * row.guests.len());
    of_rows.sum::<usize>() + guests.sum::<usize>() + grid.policies.len()
}
