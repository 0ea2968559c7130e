//! A ratio with its interval, drawn beside 1 and the noise.

use maud::{Markup, html};
use schema::{PrimitiveRatio, PrimitiveRow};

use super::{html::class, rows::Clock};

const WIDTH: f64 = 100.0;
const HEIGHT: f64 = 16.0;

/// How far from 1, as a logarithm, the drawings of a group reach on either side.
pub fn reach(rows: &[PrimitiveRow]) -> f64 {
    let ratios = Clock::BOTH
        .into_iter()
        .flat_map(|clock| rows.iter().filter_map(move |row| clock.ratio(row)));
    ratios
        .flat_map(|judged| {
            let (low, high) = judged.ratio.interval.unwrap_or((1.0, 1.0));
            [judged.ratio.point, low, high]
        })
        .map(|ratio| ratio.ln().abs())
        .filter(|reach| reach.is_finite())
        .fold(0.1, f64::max)
        * 1.1
}

/// To the right of the line a process costs more; the strip is the noise.
pub fn forest(judged: &PrimitiveRatio, reach: f64, noise: Option<f64>) -> Markup {
    let x = |ratio: f64| {
        let share = (ratio.ln() / reach).clamp(-1.0, 1.0);
        format!("{:.1}", WIDTH * (0.5 + 0.5 * share))
    };
    let middle = HEIGHT / 2.0;
    html! {
        svg.forest.(class(judged.dearer)) viewBox={"0 0 " (WIDTH) " " (HEIGHT)} aria-hidden="true" {
            @if let Some(noise) = noise {
                @let (from, to) = (x(1.0 / (1.0 + noise)), x(1.0 + noise));
                path.margin d={"M" (from) " 0H" (to) "V" (HEIGHT) "H" (from) "z"} {}
            }
            path.one d={"M" (x(1.0)) " 0V" (HEIGHT)} {}
            @if let Some((low, high)) = judged.ratio.interval {
                path.interval d={"M" (x(low)) " " (middle) "H" (x(high))} {}
            }
            circle cx=(x(judged.ratio.point)) cy=(middle) r="3.5" {}
        }
    }
}
