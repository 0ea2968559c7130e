//! Who answered: the shares of a cell's workers.

use super::{
    canvas::{Anchor, Canvas, Format, SMALL, text_width},
    palette::Paint,
    panel::Panel,
    rows::Rows,
    scale::Scale,
};
use crate::figures::{percent, trimmed};

/// Neighbours are told apart by strength; both are faint enough for text.
const STRENGTHS: [f64; 2] = [0.5, 0.28];

pub(super) fn draw(panel: &Panel<'_>, format: Format) -> Canvas {
    let mut rows = Rows::without_key(format, panel.bars.len(), 104);
    let scale = Scale::shares(rows.span());
    rows.axis(&scale, &panel.axis("share of the answers"), percent);
    for (index, bar) in panel.bars.iter().enumerate() {
        let answered = &bar.answered;
        let fairness = answered.fairness.map(|index| format!("Jain {index:.3}"));
        let track = rows.row(index, bar, &fairness.unwrap_or_default());
        let mut from = 0.0;
        for (rank, &share) in answered.shares.iter().enumerate() {
            let to = from + share;
            let (left, right) = (scale.pixel(from), scale.pixel(to));
            // A gap between workers, where there is room for one.
            let gap = i32::from(right - left > 3);
            let paint = Paint::Series(bar.series);
            let strength = STRENGTHS[rank % STRENGTHS.len()];
            let canvas = &mut rows.canvas;
            canvas.rect(
                (left, track.top),
                (right - gap, track.bottom),
                paint,
                strength,
            );
            let label = format!("{} %", trimmed(&format!("{:.1}", share * 100.0)));
            if text_width(&label, SMALL) + 6 < right - left {
                let middle = (i32::midpoint(left, right), track.middle());
                canvas.text(middle, Anchor::Middle, SMALL, Paint::Ink, &label);
            }
            from = to;
        }
    }
    rows.canvas
}
