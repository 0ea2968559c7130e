//! Figures by number of cores: one line for each server, cores on a linear axis.
//!
//! What each worker adds as much as the first would give is dashed.

use schema::Estimate;

use super::{
    canvas::{Anchor, Canvas, Format, NORMAL, Point, SMALL, Stroke, text_width},
    endings::{self, Ending},
    palette::{Paint, Series},
    panel::{Bar, Panel},
    scale::Scale,
};
use crate::figures::{micros, rate, ratio, trimmed, trimmed_suffix};

const HEIGHT: i32 = 360;
const TOP: i32 = 40;
const BOTTOM: i32 = HEIGHT - 50;
const LEFT: i32 = 52;
/// Labels of the upright axis, about.
const TICKS: usize = 6;

/// What is drawn of a cell.
struct Figure {
    of: fn(&Bar<'_>) -> Option<Estimate>,
    axis: &'static str,
    label: fn(f64) -> String,
    ending: fn(&Estimate) -> String,
    ideal: Ideal,
}

/// What each worker would show if it added as much as the first.
enum Ideal {
    /// N times what one worker of the same server shows.
    TimesOne,
    /// 1.
    One,
    /// What one worker of the same server shows.
    AsOne,
}

pub(super) fn throughput(panel: &Panel<'_>, format: Format) -> Canvas {
    let figure = Figure {
        of: |bar| Some(bar.figures.throughput_per_s),
        axis: "requests per second",
        label: |value| trimmed_suffix(&rate(value)),
        ending: |value| rate(value.point),
        ideal: Ideal::TimesOne,
    };
    draw(&figure, panel, format)
}

pub(super) fn efficiency(panel: &Panel<'_>, format: Format) -> Canvas {
    let figure = Figure {
        of: |bar| Some(bar.scaling?.efficiency),
        axis: "efficiency: speed-up over cores",
        label: |value| trimmed(&format!("{value:.2}")),
        ending: ratio,
        ideal: Ideal::One,
    };
    draw(&figure, panel, format)
}

pub(super) fn cpu(panel: &Panel<'_>, format: Format) -> Canvas {
    let figure = Figure {
        of: |bar| Some(bar.figures.cpu_ns_per_request),
        axis: "CPU time per request, µs",
        label: |value| trimmed(&micros(value)),
        ending: |value| format!("{} µs", micros(value.point)),
        ideal: Ideal::AsOne,
    };
    draw(&figure, panel, format)
}

/// One cell of a line.
struct Mark {
    workers: u32,
    value: Estimate,
}

struct Line<'a> {
    name: &'a str,
    series: Series,
    marks: Vec<Mark>,
    shift: i32,
}

impl Line<'_> {
    /// What stands at its end: its name and, where there is room, its last figure.
    fn ending(&self, figure: &Figure, format: Format) -> String {
        match self.marks.last() {
            Some(mark) if !format.is_narrow() => {
                format!("{} {}", self.name, (figure.ending)(&mark.value))
            }
            _ => self.name.to_owned(),
        }
    }

    /// What one worker shows.
    fn one(&self) -> Option<f64> {
        let one = self.marks.iter().find(|mark| mark.workers == 1)?;
        Some(one.value.point)
    }
}

struct Plot {
    canvas: Canvas,
    format: Format,
    right: i32,
    y: Scale,
    most: u32,
}

fn draw(figure: &Figure, panel: &Panel<'_>, format: Format) -> Canvas {
    let lines = lines(figure, panel, format);
    let names: Vec<String> = lines
        .iter()
        .map(|line| line.ending(figure, format))
        .collect();
    let marks = || lines.iter().flat_map(|line| &line.marks);
    let most = marks().map(|mark| mark.workers).max().unwrap_or(1);
    let tops = marks().map(|mark| {
        let Estimate { point, interval } = mark.value;
        interval.map_or(point, |(_, high)| high)
    });
    let ideals = lines.iter().map(|line| figure.ideal.at(line, most));
    let greatest = tops.chain(ideals.flatten()).fold(0.0, f64::max);
    let heights = (BOTTOM, TOP);
    let y = match figure.ideal {
        Ideal::One => Scale::from_zero(greatest.max(1.1), heights),
        Ideal::TimesOne | Ideal::AsOne => Scale::to_a_label(greatest, TICKS, heights),
    };
    let mut plot = Plot {
        canvas: Canvas::new(format, HEIGHT),
        format,
        right: endings::right(format, names.iter().map(String::as_str)),
        y,
        most,
    };
    let mut counts: Vec<u32> = marks().map(|mark| mark.workers).collect();
    counts.sort_unstable();
    counts.dedup();
    plot.axes(figure, &counts, panel.cores_in_words());
    plot.ideals(figure, &lines);
    for line in &lines {
        plot.line(line);
    }
    let endings = lines.iter().zip(names).filter_map(|(line, name)| {
        Some(Ending {
            name,
            series: line.series,
            at: plot.at(line, line.marks.last()?),
        })
    });
    let endings = endings.collect();
    endings::write(&mut plot.canvas, format, plot.right, (TOP, BOTTOM), endings);
    plot.canvas
}

