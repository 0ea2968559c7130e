//! The model grid as a matrix: a row for each style and accept policy, processes left, threads right,
//! and their ratio with its verdict between.
//!
//! A cell is the darker the more it serves, and says how much; one without figures is hatched and names
//! its reason by a letter.

use schema::{Comparison, Estimates, GridRow, Reuse, Standing, Verdicts, Worker};

use super::{
    Chart, alone,
    canvas::{Anchor, Canvas, Format, NORMAL, Point, SMALL, Stroke},
    palette::{Paint, Series},
};
use crate::{
    Run,
    figures::{micros, rate, ratio},
    groups::{experiment, in_words, server},
    judge::absence,
    pages::badge,
};

const HEAD: i32 = 34;
const STYLE: i32 = 26;
const CELL: i32 = 42;
const GAP: i32 = 4;
const LINE: i32 = 20;
const HATCH: i32 = 9;
/// How strong the weakest and the strongest cell are drawn: faint enough for text in both.
const FAINT: (f64, f64) = (0.08, 0.42);

const HOW_TO_READ: &str = "Each line is one way to hand connections to workers, all else equal: left with processes, right with threads, and between them how many times as much processes serve and how much CPU time a request takes of them, with the verdict on processes (✓ better, ✕ worse, = equivalent, ? undecided). The darker a cell, the more it serves; a hatched cell has no figures, for the reason that its letter stands for.";

