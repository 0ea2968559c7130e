//! Stevens' designs: CPU seconds, user and kernel apart.

use schema::{Design, DesignFigures, Stevens, Worker};

use super::{
    Chart, alone,
    canvas::{Canvas, Format, Stroke},
    palette::{Paint, Series},
    rows::{Rows, horizontal_whisker, whisker_key},
    scale::Scale,
};
use crate::figures::{significant, trimmed};

const KERNEL_OPACITY: f64 = 0.45;

const HOW_TO_READ: &str = "The length of a bar is the CPU time that a design takes for 5,000 connections of one request each: the strong part in its own code, the faint part in the kernel, and at its right both in seconds. Up to the dashed line it is the work itself, as the iterative server does nothing else; what is beyond it is the price of having workers, which the book calls process control.";

/// By number; the words of the table are longer.
const NAMES: [&str; 9] = [
    "0 iterative",
    "1 process per connection",
    "2 processes, all accept",
    "3 processes, file lock",
    "4 processes, mutex",
    "5 processes, fd passing",
    "6 thread per connection",
    "7 threads, mutex",
    "8 threads, main accepts",
];

pub(crate) fn designs(stevens: &Stevens) -> Chart {
    let values: Vec<String> = stevens
        .designs
        .iter()
        .map(|design| format!("{}: {}", label(design), in_brief(design)))
        .collect();
    alone(
        "stevens",
        "CPU time of nine designs, for 5,000 connections",
        HOW_TO_READ,
        &values,
        |format| draw(stevens, format),
    )
}

fn draw(stevens: &Stevens, format: Format) -> Canvas {
    let measured = || stevens.designs.iter().filter_map(|d| d.figures.as_ref());
    let greatest = measured().map(high).fold(0.0, f64::max);
    let mut rows = Rows::new(format, stevens.designs.len(), 150);
    let scale = Scale::from_zero(greatest, rows.span());
    rows.axis(&scale, "CPU seconds for 5,000 connections", |s| {
        trimmed(&seconds(s))
    });
    rows.key(&[
        (
            |canvas, (x, y)| canvas.rect((x, y - 6), (x + 22, y + 6), Paint::Muted, 1.0),
            "user",
        ),
        (
            |canvas, (x, y)| canvas.rect((x, y - 6), (x + 22, y + 6), Paint::Muted, KERNEL_OPACITY),
            "kernel",
        ),
        (whisker_key, "95 % interval of the sum"),
    ]);
    for (index, design) in stevens.designs.iter().enumerate() {
        let name = (series(design.number), label(design));
        let track = rows.named_row(index, name, &in_brief(design));
        let Some(figures) = &design.figures else {
            continue;
        };
        let paint = Paint::Series(name.0);
        let [zero, user, end] =
            [0.0, figures.user_s.point, figures.cpu_s.point].map(|s| scale.pixel(s));
        let canvas = &mut rows.canvas;
        canvas.rect((zero, track.top), (user, track.bottom), paint, 1.0);
        canvas.rect(
            (user, track.top),
            (end, track.bottom),
            paint,
            KERNEL_OPACITY,
        );
        if let Some((low, high)) = figures.cpu_s.interval {
            horizontal_whisker(canvas, scale.pixel(low), scale.pixel(high), track.middle());
        }
    }
    iterative(&mut rows, stevens, &scale);
    rows.canvas
}

/// A line down from what the iterative server takes.
fn iterative(rows: &mut Rows, stevens: &Stevens, scale: &Scale) {
    let figures = stevens.designs.first().and_then(|d| d.figures.as_ref());
    let Some(figures) = figures else { return };
    let x = scale.pixel(figures.cpu_s.point);
    let (top, bottom) = rows.height();
    let stroke = Stroke::new(Paint::Ink, 1);
    rows.canvas.dashed(&[(x, top - 4), (x, bottom + 2)], stroke);
}

fn high(figures: &DesignFigures) -> f64 {
    let sum = figures.cpu_s;
    sum.interval.map_or(sum.point, |(_, high)| high)
}

fn label(design: &Design) -> &'static str {
    NAMES.get(usize::from(design.number)).unwrap_or(&"–")
}

/// Designs 1 to 5 are processes, 6 to 8 are threads.
const fn series(number: u8) -> Series {
    match number {
        0 => Series::alone(),
        1..=5 => Series::of_worker(Worker::Process),
        _ => Series::of_worker(Worker::Thread),
    }
}

fn in_brief(design: &Design) -> String {
    design.figures.as_ref().map_or_else(
        || "–".to_owned(),
        |figures| {
            format!(
                "{} + {} s",
                seconds(figures.user_s.point),
                seconds(figures.system_s.point)
            )
        },
    )
}

fn seconds(value: f64) -> String {
    significant(value, 3)
}
