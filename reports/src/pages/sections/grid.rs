//! The model grid: a matrix, and the figures and verdicts behind it.

mod rows;
mod tables;

use std::collections::BTreeSet;

use schema::{Grid, GridRow, Metric, Reuse, Verdicts};

pub(in crate::pages) use self::rows::told;
use super::{Part, Section, joined};
use crate::{
    Run,
    charts::{Matrix, letter, matrix},
    figures::capital,
    groups::lifetime,
    pages::chance_note,
};

const ABOUT: &str = "A cell is a server of this project: workers that are processes or threads, that block or run an event loop, and that get their connections in one of seven ways. One line holds everything equal but the worker, so it is the answer to the question; one column holds everything equal but the policy, so it is the price of the policy.";

const HOW_TO_READ: &str = "A blocking worker serves one connection at a time, so with connections kept alive there are as many of them as workers, and blocking and evented lines are not to be set beside each other there. Context switches are those that the kernel still knows: where each connection has a worker of its own they are left out (–), as it forgets those of threads that have ended.";

/// Nothing where the run did not ask.
pub(super) fn grid(run: &Run, verdicts: &Verdicts) -> Option<Section> {
    let grid = verdicts.grid.as_ref()?;
    let mut parts = vec![
        Part::Text(ABOUT.to_owned()),
        Part::Aside(HOW_TO_READ.to_owned()),
    ];
    let mut told: Vec<String> = Vec::new();
    for reuse in [Reuse::KeepAlive, Reuse::NewConnection] {
        let Some(drawn) = Matrix::new(run, verdicts, reuse) else {
            continue;
        };
        parts.push(Part::Chart(matrix(&drawn)));
        if drawn.notes == told {
            parts.push(Part::Aside(
                "Letters stand for the reasons above.".to_owned(),
            ));
        } else {
            parts.push(Part::List(notes(&drawn)));
        }
        parts.extend(of_lifetime(run, verdicts, grid, &drawn));
        told = drawn.notes;
    }
    parts.extend(chance_note(verdicts_in(grid)).map(Part::Aside));
    Some(Section {
        id: "grid",
        title: "The grid: every way to serve, with processes and with threads",
        parts,
    })
}

/// Why cells have no figures.
fn notes(drawn: &Matrix<'_>) -> Vec<String> {
    let letters = (0..).map(letter).zip(&drawn.notes);
    letters
        .map(|(letter, why)| format!("({letter}) {}.", why.trim_end_matches('.')))
        .collect()
}

fn of_lifetime(run: &Run, verdicts: &Verdicts, grid: &Grid, drawn: &Matrix<'_>) -> Vec<Part> {
    let reuse = drawn.reuse;
    let rows: Vec<&GridRow> = grid.rows.iter().filter(|row| row.reuse == reuse).collect();
    let life = capital(lifetime(reuse));
    let mut parts = vec![
        Part::Heading(format!("{life}: processes over threads")),
        Part::Text(joined(
            &std::iter::once(told(&rows))
                .chain(rows::furthest(&rows))
                .collect::<Vec<_>>(),
        )),
    ];
    if rows
        .iter()
        .any(|row| row.judged_by == Metric::CpuPerRequest)
    {
        parts.push(Part::Aside(rows::WHY_BY_CPU.to_owned()));
    }
    parts.extend([
        Part::Table(rows::table(&rows)),
        Part::Heading(format!("{life}: what an accept policy costs")),
        Part::Aside("CPU time per request over that of a shared listener with the same workers, block by block; what is worse costs more.".to_owned()),
        Part::Table(tables::policies(grid, reuse)),
    ]);
    if grid
        .references
        .iter()
        .any(|reference| reference.reuse == reuse)
    {
        parts.push(Part::Folded(
            format!("{life}: beside the floor and beside others"),
            vec![
                Part::Aside("The floor is an event loop by hand with its answer ready made, and one worker: how little CPU time a request can take. It serves nothing else, so it is in no verdict. Verdicts are on the server of this project.".to_owned()),
                Part::Table(tables::references(run, grid, reuse)),
            ],
        ));
    }
    parts.push(Part::Folded(
        format!("{life}: all figures"),
        vec![
            Part::Aside(with_room(verdicts)),
            Part::Table(tables::figures(run, verdicts, reuse)),
        ],
    ));
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

/// Comparisons of the grid that end in a verdict.
fn verdicts_in(grid: &Grid) -> usize {
    let rows = grid.rows.iter();
    let of_rows = rows.map(|row| [&row.throughput, &row.cpu].into_iter().flatten().count());
    let guests = grid.references.iter().map(|row| 2 * row.guests.len());
    of_rows.sum::<usize>() + guests.sum::<usize>() + grid.policies.len()
}
