//! Throughput by number of workers.

use super::{
    canvas::{Anchor, Canvas, Format, NORMAL, Point, SMALL, Stroke, text_width},
    endings::{self, Ending},
    palette::{Paint, Series},
    panel::{Bar, Panel},
    scale::Scale,
};
use crate::{
    figures::{rate, trimmed_suffix},
    groups::counted,
};

const HEIGHT: i32 = 380;
const TOP: i32 = 52;
const BOTTOM: i32 = HEIGHT - 50;
const LEFT: i32 = 52;
/// Labels of the upright axis, about.
const TICKS: usize = 6;

/// Servers with what is drawn of each.
struct Line<'p, 'a> {
    name: &'a str,
    series: Series,
    bars: Vec<&'p Bar<'a>>,
    shift: i32,
}

impl Line<'_, '_> {
    /// What stands at its end: its name and, where there is room, what its last cell serves.
    fn ending(&self, format: Format) -> String {
        match self.bars.last() {
            Some(bar) if !format.is_narrow() => {
                format!("{} {}", self.name, rate(bar.figures.throughput_per_s.point))
            }
            _ => self.name.to_owned(),
        }
    }
}

struct Plot {
    canvas: Canvas,
    format: Format,
    right: i32,
    y: Scale,
    /// Least and most workers, as powers of 2.
    workers: (f64, f64),
}

pub(super) fn draw(panel: &Panel<'_>, format: Format) -> Canvas {
    let lines = lines(panel, format);
    let names: Vec<String> = lines.iter().map(|line| line.ending(format)).collect();
    let right = endings::right(format, names.iter().map(String::as_str));
    let logs = panel
        .bars
        .iter()
        .map(|bar| f64::from(bar.cell.workers.max(1)).log2());
    let workers = (
        logs.clone().fold(f64::INFINITY, f64::min),
        logs.fold(0.0, f64::max),
    );
    let ideal = ideal(panel);
    let greatest = panel.greatest(|bar| {
        let served = bar.figures.throughput_per_s;
        served.interval.map_or(served.point, |(_, high)| high)
    });
    let greatest = ideal.map_or(greatest, |(one, upto)| greatest.max(one * upto));
    let mut plot = Plot {
        canvas: Canvas::new(format, HEIGHT),
        format,
        right,
        y: Scale::to_a_label(greatest, TICKS, (BOTTOM, TOP)),
        workers,
    };
    plot.beyond_cpus(panel.server_cpus);
    plot.axes(panel);
    if let Some((one, upto)) = ideal {
        plot.ideal(one, upto);
    }
    for line in &lines {
        plot.line(line);
    }
    let endings = lines.iter().zip(names).filter_map(|(line, name)| {
        Some(Ending {
            name,
            series: line.series,
            at: plot.at(line, line.bars.last()?),
        })
    });
    let endings = endings.collect();
    endings::write(&mut plot.canvas, format, right, (TOP, BOTTOM), endings);
    plot.canvas
}

fn lines<'p, 'a>(panel: &'p Panel<'a>, format: Format) -> Vec<Line<'p, 'a>> {
    let mut lines: Vec<Line<'p, 'a>> = Vec::new();
    for bar in &panel.bars {
        // A server with two accept policies is two lines.
        let same = |line: &&mut Line<'_, '_>| {
            line.name == bar.cell.server && line.bars[0].cell.model == bar.cell.model
        };
        match lines.iter_mut().find(same) {
            Some(line) => line.bars.push(bar),
            None => lines.push(Line {
                name: &bar.cell.server,
                series: bar.series,
                bars: vec![bar],
                shift: 0,
            }),
        }
    }
    // Series at one number of workers stand beside one another, as intervals would hide intervals.
    let apart = if format.is_narrow() { 5 } else { 9 };
    let count = i32::try_from(lines.len()).unwrap_or(1);
    for (index, line) in (0..).zip(&mut lines) {
        line.shift = (2 * index - (count - 1)) * apart / 2;
    }
    lines
}

/// What one worker serves and how many workers could each serve as much: one for each CPU.
fn ideal(panel: &Panel<'_>) -> Option<(f64, f64)> {
    let one = panel.one_worker()?.figures.throughput_per_s.point;
    let most = panel.bars.iter().map(|bar| bar.cell.workers).max()?;
    let upto = panel.server_cpus.min(most as usize);
    (upto > 1).then_some((one, upto as f64))
}

