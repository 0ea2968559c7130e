//! `report.html`: one file that loads nothing.

mod forest;
mod sections;
mod story;
mod tables;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use schema::Verdicts;

use self::tables::{typeset, verdict_badge};
use super::{
    GroupPages,
    headline::{Answer, Headline},
    order::{Block, in_order},
    provenance::{self, Fact},
    sections as words,
};
use crate::{
    Run,
    charts::{class_rules, dark_rules},
    figures::{ratio, ratio_in_brief, ratio_interval},
    groups::in_words,
};

/// Nothing may be loaded or run; only the page's own style applies.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// More are not read; the rest is folded away.
const CAVEATS: usize = 10;

pub(super) fn page(
    run: &Run,
    verdicts: &Verdicts,
    groups: &[GroupPages<'_>],
    alone: &[words::Section],
) -> String {
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
                    @for block in in_order(groups, alone) {
                        @match block {
                            Block::Group(group) => { (group_section(run, verdicts, group)) },
                            Block::Section(section) => { (sections::section(section)) },
                        }
                    }
                    @if !groups.is_empty() { (tables::comparisons(run, verdicts)) }
                    @if let Some(fidelity) = words::fidelity(run, verdicts) { (sections::section(&fidelity)) }
                    @if let Some(primitives) = words::primitives(run, verdicts) { (sections::section(&primitives)) }
                    (sections::section(&words::calibration(verdicts)))
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
            @for answer in headline.answers() { p.lead { (typeset(answer.sentence())) } }
            @for remark in headline.remarks() { p { (typeset(remark)) } }
            @if headline.answers().next().is_some() {
                div.cards { @for answer in headline.answers() { (card(answer)) } }
            }
            p.stamp {
                (run.plan.preset.name()) " run on " (run.machine.cpu_model) ", planned "
                (provenance::planned_at(run)) ", seed " (run.plan.seed) ", " (provenance::trials(run))
            }
        }
    }
}

fn card(answer: &Answer<'_>) -> Markup {
    let ratio = &answer.comparison.ratio;
    html! {
        section.card {
            h2 { (answer.title) }
            p.big { b.ratio { (ratio_in_brief(ratio)) span { "×" } } (verdict_badge(answer.comparison.verdict)) }
            p.fine {
                @match ratio_interval(ratio) {
                    Some(interval) => { "95 % interval " (interval) },
                    None => "too few trials for an interval",
                }
                br; (answer.what) ", " (answer.setting)
                @if answer.emulated { " " span.label { "emulated" } }
                @if let Some(efficiency) = &answer.efficiency { br; "efficiency " (self::ratio(efficiency)) }
                @if let Some(by_cpu) = &answer.by_cpu_given { br; (self::ratio(by_cpu)) "× by CPU time given" }
            }
        }
    }
}

fn caveats(verdicts: &Verdicts) -> Markup {
    let all = &verdicts.caveats;
    let (first, rest) = all.split_at(all.len().min(CAVEATS));
    html! {
        @if !verdicts.caveats.is_empty() {
            section.caveats aria-labelledby="caveats" {
                h2 #caveats { "What to know before quoting this" }
                ul { @for caveat in first { li { (typeset(caveat)) } } }
                @if !rest.is_empty() {
                    details {
                        summary { "And " (rest.len()) " more" }
                        ul { @for caveat in rest { li { (typeset(caveat)) } } }
                    }
                }
            }
        }
    }
}

fn group_section(run: &Run, verdicts: &Verdicts, group: &GroupPages<'_>) -> Markup {
    let name = &group.group.name;
    let curves = words::scaling(&group.group, verdicts);
    html! {
        section aria-labelledby=(name) {
            h2 #(name) { (typeset(&group.group.describe())) }
            @if group.panel.bars.is_empty() { p { "Nothing of this was measured." } }
            @for chart in &group.charts {
                (sections::figure(&format!("{name}-{}", chart.name), chart))
            }
            @if !curves.is_empty() {
                h3 { "Speed-up and efficiency" }
                (sections::parts(&curves, "Speed-up and efficiency"))
            }
            @if !group.panel.bars.is_empty() {
                @if let Some(why) = group.no_latency() { p.explain { (why) } }
                @if curves.is_empty() {
                    h3 { "All figures" }
                    (figures(run, group))
                } @else {
                    // Most of them stand in the table of speed-ups already.
                    details { summary { "All figures" } (figures(run, group)) }
                }
            }
        }
    }
}

fn figures(run: &Run, group: &GroupPages<'_>) -> Markup {
    html! {
        p.explain { "Means over trials, each with its 95 % interval below it." }
        (tables::estimates(run, &group.group, &group.panel))
    }
}

fn not_measured(run: &Run) -> Markup {
    let missing = run.missing_servers();
    html! {
        @if !missing.is_empty() {
            section aria-labelledby="not-measured" {
                h2 #not-measured { "Not measured" }
                ul {
                    @for cell in &missing {
                        li { b { (in_words(cell.cell)) } ": " (cell.reason) ", " (cell.cure) }
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
            h3 { "Experiments" }
            (sections::table(&words::experiments(run), "Experiments"))
            h3 { "Again" }
            pre { (provenance::command(run)) }
            p.explain { (provenance::HOW_TO_REPEAT) }
        }
    }
}

fn facts(facts: &[Fact]) -> Markup {
    html! { dl { @for (name, value) in facts { dt { (name) } dd { (value) } } } }
}
