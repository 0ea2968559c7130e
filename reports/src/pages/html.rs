//! `report.html`: one file that loads nothing.

mod forest;
mod story;
mod tables;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use schema::{Comparison, Verdicts};

use self::tables::{typeset, verdict_badge};
use super::{
    GroupPages,
    headline::Headline,
    provenance::{self, Fact},
};
use crate::{
    Run,
    charts::{class_rules, dark_rules},
    figures::{ratio_in_brief, ratio_interval},
    groups::{in_words, workers},
};

/// Nothing may be loaded or run; only the page's own style applies.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

pub(super) fn page(run: &Run, verdicts: &Verdicts, groups: &[GroupPages<'_>]) -> String {
    let headline = Headline::new(run, verdicts);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Ten Counters: " (headline.answer()) }
                style { (PreEscaped(style())) }
            }
            body {
                (header(run, verdicts, &headline))
                main {
                    (caveats(verdicts))
                    (story::story(run))
                    @for group in groups { (group_section(run, group)) }
                    (tables::comparisons(run, verdicts))
                    (not_measured(run))
                    (failed(run))
                    (origin(run))
                }
                footer {
                    p {
                        "Ten Counters asks one question: given the same handler, what changes when the workers are "
                        "processes, and what when they are threads? One launch of a server is one sample, however "
                        "many requests it answers."
                    }
                }
            }
        }
    }
    .into_string()
}

fn style() -> String {
    format!(
        "{}{}@media screen and (prefers-color-scheme:dark){{{}{}}}",
        include_str!("html/report.css"),
        class_rules(false),
        dark_rules(),
        class_rules(true)
    )
}

fn header(run: &Run, verdicts: &Verdicts, headline: &Headline<'_>) -> Markup {
    html! {
        header {
            p.kicker { "Ten Counters" span { "threads or processes?" } }
            h1 { (headline.answer()) }
            @if !verdicts.valid {
                p.invalid role="note" {
                    b { "Do not quote this run." } " What follows was seen, and what is wrong with it is told first below."
                }
            }
            @if let Some(comparison) = headline.throughput {
                p.lead { (typeset(&comparison.sentence)) }
            }
            @if let Some(comparison) = headline.cpu {
                p.lead { (typeset(&comparison.sentence)) }
            }
            @if headline.throughput.is_some() || !headline.growth.is_empty() { (cards(headline)) }
            p.stamp {
                (run.plan.preset.name()) " run on " (run.machine.cpu_model) ", planned "
                (provenance::planned_at(run)) ", " (provenance::trials(run))
            }
        }
    }
}

fn cards(headline: &Headline<'_>) -> Markup {
    html! {
        div.cards {
            @if let Some(comparison) = headline.throughput {
                (card("Throughput, processes over threads", comparison, headline.setting().as_deref()))
            }
            @if let Some(comparison) = headline.cpu {
                (card("CPU per request, processes over threads", comparison, headline.setting().as_deref()))
            }
            @if !headline.growth.is_empty() {
                section.card {
                    h2 { "Throughput, many workers over one" }
                    @for growth in &headline.growth {
                        div.growth {
                            b.ratio { (ratio_in_brief(&growth.comparison.ratio)) span { "×" } }
                            div {
                                p { (growth.who()) ", 1 → " (workers(growth.workers)) }
                                (verdict_badge(growth.comparison.verdict))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn card(title: &str, comparison: &Comparison, setting: Option<&str>) -> Markup {
    html! {
        section.card {
            h2 { (title) }
            p.big { b.ratio { (ratio_in_brief(&comparison.ratio)) span { "×" } } (verdict_badge(comparison.verdict)) }
            p.fine {
                @match ratio_interval(&comparison.ratio) {
                    Some(interval) => { "95 % interval " (interval) },
                    None => "too few trials for an interval",
                }
                @if let Some(setting) = setting { br; (setting) }
            }
        }
    }
}

fn caveats(verdicts: &Verdicts) -> Markup {
    html! {
        @if !verdicts.caveats.is_empty() {
            section.caveats aria-labelledby="caveats" {
                h2 #caveats { "What to know before quoting this" }
                ul { @for caveat in &verdicts.caveats { li { (typeset(caveat)) } } }
            }
        }
    }
}

fn group_section(run: &Run, group: &GroupPages<'_>) -> Markup {
    let name = &group.group.name;
    html! {
        section aria-labelledby=(name) {
            h2 #(name) { (typeset(&group.group.describe())) }
            @if group.charts.is_empty() { p { "Nothing of this was measured." } }
            @for chart in &group.charts {
                figure.chart #{(name) "-" (chart.name)} {
                    figcaption {
                        h3 { (chart.title) }
                        p.explain { (chart.how_to_read) }
                    }
                    (chart.figure)
                }
            }
            @if !group.panel.bars.is_empty() {
                h3 { "All figures" }
                p.explain { "Means over trials, each with its 95 % interval below it." }
                (tables::estimates(run, &group.group, &group.panel))
            }
        }
    }
}

fn not_measured(run: &Run) -> Markup {
    let missing = run.missing();
    html! {
        @if !missing.is_empty() {
            section aria-labelledby="not-measured" {
                h2 #not-measured { "Not measured" }
                ul {
                    @for cell in &missing {
                        li { b { (in_words(cell.cell)) } ": " (cell.reason) ". " (typeset(cell.cure)) }
                    }
                }
            }
        }
    }
}

fn failed(run: &Run) -> Markup {
    let failures = run.failures();
    html! {
        @if !failures.is_empty() {
            section aria-labelledby="failed" {
                h2 #failed { "Trials that failed" }
                @for failed in &failures {
                    details {
                        summary {
                            b { (in_words(failed.cell)) } " in block " (failed.block) ", at " (failed.failure.stage.name())
                            ": " (failed.failure.reason)
                        }
                        @if failed.failure.stderr.is_empty() {
                            p.explain { "The server wrote nothing to stderr." }
                        } @else {
                            p.explain { "The last the server wrote to stderr:" }
                            pre { (failed.failure.stderr) }
                        }
                    }
                }
            }
        }
    }
}

fn origin(run: &Run) -> Markup {
    html! {
        section aria-labelledby="origin" {
            h2 #origin { "Where the figures come from" }
            div.facts {
                div { h3 { "Plan" } (facts(&provenance::plan(run))) }
                div { h3 { "Machine" } (facts(&provenance::machine(run))) }
            }
            h3 { "Again" }
            pre { (provenance::command(run)) }
            p.explain { (provenance::HOW_TO_REPEAT) }
        }
    }
}

fn facts(facts: &[Fact]) -> Markup {
    html! { dl { @for (name, value) in facts { dt { (name) } dd { (value) } } } }
}
