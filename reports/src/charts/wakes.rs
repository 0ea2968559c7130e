//! In which order waiting workers are woken: a strip of letters for each accept policy.

use schema::{Balance, WakeOrder};

use super::{
    Chart, alone,
    canvas::{Anchor, Canvas, Format, SMALL, Stroke, fitted, text_width},
    palette::{Paint, Series},
};

const STRIP: i32 = 20;
/// Faint enough for a letter.
const STRENGTH: f64 = 0.38;

const HOW_TO_READ: &str = "Connections were made one after another to workers that all waited, and each box is one of them: its letter is the worker that answered, A being the first that did. A strip that counts through the letters wakes its workers in turn; one that stays with a letter wakes again whoever was awake last.";

/// `None` where no connections were made one after another.
pub(crate) fn wakes(balance: &Balance) -> Option<Chart> {
    let strips: Vec<(&str, &WakeOrder)> = balance
        .cells
        .iter()
        .filter_map(|cell| Some((cell.server.as_str(), cell.wake.as_ref()?)))
        .collect();
    let values: Vec<String> = strips
        .iter()
        .map(|(server, wake)| {
            let order = wake.order.name();
            format!("{server}: {}, {order}", wake.sequence)
        })
        .collect();
    (!strips.is_empty()).then(|| {
        alone(
            "wake-order",
            "Whom a new connection wakes",
            HOW_TO_READ,
            &values,
            |format| draw(&strips, format),
        )
    })
}

fn draw(strips: &[(&str, &WakeOrder)], format: Format) -> Canvas {
    let (left, right, height) = if format.is_narrow() {
        (4, format.width() - 4, 46)
    } else {
        (232, format.width() - 104, STRIP + 8)
    };
    let longest = strips.iter().map(|(_, wake)| wake.sequence.chars().count());
    let count = i32::try_from(longest.max().unwrap_or(1))
        .unwrap_or(1)
        .max(1);
    let each = ((right - left) / count).clamp(10, 18);
    let room = usize::try_from((right - left) / each).unwrap_or(0);
    let rows = i32::try_from(strips.len()).unwrap_or(1);
    let mut canvas = Canvas::new(format, rows * height + 8);
    for (place, (server, wake)) in (0..).zip(strips) {
        let order = wake.order.name();
        let top = 4 + place * height;
        let (text, strip, ending) = if format.is_narrow() {
            (top + 8, top + 18, (format.width() - 4, Anchor::End))
        } else {
            let after = (
                left + each * count.min((right - left) / each) + 8,
                Anchor::Start,
            );
            (top + STRIP / 2, top, after)
        };
        let width = if format.is_narrow() {
            format.width() - 16 - text_width(order, SMALL)
        } else {
            left - 8
        };
        let name = fitted(server, SMALL, width);
        canvas.text((4, text), Anchor::Start, SMALL, Paint::Ink, &name);
        let (x, anchor) = ending;
        canvas.text((x, text), anchor, SMALL, Paint::Ink, order);
        for (x, letter) in (0..)
            .map(|n| left + n * each)
            .zip(wake.sequence.chars().take(room))
        {
            square(&mut canvas, (x, strip), each, letter);
        }
    }
    canvas
}

fn square(canvas: &mut Canvas, (x, top): (i32, i32), each: i32, letter: char) {
    let (from, to) = ((x, top), (x + each - 1, top + STRIP));
    match ('A'..='Z')
        .chain('a'..='z')
        .position(|known| known == letter)
    {
        Some(place) => {
            let paint = Paint::Series(Series::of_place(place));
            canvas.rect(from, to, paint, STRENGTH);
        }
        None => canvas.line(&[from, to], Stroke::new(Paint::Muted, 1)),
    }
    let middle = (x + each / 2, top + STRIP / 2);
    canvas.text(
        middle,
        Anchor::Middle,
        SMALL,
        Paint::Ink,
        &letter.to_string(),
    );
}
