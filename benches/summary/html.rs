//! `summary.html`: one file that loads nothing, in the look of the reports of runs.

use std::{fmt::Write as _, path::Path};

use maud::{DOCTYPE, Markup, PreEscaped, html};
use schema::{
    Estimate, PrimitiveCost, PrimitiveGroup, PrimitiveNoise, PrimitiveRatio, PrimitiveRow, Worker,
};

use super::{
    catalogue::{self, Group, NOISE},
    forest::{forest, reach},
    notes,
    rows::Clock,
    tables::{Summary, title},
    words::{instant, interval_of_ratio, interval_of_time, name, rate, time, times, told},
};

/// Nothing may be loaded or run; only the page's own style applies.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The look of the reports comes from their own style, so that both change together.
const STYLE: &str = concat!(
    include_str!("../../reports/src/pages/html/report.css"),
    include_str!("summary.css")
);

/// Criterion's own reports, for a page that is to link to them.
#[derive(Clone, Copy, Debug)]
pub struct Criterion<'a> {
    /// Where they are.
    pub folder: &'a Path,
    /// The link that leads there from the page.
    pub way: &'a str,
}

/// The page; without links where it is to be read elsewhere.
pub fn page(summary: &Summary, criterion: Option<Criterion<'_>>) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Ten Counters: what each primitive costs" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(summary))
                main {
                    (overview(summary))
                    @for group in &summary.primitives.groups {
                        (section(summary, group, criterion))
                    }
                    (method(summary))
                }
                footer { p { "cargo bench writes this page anew after every bench; bench-summary does it without measuring." } }
            }
        }
    }
    .into_string()
}

fn header(summary: &Summary) -> Markup {
    let newest = summary
        .primitives
        .groups
        .iter()
        .map(|group| group.measured_unix_s)
        .max();
    html! {
        header {
            p.kicker { "Ten Counters" span { "threads or processes?" } }
            h1 { "What each primitive costs" }
            section.caveats aria-labelledby="caveats" {
                h2 #caveats { "What to know before quoting this" }
                ul { @for note in notes::before_quoting(summary) { li { (note) } } }
            }
            @for line in notes::lead(summary) { p { (line) } }
            p.stamp {
                (summary.primitives.cpu_model) ", Linux " (summary.primitives.kernel)
                @if let Some(newest) = newest { ", last measured " (instant(newest)) }
            }
        }
    }
}