impl Plot {
    fn x(&self, workers: f64) -> i32 {
        let (least, most) = self.workers;
        let inset = if self.format.is_narrow() { 20 } else { 34 };
        let (left, right) = (LEFT + inset, self.right - inset);
        if most <= least {
            return i32::midpoint(left, right);
        }
        let place = ((workers.log2() - least) / (most - least)).clamp(0.0, 1.0);
        #[allow(clippy::cast_possible_truncation, reason = "a pixel of the drawing")]
        let offset = (place * f64::from(right - left)).round() as i32;
        left + offset
    }

    /// Shades what more workers than CPUs are drawn on.
    fn beyond_cpus(&mut self, cpus: usize) {
        let (least, most) = self.workers;
        let limit = (cpus.max(1) as f64).log2();
        if limit >= most || most <= least {
            return;
        }
        let x = self.x(cpus.max(1) as f64);
        self.canvas
            .rect((x, TOP), (self.right, BOTTOM), Paint::Band, 1.0);
        self.canvas
            .dashed(&[(x, TOP - 8), (x, BOTTOM)], Stroke::new(Paint::Muted, 1));
        let cpus = counted(cpus, "CPU");
        let text = if self.format.is_narrow() {
            format!("{cpus} to serve")
        } else {
            format!("{cpus} to serve: more workers take turns")
        };
        let width = text_width(&text, SMALL);
        let (x, anchor) = if x + width < self.format.width() {
            (x - 4, Anchor::Start)
        } else {
            (x + 4, Anchor::End)
        };
        self.canvas
            .text((x, TOP - 17), anchor, SMALL, Paint::Muted, &text);
    }

    fn axes(&mut self, panel: &Panel<'_>) {
        for tick in self.y.ticks(TICKS) {
            let y = self.y.pixel(tick);
            self.canvas
                .line(&[(LEFT, y), (self.right, y)], Stroke::new(Paint::Grid, 1));
            let label = trimmed_suffix(&rate(tick));
            self.canvas
                .text((LEFT - 8, y), Anchor::End, SMALL, Paint::Muted, &label);
        }
        let name = "requests per second";
        self.canvas
            .text((4, 10), Anchor::Start, SMALL, Paint::Muted, name);
        let mut counts: Vec<u32> = panel.bars.iter().map(|bar| bar.cell.workers).collect();
        counts.sort_unstable();
        counts.dedup();
        let mut free = 0;
        for count in counts {
            let (x, label) = (self.x(f64::from(count)), count.to_string());
            let half = text_width(&label, NORMAL) / 2;
            if x - half > free {
                self.canvas
                    .text((x, BOTTOM + 14), Anchor::Middle, NORMAL, Paint::Ink, &label);
                free = x + half + 6;
            }
        }
        let middle = i32::midpoint(LEFT, self.right);
        let name = if self.format.is_narrow() {
            "workers"
        } else {
            "workers (each doubling takes the same length)"
        };
        self.canvas.text(
            (middle, BOTTOM + 36),
            Anchor::Middle,
            SMALL,
            Paint::Muted,
            name,
        );
    }

    fn ideal(&mut self, one: f64, upto: f64) {
        const STEPS: u32 = 32;
        let points: Vec<Point> = (0..=STEPS)
            .map(|step| {
                let workers = upto.powf(f64::from(step) / f64::from(STEPS));
                (self.x(workers), self.y.pixel(workers * one))
            })
            .collect();
        self.canvas.dashed(&points, Stroke::new(Paint::Muted, 1));
        let (x, y) = points[points.len() - 1];
        let text = if self.format.is_narrow() {
            "ideal"
        } else {
            "ideal: N × one worker"
        };
        let x = (x - 8).max(LEFT + 8 + text_width(text, SMALL));
        self.canvas
            .text((x, y - 6), Anchor::End, SMALL, Paint::Muted, text);
    }

    fn at(&self, line: &Line<'_, '_>, bar: &Bar<'_>) -> Point {
        let x = self.x(f64::from(bar.cell.workers)) + line.shift;
        (x, self.y.pixel(bar.figures.throughput_per_s.point))
    }

    fn line(&mut self, line: &Line<'_, '_>) {
        let paint = Paint::Series(line.series);
        let points: Vec<Point> = line.bars.iter().map(|bar| self.at(line, bar)).collect();
        if points.len() > 1 {
            self.canvas.line(&points, Stroke::new(paint, 2));
        }
        for (bar, &(x, y)) in line.bars.iter().zip(&points) {
            if let Some((low, high)) = bar.figures.throughput_per_s.interval {
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