fn lines<'a>(figure: &Figure, panel: &Panel<'a>, format: Format) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = Vec::new();
    for bar in &panel.bars {
        let Some(value) = (figure.of)(bar) else {
            continue;
        };
        let mark = Mark {
            workers: bar.cell.workers,
            value,
        };
        let name = bar.cell.server.as_str();
        match lines.iter_mut().find(|line| line.name == name) {
            Some(line) => line.marks.push(mark),
            None => lines.push(Line {
                name,
                series: bar.series,
                marks: vec![mark],
                shift: 0,
            }),
        }
    }
    // Lines at one number of cores stand beside one another, as intervals would hide intervals.
    let apart = if format.is_narrow() { 3 } else { 7 };
    let count = i32::try_from(lines.len()).unwrap_or(1);
    for (index, line) in (0..).zip(&mut lines) {
        line.shift = (2 * index - (count - 1)) * apart / 2;
    }
    lines
}

impl Ideal {
    fn at(&self, line: &Line<'_>, workers: u32) -> Option<f64> {
        match self {
            Self::TimesOne => Some(line.one()? * f64::from(workers)),
            Self::One => Some(1.0),
            Self::AsOne => line.one(),
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::TimesOne => "dashed: N × one worker of the same server",
            Self::One => "dashed: each adds as much as the first",
            Self::AsOne => "dashed: as with one worker",
        }
    }
}

impl Plot {
    fn x(&self, workers: u32) -> i32 {
        let inset = if self.format.is_narrow() { 16 } else { 30 };
        let (left, right) = (LEFT + inset, self.right - inset);
        if self.most <= 1 {
            return i32::midpoint(left, right);
        }
        let place = f64::from(workers - 1) / f64::from(self.most - 1);
        #[allow(clippy::cast_possible_truncation, reason = "a pixel of the drawing")]
        let offset = (place * f64::from(right - left)).round() as i32;
        left + offset
    }

    fn at(&self, line: &Line<'_>, mark: &Mark) -> Point {
        let x = self.x(mark.workers) + line.shift;
        (x, self.y.pixel(mark.value.point))
    }

    fn axes(&mut self, figure: &Figure, counts: &[u32], cores: &str) {
        for tick in self.y.ticks(TICKS) {
            let y = self.y.pixel(tick);
            self.canvas
                .line(&[(LEFT, y), (self.right, y)], Stroke::new(Paint::Grid, 1));
            let label = (figure.label)(tick);
            self.canvas
                .text((LEFT - 8, y), Anchor::End, SMALL, Paint::Muted, &label);
        }
        self.canvas
            .text((4, 10), Anchor::Start, SMALL, Paint::Muted, figure.axis);
        let mut free = 0;
        for &count in counts {
            let (x, label) = (self.x(count), count.to_string());
            let half = text_width(&label, NORMAL) / 2;
            if x - half > free {
                let at = (x, BOTTOM + 14);
                self.canvas
                    .text(at, Anchor::Middle, NORMAL, Paint::Ink, &label);
                free = x + half + 6;
            }
        }
        let middle = (i32::midpoint(LEFT, self.right), BOTTOM + 36);
        let name = if self.format.is_narrow() {
            cores.to_owned()
        } else {
            format!("{cores}, a worker on each")
        };
        self.canvas
            .text(middle, Anchor::Middle, SMALL, Paint::Muted, &name);
    }

    fn ideals(&mut self, figure: &Figure, lines: &[Line<'_>]) {
        for (index, line) in lines.iter().enumerate() {
            let ends = figure
                .ideal
                .at(line, 1)
                .zip(figure.ideal.at(line, self.most));
            let Some((from, to)) = ends else { continue };
            let (paint, enough) = match figure.ideal {
                Ideal::One => (Paint::Muted, index > 0),
                Ideal::TimesOne | Ideal::AsOne => (Paint::Series(line.series), false),
            };
            if !enough {
                let points = [
                    (self.x(1), self.y.pixel(from)),
                    (self.x(self.most), self.y.pixel(to)),
                ];
                self.canvas
                    .dashed(&points, Stroke::new(paint, 1).faint(0.75));
            }
        }
        let (x, anchor, y) = if self.format.is_narrow() {
            (4, Anchor::Start, 26)
        } else {
            (self.right, Anchor::End, 10)
        };
        self.canvas
            .text((x, y), anchor, SMALL, Paint::Muted, figure.ideal.name());
    }

    fn line(&mut self, line: &Line<'_>) {
        let paint = Paint::Series(line.series);
        let points: Vec<Point> = line.marks.iter().map(|mark| self.at(line, mark)).collect();
        if points.len() > 1 {
            self.canvas.line(&points, Stroke::new(paint, 2));
        }
        for (mark, &(x, y)) in line.marks.iter().zip(&points) {
            if let Some((low, high)) = mark.value.interval {
                let (low, high) = (self.y.pixel(low), self.y.pixel(high));
                let stroke = Stroke::new(paint, 1);
                self.canvas.line(&[(x, low), (x, high)], stroke);
                self.canvas.line(&[(x - 4, low), (x + 4, low)], stroke);
                self.canvas.line(&[(x - 4, high), (x + 4, high)], stroke);
            }
            self.canvas.marker((x, y), line.series);
        }
    }
}
