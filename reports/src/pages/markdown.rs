//! `report.md`: the same facts for places that show Markdown.

use std::fmt::Write as _;

use schema::{Estimate, Verdicts};

use super::{
    GroupPages,
    headline::{Headline, badge, by_theme, chance_note},
    order::{Block, in_order},
    provenance::{self, Fact},
    sections::{self as words, Head, Part, Section, Table},
};
use crate::{
    Run,
    charts::Chart,
    figures::{
        capital, duration, interval, mebibytes, micros, rate, ratio, ratio_interval, significant,
    },
    groups::in_words,
};

pub(super) fn page(
    run: &Run,
    verdicts: &Verdicts,
    groups: &[GroupPages<'_>],
    alone: &[Section],
) -> String {
    let headline = Headline::new(run, verdicts);
    let mut page = Page(String::new());
    page.line(&format!("# Ten Counters: {}", headline.answer()));
    if !verdicts.valid {
        page.line("**Do not quote this run.** What follows was seen, and what is wrong with it is told first below.");
    }
    for answer in headline.answers() {
        page.line(&escaped(&capital(answer.sentence())));
    }
    for remark in headline.remarks() {
        page.line(&escaped(remark));
    }
    if !verdicts.caveats.is_empty() {
        page.line("## What to know before quoting this");
        page.list(verdicts.caveats.iter().map(|caveat| escaped(caveat)));
    }
    for block in in_order(groups, alone) {
        match block {
            Block::Group(group) => group_section(&mut page, verdicts, group),
            Block::Section(section) => page.section(section),
        }
    }
    if !groups.is_empty() {
        comparisons(&mut page, run, verdicts);
    }
    if let Some(fidelity) = words::fidelity(run, verdicts) {
        page.section(&fidelity);
    }
    if let Some(primitives) = words::primitives(run, verdicts) {
        page.section(&primitives);
    }
    page.section(&words::calibration(verdicts));
    not_measured(&mut page, run);
    failed(&mut page, run);
    page.line("## Where the figures come from");
    page.facts(&provenance::plan(run));
    page.facts(&provenance::machine(run));
    page.words(&words::experiments(run));
    page.fenced(&provenance::command(run));
    page.line(provenance::HOW_TO_REPEAT);
    page.0.truncate(page.0.trim_end().len());
    page.0 + "\n"
}

fn group_section(page: &mut Page, verdicts: &Verdicts, group: &GroupPages<'_>) {
    page.line(&format!("## {}", escaped(&group.group.describe())));
    if group.panel.bars.is_empty() {
        page.line("Nothing of this was measured.");
        return;
    }
    let latency = |estimate: &Estimate| match group.no_latency() {
        None => figure(estimate, duration),
        Some(_) => "–".to_owned(),
    };
    page.table(
        &[
            "server",
            "model",
            "workers",
            "trials",
            "requests/s",
            "CPU/request",
            "user + kernel",
            "p50",
            "p99",
            "switches/request",
            "PSS",
        ],
        group.panel.bars.iter().map(|bar| {
            let row = bar.figures;
            vec![
                bar.cell.server.clone(),
                bar.cell.model.to_string(),
                bar.cell.workers.to_string(),
                row.trials.to_string(),
                figure(&row.throughput_per_s, rate),
                format!("{} µs", figure(&row.cpu_ns_per_request, micros)),
                format!(
                    "{} + {} µs",
                    micros(row.user_ns_per_request.point),
                    micros(row.system_ns_per_request.point)
                ),
                latency(&row.p50_ns),
                latency(&row.p99_ns),
                row.switches_per_request
                    .as_ref()
                    .map_or_else(|| "–".to_owned(), |switches| significant(switches.point, 2)),
                row.pss_bytes.as_ref().map_or_else(
                    || "–".to_owned(),
                    |size| format!("{} MiB", figure(size, mebibytes)),
                ),
            ]
        }),
    );
    page.line("Means over trials, with 95 % intervals in brackets.");
    if let Some(why) = group.no_latency() {
        page.line(why);
    }
    let curves = words::scaling(&group.group, verdicts);
    if !curves.is_empty() {
        page.line("### Speed-up and efficiency");
        page.parts(&curves);
    }
    for chart in &group.charts {
        page.chart(chart, &group.file_name(chart));
    }
}

fn comparisons(page: &mut Page, run: &Run, verdicts: &Verdicts) {
    page.line("## Verdicts");
    let themes = by_theme(run, verdicts);
    if themes.is_empty() {
        page.line("Nothing was compared: no two cells that belong together were measured in the same block.");
    }
    for (theme, comparisons) in themes {
        page.line(&format!("### {}", theme.title()));
        page.table(
            &["finding", "ratio", "95 % interval", "verdict"],
            comparisons.iter().map(|comparison| {
                vec![
                    comparison.sentence.clone(),
                    ratio(&comparison.ratio),
                    ratio_interval(&comparison.ratio).unwrap_or_else(|| "–".to_owned()),
                    badge(comparison.verdict).1.to_owned(),
                ]
            }),
        );
    }
    if let Some(note) = chance_note(verdicts.comparisons.len()) {
        page.line(&note);
    }
}

fn not_measured(page: &mut Page, run: &Run) {
    let missing = run.missing_servers();
    if missing.is_empty() {
        return;
    }
    page.line("## Not measured");
    page.list(missing.iter().map(|cell| {
        format!(
            "**{}**: {}, {}",
            escaped(&in_words(cell.cell)),
            escaped(cell.reason),
            escaped(cell.cure)
        )
    }));
}

fn failed(page: &mut Page, run: &Run) {
    let failures = run.failures();
    if failures.is_empty() {
        return;
    }
    page.line("## Trials that failed");
    for failed in failures {
        page.line(&format!(
            "**{}** in block {}, at {}: {}",
            escaped(&in_words(failed.cell)),
            failed.block,
            failed.failure.stage.name(),
            escaped(&failed.failure.reason)
        ));
        if !failed.failure.stderr.is_empty() {
            page.fenced(&failed.failure.stderr);
        }
    }
}

/// A figure with its interval where it has one.
pub(crate) fn figure(estimate: &Estimate, show: fn(f64) -> String) -> String {
    let point = show(estimate.point);
    match interval(estimate, show) {
        Some(interval) => format!("{point} ({interval})"),
        None => point,
    }
}

/// Markdown under way: paragraphs, each followed by an empty line.
struct Page(String);

impl Page {
    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push_str("\n\n");
    }

    fn list(&mut self, items: impl Iterator<Item = String>) {
        for item in items {
            // Writing to a string cannot fail.
            let _ = writeln!(self.0, "- {item}");
        }
        self.0.push('\n');
    }

    fn table(&mut self, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) {
        let _ = writeln!(self.0, "| {} |", heads.join(" | "));
        let _ = writeln!(self.0, "|{}", "---|".repeat(heads.len()));
        for row in rows {
            let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
            let _ = writeln!(self.0, "| {} |", cells.join(" | "));
        }
        self.0.push('\n');
    }

    fn section(&mut self, section: &Section) {
        self.line(&format!("## {}", section.title));
        self.parts(&section.parts);
    }

    fn parts(&mut self, parts: &[Part]) {
        for part in parts {
            match part {
                Part::Text(text) | Part::Aside(text) => self.line(&escaped(text)),
                Part::List(items) if items.is_empty() => {}
                Part::List(items) => self.list(items.iter().map(|item| escaped(&capital(item)))),
                Part::Table(table) => self.words(table),
                Part::Link { text, href } => self.line(&format!("[{}]({href})", escaped(text))),
                Part::Heading(text) => self.line(&format!("### {}", escaped(text))),
                Part::Folded(title, parts) => {
                    self.line(&format!("### {}", escaped(title)));
                    self.parts(parts);
                }
                Part::Chart(chart) => self.chart(chart, &chart.file_name()),
            }
        }
    }

    fn chart(&mut self, chart: &Chart, file: &str) {
        self.line(&format!("### {}", chart.title));
        self.line(&chart.how_to_read);
        self.line(&format!("![{}](charts/{file})", chart.title));
    }

    fn words(&mut self, table: &Table) {
        let heads: Vec<&str> = table.heads.iter().map(Head::name).collect();
        self.table(&heads, table.rows.iter().cloned());
    }

    fn facts(&mut self, facts: &[Fact]) {
        let rows = facts
            .iter()
            .map(|(name, value)| vec![(*name).to_owned(), value.clone()]);
        self.table(&["", ""], rows);
    }

    /// Text as it is, behind a fence longer than any in it.
    fn fenced(&mut self, text: &str) {
        let mut longest = 0;
        let mut run = 0;
        for character in text.chars() {
            run = if character == '`' { run + 1 } else { 0 };
            longest = longest.max(run);
        }
        let fence = "`".repeat(3.max(longest + 1));
        self.line(&format!("{fence}text\n{}\n{fence}", text.trim_end()));
    }
}

/// Text that Markdown and HTML leave alone, in one line.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '#' | '~' => {
                safe.push('\\');
                safe.push(character);
            }
            '\n' | '\r' => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_cell_or_become_markup() {
        assert_eq!(escaped("a|b\n<script>"), r"a\|b &lt;script&gt;");
        assert_eq!(escaped("[x](y)"), r"\[x\](y)");
    }

    #[test]
    fn text_cannot_end_the_fence_it_stands_behind() {
        let mut page = Page(String::new());
        page.fenced("before\n````\nafter");
        assert!(page.0.starts_with("`````text\n"), "{}", page.0);
        assert!(page.0.trim_end().ends_with("\n`````"), "{}", page.0);
    }
}
