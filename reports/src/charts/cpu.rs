//! Server CPU time per request, user and kernel apart.

use super::{
    canvas::{Canvas, Format},
    palette::Paint,
    panel::Panel,
    rows::{Rows, horizontal_whisker, whisker_key},
    scale::Scale,
};
use crate::figures::{micros, trimmed};

/// Kernel time is drawn in the same colour, fainter.
const KERNEL_OPACITY: f64 = 0.45;

pub(super) fn draw(panel: &Panel<'_>, format: Format) -> Canvas {
    let mut rows = Rows::new(format, panel.bars.len(), 92);
    let greatest = panel.greatest(|bar| {
        let cpu = bar.figures.cpu_ns_per_request;
        cpu.interval.map_or(cpu.point, |(_, high)| high)
    });
    let scale = Scale::from_zero(greatest, rows.span());
    rows.axis(
        &scale,
        &panel.axis("CPU time of the server per request, µs"),
        |ns| trimmed(&micros(ns)),
    );
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
    for (index, bar) in panel.bars.iter().enumerate() {
        let figures = bar.figures;
        let total = figures.cpu_ns_per_request;
        let track = rows.row(index, bar, &format!("{} µs", micros(total.point)));
        let paint = Paint::Series(bar.series);
        let zero = scale.pixel(0.0);
        let user = scale.pixel(figures.user_ns_per_request.point);
        let end = scale.pixel(total.point);
        let canvas = &mut rows.canvas;
        canvas.rect((zero, track.top), (user, track.bottom), paint, 1.0);
        canvas.rect(
            (user, track.top),
            (end, track.bottom),
            paint,
            KERNEL_OPACITY,
        );
        if let Some((low, high)) = total.interval {
            horizontal_whisker(canvas, scale.pixel(low), scale.pixel(high), track.middle());
        }
    }
    rows.canvas
}
