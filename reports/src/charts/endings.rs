//! The names of lines, right of their last points.

use super::{
    canvas::{Anchor, Canvas, Format, NORMAL, Point, Stroke, fitted, text_width},
    palette::{Paint, Series},
};

/// Between names that stand one below the other.
const LINE: i32 = 18;

/// The end of one line.
pub(super) struct Ending {
    pub(super) name: String,
    pub(super) series: Series,
    /// Its last point.
    pub(super) at: Point,
}

/// Where a drawing must end so that names fit right of it.
pub(super) fn right<'n>(format: Format, names: impl Iterator<Item = &'n str>) -> i32 {
    let widest = names.map(|name| text_width(name, NORMAL)).max();
    let most = if format.is_narrow() { 136 } else { 220 };
    format.width() - (widest.unwrap_or(0) + 42).clamp(60, most)
}

/// Writes each name near its line's end, moved up or down where names would overlap.
pub(super) fn write(
    canvas: &mut Canvas,
    format: Format,
    right: i32,
    (top, bottom): (i32, i32),
    mut endings: Vec<Ending>,
) {
    endings.sort_by_key(|ending| ending.at.1);
    let wanted: Vec<i32> = endings.iter().map(|ending| ending.at.1).collect();
    let x = right + 10;
    for (ending, y) in endings.iter().zip(spread(&wanted, top, bottom)) {
        let paint = Paint::Series(ending.series);
        let leader = [ending.at, (right - 4, ending.at.1), (x + 2, y)];
        canvas.dashed(&leader, Stroke::new(paint, 1).faint(0.6));
        canvas.marker((x + 6, y), ending.series);
        let name = fitted(&ending.name, NORMAL, format.width() - x - 17);
        canvas.strong((x + 17, y), Anchor::Start, paint, &name);
    }
}

/// Heights near the wanted ones, ascending as those are, a line apart and within bounds.
fn spread(wanted: &[i32], top: i32, bottom: i32) -> Vec<i32> {
    let mut placed: Vec<i32> = Vec::new();
    for &y in wanted {
        let free = placed.last().map_or(top, |last| last + LINE);
        placed.push(y.max(free));
    }
    // What was pushed past the bottom moves up again, and what stands above it too.
    let mut limit = bottom;
    for y in placed.iter_mut().rev() {
        *y = (*y).min(limit);
        limit = *y - LINE;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_overlap_and_stay_inside() {
        for wanted in [
            vec![100, 100, 101, 101],
            vec![299, 300, 300],
            vec![10, 200, 205],
        ] {
            let placed = spread(&wanted, 50, 300);
            assert!(
                placed.windows(2).all(|pair| pair[1] - pair[0] >= LINE),
                "{placed:?}"
            );
            assert!(placed.iter().all(|y| (50..=300).contains(y)), "{placed:?}");
        }
    }

    #[test]
    fn names_that_do_not_overlap_stay_where_their_lines_end() {
        assert_eq!(spread(&[60, 120, 250], 50, 300), [60, 120, 250]);
    }
}