fn overview(summary: &Summary) -> Markup {
    let groups = notes::overview(summary);
    html! {
        @if !groups.is_empty() {
            section aria-labelledby="overview" {
                h2 #overview { "Who costs more" }
                p.explain { "Rows of each group in which a process costs more than a thread, in which a thread costs more, and in which no difference is told." }
                table.overview {
                    thead {
                        tr {
                            td {}
                            @for clock in ["By the clock", "In CPU time"] { th.clock scope="colgroup" colspan="3" { (clock) } }
                        }
                        tr {
                            th scope="col" { "Group" }
                            @for _ in Clock::BOTH {
                                @for worker in [Some(Worker::Process), Some(Worker::Thread), None] {
                                    th.number scope="col" { (sign(worker)) br; (worker.map_or("no one", Worker::name)) }
                                }
                            }
                        }
                    }
                    tbody {
                        @for (name, title, counts) in &groups {
                            tr {
                                th scope="row" { a href={"#" (name)} { (title) } }
                                @for counts in counts {
                                    @let measured = counts.iter().sum::<usize>() > 0;
                                    @for count in counts {
                                        td.number.zero[*count == 0] { @if measured { (count) } @else { "–" } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn section(summary: &Summary, group: &PrimitiveGroup, criterion: Option<Criterion<'_>>) -> Markup {
    html! {
        section aria-labelledby=(group.name) {
            h2 #(group.name) { (title(&group.name)) }
            @if !group.asks.is_empty() { p { (group.asks) } }
            @if let Some(means) = &group.means { p.means { b { "For a server. " } (means) } }
            @if group.name == NOISE {
                (again(summary))
            } @else if group.rows.iter().all(|row| row.alone.is_some()) {
                (listed(group))
            } @else {
                (pairs(group, summary.primitives.noise))
            }
            p.fine {
                code { (group.name) } ", measured " (instant(group.measured_unix_s))
                @if summary.quick.contains(&group.name) { " " span.label { "quick" } }
                @if let Some(criterion) = criterion { (links(summary, group, criterion)) }
            }
        }
    }
}

/// Criterion's own reports of a group, where it has made any.
fn links(summary: &Summary, group: &PrimitiveGroup, criterion: Criterion<'_>) -> Markup {
    let folders = summary.folders.get(&group.name);
    let names = ["by the clock", "in CPU time"];
    let reports: Vec<(&str, String)> = folders
        .into_iter()
        .flatten()
        .zip(names)
        .filter_map(|(folder, name)| {
            let report = format!("{}/report/index.html", folder.as_ref()?);
            let there = criterion.folder.join(&report).exists();
            there.then(|| (name, format!("{}/{}", criterion.way, in_url(&report))))
        })
        .collect();
    html! {
        @if !reports.is_empty() {
            "; criterion's own report "
            @for (place, (name, link)) in reports.iter().enumerate() {
                @if place > 0 { ", " }
                a href=(link) { (name) }
            }
        }
    }
}

/// What a browser would take for something else than a part of a path.
pub fn in_url(path: &str) -> String {
    let mut out = String::new();
    for letter in path.chars() {
        match letter {
            '%' | '#' | '?' | ' ' | '"' => {
                let _ = write!(out, "%{:02X}", u32::from(letter));
            }
            _ => out.push(letter),
        }
    }
    out
}

fn again(summary: &Summary) -> Markup {
    html! {
        table.twice {
            thead { tr { th scope="col" { "Measured twice" } th.number scope="col" { "First over second" } } }
            tbody {
                @for again in &summary.again {
                    tr {
                        th scope="row" { (super::words::capital(&notes::twice(again))) }
                        td.number { (times(again.ratio.point)) (interval(interval_of_ratio(&again.ratio))) }
                    }
                }
            }
        }
    }
}

fn listed(group: &PrimitiveGroup) -> Markup {
    let costs = || {
        group
            .rows
            .iter()
            .filter_map(|row| row.alone.as_ref().map(|cost| (row, cost)))
    };
    let cpu = costs().any(|(_, cost)| cost.cpu_ns.is_some());
    html! {
        table.twice {
            thead { tr {
                th scope="col" { "What" }
                th.number scope="col" { "Time" }
                @if cpu { th.number scope="col" { "CPU time" } }
            } }
            tbody {
                @for (row, cost) in costs() {
                    tr {
                        th scope="row" { (name(&row.what)) @if !row.parameter.is_empty() { ", " (name(&row.parameter)) } }
                        td.number { (figure(Some(cost), Clock::Wall)) }
                        @if cpu { td.number { (figure(Some(cost), Clock::Cpu)) } }
                    }
                }
            }
        }
    }
}

fn pairs(group: &PrimitiveGroup, noise: PrimitiveNoise) -> Markup {
    let described = catalogue::group(&group.name);
    let unit = described.map_or("", |group| group.unit);
    let clocks: Vec<Clock> = Clock::BOTH
        .into_iter()
        .filter(|&clock| group.rows.iter().any(|row| measured(row, clock)))
        .collect();
    let reach = reach(&group.rows);
    html! {
        table.pairs.unvaried[unit.is_empty()] {
            thead {
                tr {
                    td colspan=(1 + usize::from(!unit.is_empty())) {}
                    @for clock in &clocks { th.clock scope="colgroup" colspan="3" { (super::words::capital(clock.words())) } }
                }
                tr {
                    th scope="col" { "What" }
                    @if !unit.is_empty() { th scope="col" { (super::words::capital(unit)) } }
                    @for _ in &clocks {
                        th.number.first scope="col" { "Thread" }
                        th.number scope="col" { "Process" }
                        th scope="col" { "Beside each other" }
                    }
                }
            }
            tbody {
                @for (place, row) in group.rows.iter().enumerate() {
                    @let repeats = place > 0 && group.rows[place - 1].what == row.what;
                    tr.repeats[repeats] {
                        th scope="row" { span.what { (name(&row.what)) } }
                        @if !unit.is_empty() { td.parameter data-unit=(unit) { (parameter(described, row)) } }
                        @for &clock in &clocks { (by_clock(row, clock, (reach, clock.judge(noise).noise))) }
                    }
                }
            }
        }
    }
}

fn measured(row: &PrimitiveRow, clock: Clock) -> bool {
    let costs = [&row.thread, &row.process, &row.alone];
    costs
        .into_iter()
        .flatten()
        .any(|cost| clock.of(cost).is_some())
}

fn parameter<'a>(described: Option<&'a Group>, row: &'a PrimitiveRow) -> &'a str {
    described.map_or(row.parameter.as_str(), |group| {
        group.in_words(&row.parameter)
    })
}

fn by_clock(row: &PrimitiveRow, clock: Clock, (reach, noise): (f64, Option<f64>)) -> Markup {
    let label = match clock {
        Clock::Wall => "clock",
        Clock::Cpu => "CPU",
    };
    html! {
        @if row.alone.is_some() {
            td.number.first.alone colspan="2" data-label=(label) { (figure(row.alone.as_ref(), clock)) }
            td {}
        } @else {
            td.number.first data-label={(label) ": thread"} { (figure(row.thread.as_ref(), clock)) }
            td.number data-label="process" { (figure(row.process.as_ref(), clock)) }
            td.ratio-cell {
                @if let Some(ratio) = clock.ratio(row) { (beside(ratio, reach, noise)) }
            }
        }
    }
}

fn figure(cost: Option<&PrimitiveCost>, clock: Clock) -> Markup {
    let figure = cost.and_then(|cost| Some((clock.of(cost)?, cost.bytes)));
    html! {
        @match figure {
            None => "–",
            Some((figure, bytes)) => {
                (time(figure.point))
                (interval(interval_of_time(figure)))
                @if let (Some(bytes), Clock::Wall) = (bytes, clock) { small { (rate(bytes, figure.point)) } }
            }
        }
    }
}

fn interval(interval: Option<String>) -> Markup {
    html! { @if let Some(interval) = interval { small { (interval) } } }
}

fn beside(ratio: &PrimitiveRatio, reach: f64, noise: Option<f64>) -> Markup {
    html! {
        (forest(ratio, reach, noise))
        span.{"told " (class(ratio.dearer))} { (sign(ratio.dearer)) " " (told(ratio)) }
        @if let Some(interval) = process_over_thread(&ratio.ratio) { small { (interval) } }
    }
}

/// The interval as it is drawn, whoever costs more.
fn process_over_thread(ratio: &Estimate) -> Option<String> {
    interval_of_ratio(ratio).map(|interval| format!("ratio {interval}"))
}

/// Shapes as the charts of runs have them for their kinds of workers.
fn sign(dearer: Option<Worker>) -> Markup {
    let sign = match dearer {
        Some(Worker::Process) => "■",
        Some(Worker::Thread) => "▲",
        None => "=",
    };
    html! { span.sign.(class(dearer)) aria-hidden="true" { (sign) } }
}

pub(super) const fn class(dearer: Option<Worker>) -> &'static str {
    match dearer {
        Some(Worker::Process) => "by-process",
        Some(Worker::Thread) => "by-thread",
        None => "by-none",
    }
}

fn method(summary: &Summary) -> Markup {
    html! {
        section aria-labelledby="method" {
            h2 #method { "How to read this" }
            @for paragraph in notes::method() { p { (paragraph) } }
            @for (what, lines) in [("Not measured", &summary.missing), ("Passed over", &summary.passed_over)] {
                @if !lines.is_empty() {
                    details {
                        summary { (what) ": " (lines.len()) }
                        ul { @for line in lines { li { (line) } } }
                    }
                }
            }
        }
    }
}
