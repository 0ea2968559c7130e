//! The model grid as a matrix: a row for each style and accept policy, processes left, threads right,
//! and their ratio with its verdict between; below them what is no cell of the grid.
//!
//! A matrix has one main figure: requests per second, or, where the load generator was the limit of
//! most rows, CPU time per request. A cell's colour is the stronger the better its main figure is; one without
//! figures is hatched and names its reason by a letter.

mod drawing;

use schema::{
    Cell, Comparison, Estimates, GridRow, Metric, Origin, Reuse, Standing, Verdicts, Worker,
};

use self::drawing::Drawing;
use super::{Chart, alone};
use crate::{
    Run,
    figures::{at_least, micros, rate, ratio},
    groups::{experiment, server},
    judge::absence,
    pages::badge,
};

const LAYOUT: &str = "Each line is one way to hand connections to workers, all else equal: left with processes, right with threads, and between them the ratio of the two with the verdict on processes (✓ better, ✕ worse, = equivalent, ? undecided).";

const BY_THROUGHPUT: &str = "The stronger a cell's colour, the more it serves.";

const BY_CPU: &str = "Here the load generator was the limit of most lines, as a new connection costs the client as much as the server: their servers can serve at least what is shown, and what tells them apart is the CPU time that a request takes. The stronger a cell's colour, the less it takes.";

const REST: &str = "A hatched cell has no figures, for the reason that its letter stands for.";

/// What is drawn for connections that live so long.
pub(crate) struct Matrix<'a> {
    pub(crate) reuse: Reuse,
    /// The figure that stands first in every cell.
    pub(crate) main: Metric,
    rows: Vec<&'a GridRow>,
    estimates: &'a [Estimates],
    /// What stands below the rows, to hold them against.
    beside: Vec<Beside<'a>>,
    /// Why cells have no figures, by letter.
    pub(crate) notes: Vec<String>,
}

/// A server that is no cell of the grid.
struct Beside<'a> {
    name: String,
    /// Of what its workers are; `None` for the floor, which is a limit for both.
    worker: Option<Worker>,
    figures: &'a Estimates,
}

impl<'a> Matrix<'a> {
    pub(crate) fn new(run: &Run, verdicts: &'a Verdicts, reuse: Reuse) -> Option<Self> {
        let rows: Vec<&GridRow> = verdicts
            .grid
            .iter()
            .flat_map(|grid| &grid.rows)
            .filter(|row| row.reuse == reuse)
            .collect();
        let mut notes: Vec<String> = Vec::new();
        for why in rows.iter().flat_map(|row| sides(row)).filter_map(absence) {
            if !notes.contains(&why) {
                notes.push(why);
            }
        }
        let by_cpu = |row: &&GridRow| row.judged_by == Metric::CpuPerRequest;
        let main = if rows.iter().all(by_cpu) {
            Metric::CpuPerRequest
        } else {
            Metric::Throughput
        };
        (!rows.is_empty()).then(|| Self {
            reuse,
            main,
            rows,
            estimates: &verdicts.estimates,
            beside: beside(run, verdicts, reuse),
            notes,
        })
    }

    fn figures(&self, standing: &Standing) -> Option<&'a Estimates> {
        let Standing::Measured { cell } = standing else {
            return None;
        };
        self.estimates.iter().find(|row| row.cell == *cell)
    }

    fn letter(&self, standing: &Standing) -> char {
        let why = absence(standing);
        let place = self
            .notes
            .iter()
            .position(|note| Some(note) == why.as_ref());
        letter(place.unwrap_or(0))
    }

    /// How good a cell's main figure is: more is better.
    fn goodness(&self, figures: &Estimates) -> f64 {
        match self.main {
            Metric::CpuPerRequest => 1.0 / figures.cpu_ns_per_request.point.max(f64::MIN_POSITIVE),
            Metric::Throughput | Metric::P99 => figures.throughput_per_s.point,
        }
    }

    fn best(&self) -> f64 {
        let cells = self.rows.iter().flat_map(|row| sides(row));
        cells
            .filter_map(|standing| Some(self.goodness(self.figures(standing)?)))
            .fold(f64::MIN_POSITIVE, f64::max)
    }

    /// What stands between the cells: the comparison that decides, and below it the other one.
    fn between(row: &GridRow, narrow: bool) -> Option<[String; 2]> {
        let (throughput, cpu) = (row.throughput.as_ref()?, row.cpu.as_ref()?);
        let cost = with_verdict("CPU ", cpu, narrow);
        Some(match row.judged_by {
            Metric::CpuPerRequest => {
                let why = if narrow { "by CPU" } else { "judged by CPU" };
                [cost, why.to_owned()]
            }
            Metric::Throughput | Metric::P99 => [with_verdict("", throughput, narrow), cost],
        })
    }
}

