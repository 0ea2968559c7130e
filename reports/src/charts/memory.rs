//! Proportional set size of the server's processes.

use super::{
    canvas::{Anchor, Canvas, Format, SMALL},
    palette::Paint,
    panel::{Bar, Panel},
    rows::{Rows, horizontal_whisker, whisker_key},
    scale::Scale,
};
use crate::figures::{mebibytes, trimmed};

pub(super) fn draw(panel: &Panel<'_>, format: Format) -> Canvas {
    let mut rows = Rows::new(format, panel.bars.len(), 92);
    let greatest = panel.greatest(|bar: &Bar<'_>| {
        let size = bar.figures.pss_bytes;
        size.map_or(0.0, |size| {
            size.interval.map_or(size.point, |(_, high)| high)
        })
    });
    // In MiB, so that round values are round where they are read.
    let mebi = 1_048_576.0;
    let scale = Scale::from_zero(greatest / mebi, rows.span());
    rows.axis(&scale, &panel.axis("proportional set size, MiB"), |mib| {
        trimmed(&mebibytes(mib * mebi))
    });
    rows.key(&[(whisker_key, "95 % interval")]);
    for (index, bar) in panel.bars.iter().enumerate() {
        let Some(size) = bar.figures.pss_bytes else {
            let track = rows.row(index, bar, "");
            let at = (scale.pixel(0.0) + 4, track.middle());
            let why = "not shown by the kernel";
            rows.canvas
                .text(at, Anchor::Start, SMALL, Paint::Muted, why);
            continue;
        };
        let track = rows.row(index, bar, &format!("{} MiB", mebibytes(size.point)));
        let (zero, end) = (scale.pixel(0.0), scale.pixel(size.point / mebi));
        let paint = Paint::Series(bar.series);
        rows.canvas
            .rect((zero, track.top), (end, track.bottom), paint, 1.0);
        if let Some((low, high)) = size.interval {
            let (low, high) = (scale.pixel(low / mebi), scale.pixel(high / mebi));
            horizontal_whisker(&mut rows.canvas, low, high, track.middle());
        }
    }
    rows.canvas
}
