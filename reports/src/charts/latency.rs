//! Latency from the median to the tail, on a logarithmic axis.

use super::{
    canvas::{Canvas, Format, Point, Stroke},
    palette::Paint,
    panel::Panel,
    rows::Rows,
    scale::Scale,
};
use crate::figures::{duration, trimmed_unit};

pub(super) fn draw(panel: &Panel<'_>, format: Format) -> Canvas {
    let mut rows = Rows::new(format, panel.bars.len(), 214);
    let greatest = panel.greatest(|bar| bar.figures.p999_ns.point);
    let medians = panel.bars.iter().map(|bar| bar.figures.p50_ns.point);
    let least = medians.fold(greatest, f64::min);
    let scale = Scale::log(least, greatest, rows.span());
    rows.axis(&scale, &panel.axis("latency, logarithmic"), |ns| {
        trimmed_unit(&duration(ns))
    });
    rows.key(&[
        (
            |canvas, at| median(canvas, right_by_11(at), Paint::Muted),
            "p50",
        ),
        (
            |canvas, at| ninetieth(canvas, right_by_11(at), Paint::Muted),
            "p90",
        ),
        (
            |canvas, at| ninety_ninth(canvas, right_by_11(at), Paint::Muted),
            "p99",
        ),
        (
            |canvas, at| last(canvas, right_by_11(at), Paint::Muted),
            "p99.9",
        ),
    ]);
    for (index, bar) in panel.bars.iter().enumerate() {
        let figures = bar.figures;
        let (p50, p99) = (
            duration(figures.p50_ns.point),
            duration(figures.p99_ns.point),
        );
        // Beside a long name there is room for the tail alone.
        let figure = if format.is_narrow() {
            format!("p99 {p99}")
        } else {
            format!("p50 {p50}, p99 {p99}")
        };
        let track = rows.row(index, bar, &figure);
        let paint = Paint::Series(bar.series);
        let at = |ns: f64| (scale.pixel(ns), track.middle());
        let canvas = &mut rows.canvas;
        let ends = [at(figures.p50_ns.point), at(figures.p999_ns.point)];
        canvas.line(&ends, Stroke::new(paint, 2).faint(0.55));
        last(canvas, at(figures.p999_ns.point), paint);
        ninety_ninth(canvas, at(figures.p99_ns.point), paint);
        ninetieth(canvas, at(figures.p90_ns.point), paint);
        median(canvas, at(figures.p50_ns.point), paint);
    }
    rows.canvas
}

const fn right_by_11((x, y): Point) -> Point {
    (x + 11, y)
}

fn median(canvas: &mut Canvas, at: Point, paint: Paint) {
    canvas.dot(at, 6, paint);
}

fn ninetieth(canvas: &mut Canvas, at: Point, paint: Paint) {
    canvas.dot(at, 3, paint);
}

fn ninety_ninth(canvas: &mut Canvas, at: Point, paint: Paint) {
    canvas.dot(at, 6, paint);
    canvas.dot(at, 3, Paint::Paper);
}

fn last(canvas: &mut Canvas, (x, y): Point, paint: Paint) {
    canvas.line(&[(x, y - 6), (x, y + 6)], Stroke::new(paint, 2));
}
