//! The matrix, drawn.

use schema::{Estimates, GridRow, Metric, Standing, Worker};

use super::{Beside, Matrix, in_cell};
use crate::charts::{
    canvas::{Anchor, Canvas, Format, NORMAL, Point, SMALL, Stroke, fitted},
    palette::{Paint, Series},
};

const HEAD: i32 = 34;
const STYLE: i32 = 26;
const CELL: i32 = 42;
const GAP: i32 = 4;
const LOW: i32 = 24;
const HATCH: i32 = 9;
/// How strong the weakest and the strongest cell are drawn: faint enough for text in both.
const FAINT: (f64, f64) = (0.08, 0.42);

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

pub(super) struct Drawing<'m, 'a> {
    matrix: &'m Matrix<'a>,
    canvas: Canvas,
    format: Format,
    columns: Columns,
    best: f64,
}

impl<'m, 'a> Drawing<'m, 'a> {
    pub(super) fn new(matrix: &'m Matrix<'a>, format: Format) -> Self {
        let count = |n: usize| i32::try_from(n).unwrap_or(0);
        let styles = matrix.rows.chunk_by(|a, b| a.style == b.style).count();
        let beside = match count(matrix.beside.len()) {
            0 => 0,
            lines => STYLE + lines * step(LOW, format),
        };
        let rows = count(matrix.rows.len()) * step(CELL, format);
        let height = HEAD + count(styles) * STYLE + rows + beside + 4;
        Self {
            matrix,
            canvas: Canvas::new(format, height),
            format,
            columns: Columns::of(format),
            best: matrix.best(),
        }
    }

    pub(super) fn draw(mut self) -> Canvas {
        self.heads();
        let mut y = HEAD;
        let matrix = self.matrix;
        for rows in matrix.rows.chunk_by(|a, b| a.style == b.style) {
            self.title(&mut y, rows[0].style.name());
            for row in rows {
                self.row(row, y);
                y += step(CELL, self.format);
            }
        }
        if !matrix.beside.is_empty() {
            self.title(&mut y, "beside the grid");
            for beside in &matrix.beside {
                self.beside(beside, y);
                y += step(LOW, self.format);
            }
        }
        self.canvas
    }

    fn title(&mut self, y: &mut i32, text: &str) {
        let at = (4, *y + STYLE / 2);
        self.canvas.strong(at, Anchor::Start, Paint::Ink, text);
        *y += STYLE;
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

    /// Writes the name of a line of that height, and says where its cells begin.
    fn name(&mut self, name: &str, top: i32, height: i32) -> i32 {
        let (at, size, cells, room) = if self.format.is_narrow() {
            ((4, top + 9), NORMAL, top + label(self.format) - GAP, 340)
        } else {
            (
                (4, top + height / 2),
                NORMAL,
                top,
                self.columns.process.0 - 8,
            )
        };
        let size = if fitted(name, size, room) == name {
            size
        } else {
            SMALL
        };
        let text = fitted(name, size, room);
        self.canvas.text(at, Anchor::Start, size, Paint::Ink, &text);
        cells
    }

    fn row(&mut self, row: &GridRow, top: i32) {
        let cells = self.name(row.accept.name(), top, CELL);
        let sides = [
            (self.columns.process, Worker::Process, &row.process),
            (self.columns.thread, Worker::Thread, &row.thread),
        ];
        for ((left, right), worker, standing) in sides {
            let area = ((left, cells), (right, cells + CELL));
            match self.matrix.figures(standing) {
                Some(figures) => self.cell(area, (worker, row.judged_by), figures),
                None => self.hatched(area, standing),
            }
        }
        if let Some([decides, other]) = Matrix::between(row, self.format.is_narrow()) {
            let (left, right) = self.columns.between;
            let middle = i32::midpoint(left, right);
            self.canvas
                .strong((middle, cells + 13), Anchor::Middle, Paint::Ink, &decides);
            let at = (middle, cells + 31);
            self.canvas
                .text(at, Anchor::Middle, SMALL, Paint::Muted, &other);
        }
    }

    fn cell(
        &mut self,
        (from, to): (Point, Point),
        (worker, main): (Worker, Metric),
        figures: &Estimates,
    ) {
        let (least, most) = FAINT;
        let share = self.matrix.goodness(figures) / self.best;
        let paint = Paint::Series(Series::of_worker(worker));
        self.canvas
            .rect(from, to, paint, least + (most - least) * share);
        let middle = i32::midpoint(from.0, to.0);
        let [main, other] = in_cell(main, figures, self.format.is_narrow());
        self.canvas
            .strong((middle, from.1 + 13), Anchor::Middle, Paint::Ink, &main);
        let at = (middle, from.1 + 31);
        self.canvas
            .text(at, Anchor::Middle, SMALL, Paint::Ink, &other);
    }

    fn hatched(&mut self, (from, to): (Point, Point), standing: &Standing) {
        let stroke = Stroke::new(Paint::Grid, 1);
        let ((left, top), (right, bottom)) = (from, to);
        let height = bottom - top;
        let mut x = left;
        while x + height <= right {
            self.canvas.line(&[(x, bottom), (x + height, top)], stroke);
            x += HATCH;
        }
        self.canvas.line(&frame(from, to), stroke);
        let (x, y) = (i32::midpoint(left, right), i32::midpoint(top, bottom));
        let text = format!("– ({})", self.matrix.letter(standing));
        self.canvas
            .rect((x - 22, y - 11), (x + 22, y + 11), Paint::Paper, 1.0);
        self.canvas
            .text((x, y), Anchor::Middle, NORMAL, Paint::Muted, &text);
    }

    /// A guest has a frame in the column of its workers; the floor's is dashed and reaches over both,
    /// as it is the limit of either.
    fn beside(&mut self, beside: &Beside<'_>, top: i32) {
        let cells = self.name(&beside.name, top, LOW);
        let (left, right) = match beside.worker {
            Some(Worker::Process) => self.columns.process,
            Some(Worker::Thread) => self.columns.thread,
            None => (self.columns.process.0, self.columns.thread.1),
        };
        let (from, to) = ((left, cells), (right, cells + LOW));
        let narrow = self.format.is_narrow();
        let text = if beside.worker.is_some() {
            self.canvas
                .line(&frame(from, to), Stroke::new(Paint::Grid, 1));
            in_cell(self.matrix.main, beside.figures, true).join(", ")
        } else {
            self.canvas
                .dashed(&frame(from, to), Stroke::new(Paint::Ink, 1));
            let [cost, served] = in_cell(Metric::CpuPerRequest, beside.figures, narrow);
            let rest = if narrow {
                ""
            } else {
                " with one worker; in no verdict"
            };
            format!("the limit: {cost}, {served}{rest}")
        };
        let middle = (i32::midpoint(left, right), i32::midpoint(from.1, to.1));
        self.canvas
            .text(middle, Anchor::Middle, SMALL, Paint::Ink, &text);
    }
}

const fn frame((left, top): Point, (right, bottom): Point) -> [Point; 5] {
    [
        (left, top),
        (right, top),
        (right, bottom),
        (left, bottom),
        (left, top),
    ]
}

/// On a narrow page the name of a line stands above its cells.
const fn label(format: Format) -> i32 {
    if format.is_narrow() { 22 } else { 0 }
}

const fn step(height: i32, format: Format) -> i32 {
    height + GAP + label(format)
}