/// A ratio with its verdict's sign, and where there is room its word.
fn with_verdict(what: &str, comparison: &Comparison, narrow: bool) -> String {
    let (sign, word) = badge(comparison.verdict);
    let figure = ratio(&comparison.ratio);
    if narrow {
        format!("{what}{figure} {sign}")
    } else {
        format!("{what}{figure} {sign} {word}")
    }
}

/// The main figure of a cell and the other one.
fn in_cell(main: Metric, figures: &Estimates, narrow: bool) -> [String; 2] {
    let served = served(figures, narrow);
    let of_cpu = if narrow { "" } else { " of CPU each" };
    let cost = format!("{} µs{of_cpu}", micros(figures.cpu_ns_per_request.point));
    match main {
        Metric::CpuPerRequest => [cost, served],
        Metric::Throughput | Metric::P99 => [served, cost],
    }
}

/// Requests per second, as a lower bound where that is what they are.
fn served(figures: &Estimates, narrow: bool) -> String {
    let per_s = format!("{}/s", rate(figures.throughput_per_s.point));
    match (figures.throughput_at_least, narrow) {
        (true, true) => format!("≥ {per_s}"),
        (is_bound, _) => at_least(per_s, is_bound),
    }
}

/// The letter of a note.
pub(crate) fn letter(place: usize) -> char {
    ('a'..='z').nth(place).unwrap_or('*')
}

const fn sides(row: &GridRow) -> [&Standing; 2] {
    [&row.process, &row.thread]
}

/// The floor, then the guests.
fn beside<'a>(run: &Run, verdicts: &'a Verdicts, reuse: Reuse) -> Vec<Beside<'a>> {
    let is_floor = |cell: &Cell| cell.server == server::FLOOR;
    let cells = run.plan.cells.iter();
    let mut beside: Vec<Beside<'a>> = cells
        .filter(|cell| cell.experiment == experiment::GRID && cell.reuse == reuse)
        .filter(|cell| is_floor(cell) || cell.origin == Origin::Guest)
        .filter_map(|cell| {
            let figures = verdicts.estimates.iter().find(|row| row.cell == cell.id)?;
            Some(Beside {
                name: cell.server.clone(),
                worker: (!is_floor(cell)).then_some(cell.model.worker),
                figures,
            })
        })
        .collect();
    beside.sort_by_key(|beside| beside.worker.is_some());
    beside
}

/// The chart of one matrix.
pub(crate) fn matrix(matrix: &Matrix<'_>) -> Chart {
    let (name, title) = match matrix.reuse {
        Reuse::KeepAlive => ("grid-keep-alive", "The grid, connections kept alive"),
        Reuse::NewConnection => (
            "grid-new-connections",
            "The grid, a new connection for each request",
        ),
    };
    let shade = match matrix.main {
        Metric::CpuPerRequest => BY_CPU,
        Metric::Throughput | Metric::P99 => BY_THROUGHPUT,
    };
    let how_to_read = format!("{LAYOUT} {shade} {REST}");
    let values: Vec<String> = matrix.rows.iter().map(|row| in_brief(row)).collect();
    alone(name, title, &how_to_read, &values, |format| {
        Drawing::new(matrix, format).draw()
    })
}

/// A row for those who cannot see the drawing.
fn in_brief(row: &GridRow) -> String {
    let name = format!("{}/{}", row.style, row.accept);
    match Matrix::between(row, false) {
        Some([decides, _]) => format!("{name}: {decides}"),
        None => format!("{name}: not compared"),
    }
}