/// What is drawn for connections that live so long.
pub(crate) struct Matrix<'a> {
    reuse: Reuse,
    rows: Vec<&'a GridRow>,
    estimates: &'a [Estimates],
    /// What stands below the rows, to hold them against.
    beside: Vec<String>,
    /// Why cells have no figures, by letter.
    pub(crate) notes: Vec<String>,
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
        (!rows.is_empty()).then(|| Self {
            reuse,
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

    fn greatest(&self) -> f64 {
        let cells = self.rows.iter().flat_map(|row| sides(row));
        cells
            .filter_map(|standing| Some(self.figures(standing)?.throughput_per_s.point))
            .fold(f64::MIN_POSITIVE, f64::max)
    }
}

/// The letter of a note.
pub(crate) fn letter(place: usize) -> char {
    ('a'..='z').nth(place).unwrap_or('*')
}

const fn sides(row: &GridRow) -> [&Standing; 2] {
    [&row.process, &row.thread]
}

/// The floor and the guests, which are no cells of the grid.
fn beside(run: &Run, verdicts: &Verdicts, reuse: Reuse) -> Vec<String> {
    let cells = run.plan.cells.iter();
    cells
        .filter(|cell| cell.experiment == experiment::GRID && cell.reuse == reuse)
        .filter(|cell| cell.server == server::FLOOR || cell.origin == schema::Origin::Guest)
        .filter_map(|cell| {
            let figures = verdicts.estimates.iter().find(|row| row.cell == cell.id)?;
            let name = if cell.server == server::FLOOR {
                "floor (the limit, not judged)".to_owned()
            } else {
                in_words(cell)
            };
            Some(format!("{name}: {}", in_brief(figures)))
        })
        .collect()
}

fn in_brief(figures: &Estimates) -> String {
    format!(
        "{}/s, {} µs",
        rate(figures.throughput_per_s.point),
        micros(figures.cpu_ns_per_request.point)
    )
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
    let sentences: Vec<String> = matrix
        .rows
        .iter()
        .map(|row| row.sentence.trim_end_matches('.').to_owned())
        .collect();
    alone(name, title, HOW_TO_READ, &sentences, |format| {
        Drawing::new(matrix, format).draw()
    })
}

/// Left and right end of the columns.
struct Columns {
    process: (i32, i32),
    between: (i32, i32),
    thread: (i32, i32),
}

impl Columns {
    const fn of(format: Format) -> Self {
        if format.is_narrow() {
            Self {
                process: (4, 126),
                between: (128, 224),
                thread: (226, 348),
            }
        } else {
            Self {
                process: (134, 348),
                between: (352, 538),
                thread: (542, 756),
            }
        }
    }
}

struct Drawing<'m, 'a> {
    matrix: &'m Matrix<'a>,
    canvas: Canvas,
    format: Format,
    columns: Columns,
    greatest: f64,
}

impl<'m, 'a> Drawing<'m, 'a> {
    fn new(matrix: &'m Matrix<'a>, format: Format) -> Self {
        let count = |n: usize| i32::try_from(n).unwrap_or(0);
        let styles = matrix.rows.chunk_by(|a, b| a.style == b.style).count();
        let height = HEAD
            + count(styles) * STYLE
            + count(matrix.rows.len()) * row_height(format)
            + count(matrix.beside.len()) * LINE
            + 26;
        Self {
            matrix,
            canvas: Canvas::new(format, height),
            format,
            columns: Columns::of(format),
            greatest: matrix.greatest(),
        }
    }

    fn draw(mut self) -> Canvas {
        self.heads();
        let mut y = HEAD;
        for rows in self.matrix.rows.chunk_by(|a, b| a.style == b.style) {
            let style = rows[0].style.name();
            self.canvas
                .strong((4, y + STYLE / 2), Anchor::Start, Paint::Ink, style);
            y += STYLE;
            for row in rows {
                self.row(row, y);
                y += row_height(self.format);
            }
        }
        y += 8;
        self.canvas.line(
            &[(4, y), (self.format.width() - 4, y)],
            Stroke::new(Paint::Grid, 1),
        );
        for text in &self.matrix.beside {
            y += LINE;
            self.canvas
                .text((4, y - 4), Anchor::Start, SMALL, Paint::Muted, text);
        }
        self.canvas
    }

    fn heads(&mut self) {
        let sides = [
            (self.columns.process, Worker::Process, "processes"),
            (self.columns.thread, Worker::Thread, "threads"),
        ];
        for ((left, _), worker, name) in sides {
            self.canvas
                .marker((left + 8, HEAD / 2), Series::of_worker(worker));
            self.canvas
                .strong((left + 22, HEAD / 2), Anchor::Start, Paint::Ink, name);
        }
        let (left, right) = self.columns.between;
        let middle = (i32::midpoint(left, right), HEAD / 2);
        let name = if self.format.is_narrow() {
            "over threads"
        } else {
            "processes over threads"
        };
        self.canvas
            .text(middle, Anchor::Middle, SMALL, Paint::Muted, name);
    }

    fn row(&mut self, row: &GridRow, top: i32) {
        let (label, cells) = if self.format.is_narrow() {
            ((4, top + 9), top + 18)
        } else {
            ((4, top + CELL / 2), top)
        };
        let accept = row.accept.name();
        self.canvas
            .text(label, Anchor::Start, NORMAL, Paint::Ink, accept);
        let sides = [
            (self.columns.process, Worker::Process, &row.process),
            (self.columns.thread, Worker::Thread, &row.thread),
        ];
        for ((left, right), worker, standing) in sides {
            let area = ((left, cells), (right, cells + CELL));
            match self.matrix.figures(standing) {
                Some(figures) => self.cell(area, worker, figures),
                None => self.hatched(area, self.matrix.letter(standing)),
            }
        }
        let (left, right) = self.columns.between;
        let middle = i32::midpoint(left, right);
        if let (Some(throughput), Some(cpu)) = (&row.throughput, &row.cpu) {
            let text = self.with_verdict(throughput, "");
            self.canvas
                .strong((middle, cells + 13), Anchor::Middle, Paint::Ink, &text);
            let text = self.with_verdict(cpu, "CPU ");
            let at = (middle, cells + 31);
            self.canvas
                .text(at, Anchor::Middle, SMALL, Paint::Muted, &text);
        }
    }

    /// A ratio with its verdict's sign, and where there is room its word.
    fn with_verdict(&self, comparison: &Comparison, what: &str) -> String {
        let (sign, word) = badge(comparison.verdict);
        let figure = ratio(&comparison.ratio);
        if self.format.is_narrow() {
            format!("{what}{figure} {sign}")
        } else {
            format!("{what}{figure} {sign} {word}")
        }
    }

    fn cell(&mut self, (from, to): (Point, Point), worker: Worker, figures: &Estimates) {
        let (least, most) = FAINT;
        let share = figures.throughput_per_s.point / self.greatest;
        let paint = Paint::Series(Series::of_worker(worker));
        self.canvas
            .rect(from, to, paint, least + (most - least) * share);
        let middle = i32::midpoint(from.0, to.0);
        let served = format!("{}/s", rate(figures.throughput_per_s.point));
        self.canvas
            .strong((middle, from.1 + 13), Anchor::Middle, Paint::Ink, &served);
        let mut cost = format!("{} µs", micros(figures.cpu_ns_per_request.point));
        if !self.format.is_narrow() {
            cost.push_str(" of CPU each");
        }
        self.canvas.text(
            (middle, from.1 + 31),
            Anchor::Middle,
            SMALL,
            Paint::Ink,
            &cost,
        );
    }

    fn hatched(&mut self, (from, to): (Point, Point), letter: char) {
        let stroke = Stroke::new(Paint::Grid, 1);
        let ((left, top), (right, bottom)) = (from, to);
        let height = bottom - top;
        let mut x = left;
        while x + height <= right {
            self.canvas.line(&[(x, bottom), (x + height, top)], stroke);
            x += HATCH;
        }
        let corners = [from, (right, top), to, (left, bottom), from];
        self.canvas.line(&corners, stroke);
        let middle = (i32::midpoint(left, right), i32::midpoint(top, bottom));
        let text = format!("– ({letter})");
        let (x, y) = middle;
        self.canvas
            .rect((x - 22, y - 11), (x + 22, y + 11), Paint::Paper, 1.0);
        self.canvas
            .text(middle, Anchor::Middle, NORMAL, Paint::Muted, &text);
    }
}

const fn row_height(format: Format) -> i32 {
    let label = if format.is_narrow() { 22 } else { 0 };
    CELL + GAP + label
}
