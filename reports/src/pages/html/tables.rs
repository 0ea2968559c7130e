//! Comparisons and estimates as tables.

use maud::{Markup, html};
use schema::{Comparison, Estimate, Verdict, Verdicts};

use super::forest::{forest, reach};
use crate::{
    Run,
    charts::{Panel, mark},
    figures::{
        capital, interval, mebibytes, micros, millis, rate, ratio, ratio_interval, significant,
    },
    groups::Group,
    pages::headline::{badge, by_theme, chance_note},
};

pub(super) fn verdict_badge(verdict: Verdict) -> Markup {
    let (sign, word) = badge(verdict);
    html! { span.badge.{"is-" (word)} { span aria-hidden="true" { (sign) } " " (word) } }
}

pub(super) fn comparisons(run: &Run, verdicts: &Verdicts) -> Markup {
    let themes = by_theme(run, verdicts);
    html! {
        section aria-labelledby="comparisons" {
            h2 #comparisons { "Verdicts" }
            @if themes.is_empty() {
                p { "Nothing was compared: no two cells that belong together were measured in the same block." }
            } @else {
                p.explain {
                    "Each ratio is the first over the second, taken block by block, so what disturbs both falls out. "
                    "In the little drawings the line is 1, the shaded strip counts as equal, and the bar is the 95 % interval."
                }
            }
            @for (theme, comparisons) in &themes {
                h3 { (theme.title()) }
                (comparison_table(theme.title(), comparisons))
            }
            @if let Some(note) = chance_note(verdicts.comparisons.len()) { p.explain { (note) } }
        }
    }
}

fn comparison_table(title: &str, comparisons: &[&Comparison]) -> Markup {
    let reach = reach(comparisons);
    html! {
        div.scroll role="region" tabindex="0" aria-label=(title) {
            table.verdicts {
                thead { tr {
                    th scope="col" { "Finding" }
                    th.number scope="col" { "Ratio" }
                    th scope="col" { span.hidden { "Drawn" } }
                    th scope="col" { "Verdict" }
                } }
                tbody {
                    @for comparison in comparisons { tr {
                        td.sentence { (typeset(&comparison.sentence)) }
                        td.number {
                            b { (ratio(&comparison.ratio)) }
                            @if let Some(interval) = ratio_interval(&comparison.ratio) { small { (interval) } }
                        }
                        td { (forest(comparison, reach)) }
                        td { (verdict_badge(comparison.verdict)) }
                    } }
                }
            }
        }
    }
}

pub(super) fn estimates(run: &Run, group: &Group<'_>, panel: &Panel<'_>) -> Markup {
    let latency = |estimate: &Estimate| {
        if group.shows_latency() {
            figure(estimate, millis)
        } else {
            html! { "–" }
        }
    };
    let title = format!("Figures of {}", group.describe());
    html! {
        div.scroll role="region" tabindex="0" aria-label=(title) {
            table.estimates {
                thead {
                    tr {
                        th scope="col" { "Server" }
                        th.number scope="col" { "Workers" }
                        th.number scope="col" { "Trials" }
                        th.number scope="col" { "Requests" br; "per second" }
                        th.number scope="col" { "CPU per" br; "request, µs" }
                        th.number scope="col" { "user +" br; "kernel, µs" }
                        th.number scope="col" { "p50, ms" }
                        th.number scope="col" { "p99, ms" }
                        th.number scope="col" { "Switches" br; "per request" }
                        th.number scope="col" { "PSS, MiB" }
                    }
                }
                tbody {
                    @for bar in &panel.bars {
                        @let row = bar.figures;
                        tr {
                            th scope="row" {
                                (mark(&bar.cell.server, &run.plan)) " " (bar.cell.server)
                                small { code { (bar.cell.model) } }
                            }
                            td.number { (bar.cell.workers) }
                            td.number { (row.trials) }
                            td.number { (figure(&row.throughput_per_s, rate)) }
                            td.number { (figure(&row.cpu_ns_per_request, micros)) }
                            td.number {
                                (micros(row.user_ns_per_request.point)) " + "
                                (micros(row.system_ns_per_request.point))
                            }
                            td.number { (latency(&row.p50_ns)) }
                            td.number { (latency(&row.p99_ns)) }
                            td.number {
                                @match &row.switches_per_request {
                                    Some(switches) => (significant(switches.point, 2)),
                                    None => "–",
                                }
                            }
                            td.number {
                                @match &row.pss_bytes {
                                    Some(size) => (figure(size, mebibytes)),
                                    None => "–",
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn figure(estimate: &Estimate, show: fn(f64) -> String) -> Markup {
    html! {
        (show(estimate.point))
        @if let Some(interval) = interval(estimate, show) { small { (interval) } }
    }
}

/// A sentence that stands alone: it may begin with a server's name, and no number may be parted
/// from its per cent.
pub(super) fn typeset(sentence: &str) -> String {
    capital(&sentence.replace(" %", "\u{a0}%"))
}
