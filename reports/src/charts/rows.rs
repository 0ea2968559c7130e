//! Charts with one row for each cell: its name, something drawn to scale, and its figure.
//!
//! On a wide screen the name stands left of the drawing and the figure right of it; on a phone
//! both stand above it.

use super::{
    canvas::{Anchor, Canvas, Format, NORMAL, Point, SMALL, Stroke, fitted, text_width},
    palette::{Paint, Series},
    panel::Bar,
    scale::Scale,
};

const BAR_HEIGHT: i32 = 16;
const KEY_HEIGHT: i32 = 30;
const AXIS_HEIGHT: i32 = 46;

/// A chart of rows under way.
pub(super) struct Rows {
    pub(super) canvas: Canvas,
    format: Format,
    figure_width: i32,
    count: i32,
    top: i32,
}

/// Where a row is drawn to scale.
#[derive(Clone, Copy)]
pub(super) struct Track {
    pub(super) top: i32,
    pub(super) bottom: i32,
}

impl Track {
    pub(super) const fn middle(self) -> i32 {
        i32::midpoint(self.top, self.bottom)
    }
}

/// A piece of the key: how it is drawn at a point, 24 pixels wide, and what it means.
pub(super) type KeyEntry = (fn(&mut Canvas, Point), &'static str);

impl Rows {
    /// Room for so many rows, for figures so wide, and for a key above.
    pub(super) fn new(format: Format, rows: usize, figure_width: i32) -> Self {
        Self::below(KEY_HEIGHT, format, rows, figure_width)
    }

    /// The same for a chart that explains itself.
    pub(super) fn without_key(format: Format, rows: usize, figure_width: i32) -> Self {
        Self::below(8, format, rows, figure_width)
    }

    fn below(top: i32, format: Format, rows: usize, figure_width: i32) -> Self {
        let rows = i32::try_from(rows).unwrap_or(i32::MAX / 64);
        let height = top + rows * row_height(format) + AXIS_HEIGHT;
        Self {
            canvas: Canvas::new(format, height),
            format,
            figure_width,
            count: rows,
            top,
        }
    }

    /// Upper and lower end of all rows.
    pub(super) fn height(&self) -> (i32, i32) {
        (self.top, self.bottom())
    }

    /// Left and right end of what is drawn to scale.
    pub(super) fn span(&self) -> (i32, i32) {
        let width = self.format.width();
        if self.format.is_narrow() {
            (10, width - 16)
        } else {
            (236, width - self.figure_width)
        }
    }

    fn bottom(&self) -> i32 {
        self.top + self.count * row_height(self.format)
    }

    /// Vertical lines with labels below, and the name of the axis.
    pub(super) fn axis(&mut self, scale: &Scale, name: &str, show: impl Fn(f64) -> String) {
        let (left, right) = self.span();
        let bottom = self.bottom();
        let most = if self.format.is_narrow() { 4 } else { 8 };
        let mut free = 0;
        for tick in scale.ticks(most) {
            let x = scale.pixel(tick);
            let stroke = Stroke::new(Paint::Grid, 1);
            self.canvas
                .line(&[(x, self.top - 4), (x, bottom + 2)], stroke);
            let label = show(tick);
            // Some fonts are wider than is thought.
            let half = text_width(&label, SMALL) / 2 + 4;
            let x = x.clamp(half, self.format.width() - half);
            if x - half < free {
                continue;
            }
            free = x + half + 10;
            self.canvas.text(
                (x, bottom + 12),
                Anchor::Middle,
                SMALL,
                Paint::Muted,
                &label,
            );
        }
        let middle = i32::midpoint(left, right);
        self.canvas.text(
            (middle, bottom + 32),
            Anchor::Middle,
            SMALL,
            Paint::Muted,
            name,
        );
    }

    /// What the shapes mean, above the rows.
    pub(super) fn key(&mut self, entries: &[KeyEntry]) {
        let mut x = self.span().0;
        for (draw, meaning) in entries {
            draw(&mut self.canvas, (x, 10));
            self.canvas
                .text((x + 29, 10), Anchor::Start, SMALL, Paint::Muted, meaning);
            x += 29 + text_width(meaning, SMALL) + 14;
        }
    }

    /// Writes a row's name and figure, and gives the place for the rest.
    pub(super) fn row(&mut self, index: usize, bar: &Bar<'_>, figure: &str) -> Track {
        self.named_row(index, (bar.series, &bar.label), figure)
    }

    /// The same for what is no cell of a group.
    pub(super) fn named_row(
        &mut self,
        index: usize,
        (series, label): (Series, &str),
        figure: &str,
    ) -> Track {
        let format = self.format;
        let index = i32::try_from(index).unwrap_or(0);
        let top = self.top + index * row_height(format);
        let (left, _) = self.span();
        if format.is_narrow() {
            let text = top + 11;
            let right = format.width() - 8;
            let room = right - 24 - text_width(figure, SMALL);
            self.canvas.marker((left + 5, text), series);
            let label = fitted(label, NORMAL, room);
            self.canvas
                .text((left + 18, text), Anchor::Start, NORMAL, Paint::Ink, &label);
            self.canvas
                .text((right, text), Anchor::End, SMALL, Paint::Ink, figure);
            return Track {
                top: top + 22,
                bottom: top + 22 + BAR_HEIGHT,
            };
        }
        let track = Track {
            top: top + 6,
            bottom: top + 6 + BAR_HEIGHT,
        };
        let label = fitted(label, NORMAL, left - 34);
        self.canvas.marker((12, track.middle()), series);
        self.canvas.text(
            (26, track.middle()),
            Anchor::Start,
            NORMAL,
            Paint::Ink,
            &label,
        );
        let right = format.width() - 4;
        self.canvas.text(
            (right, track.middle()),
            Anchor::End,
            NORMAL,
            Paint::Ink,
            figure,
        );
        track
    }
}

const fn row_height(format: Format) -> i32 {
    if format.is_narrow() { 50 } else { 28 }
}

/// A line with caps from one end of an interval to the other.
pub(super) fn horizontal_whisker(canvas: &mut Canvas, left: i32, right: i32, y: i32) {
    let stroke = Stroke::new(Paint::Ink, 1);
    canvas.line(&[(left, y), (right, y)], stroke);
    canvas.line(&[(left, y - 4), (left, y + 4)], stroke);
    canvas.line(&[(right, y - 4), (right, y + 4)], stroke);
}

/// The whisker of the key.
pub(super) fn whisker_key(canvas: &mut Canvas, (x, y): Point) {
    horizontal_whisker(canvas, x + 2, x + 22, y);
}
