//! A ratio with its interval, drawn beside 1: one line of a forest plot.

use maud::{Markup, html};
use schema::Comparison;

use crate::pages::headline::badge;

const WIDTH: f64 = 150.0;
const HEIGHT: f64 = 22.0;

/// How far from 1, as a logarithm, a column of comparisons reaches on either side.
pub(super) fn reach(comparisons: &[&Comparison]) -> f64 {
    comparisons
        .iter()
        .flat_map(|comparison| {
            let (low, high) = comparison.ratio.interval.unwrap_or((1.0, 1.0));
            [comparison.ratio.point, low, high]
        })
        .map(|ratio| ratio.ln().abs())
        .fold(0.1, f64::max)
        * 1.1
}

pub(super) fn forest(comparison: &Comparison, reach: f64) -> Markup {
    let x = |ratio: f64| {
        format!(
            "{:.1}",
            WIDTH * (0.5 + 0.5 * (ratio.ln() / reach).clamp(-1.0, 1.0))
        )
    };
    let margin = comparison.equivalence_margin;
    let (from, to) = (x(1.0 - margin), x(1.0 + margin));
    let middle = HEIGHT / 2.0;
    let (_, word) = badge(comparison.verdict);
    html! {
        svg.forest.{"is-" (word)} viewBox={"0 0 " (WIDTH) " " (HEIGHT)} aria-hidden="true" {
            path.margin d={"M" (from) " 0H" (to) "V" (HEIGHT) "H" (from) "z"} {}
            path.one d={"M" (x(1.0)) " 0V" (HEIGHT)} {}
            @if let Some((low, high)) = comparison.ratio.interval {
                path.interval d={"M" (x(low)) " " (middle) "H" (x(high))} {}
            }
            circle cx=(x(comparison.ratio.point)) cy=(middle) r="4" {}
        }
    }
}
