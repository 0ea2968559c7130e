//! `summary.md`.

use std::fmt::Write as _;

use schema::{Estimate, PrimitiveCost, PrimitiveGroup, PrimitiveRatio};

use super::{
    catalogue::{self, NOISE},
    notes,
    rows::Clock,
    tables::{Summary, title},
    words::{instant, interval_of_ratio, interval_of_time, name, rate, time, times, told},
};

const NONE: &str = "–";

/// The page.
pub fn page(summary: &Summary) -> String {
    let mut text = String::from("# What each primitive costs, in threads and in processes\n\n");
    for note in notes::before_quoting(summary) {
        let _ = writeln!(text, "> {}\n", escaped(&note));
    }
    for line in notes::lead(summary) {
        let _ = writeln!(text, "{line}\n");
    }
    let _ = writeln!(
        text,
        "{}, Linux {}\n",
        escaped(&summary.primitives.cpu_model),
        escaped(&summary.primitives.kernel)
    );
    for group in &summary.primitives.groups {
        section(&mut text, summary, group);
    }
    let _ = writeln!(text, "## How to read this\n");
    for paragraph in notes::method() {
        let _ = writeln!(text, "- {paragraph}");
    }
    let rest = summary.missing.iter().chain(&summary.passed_over);
    let rest: Vec<&String> = rest.collect();
    if !rest.is_empty() {
        let _ = writeln!(text, "\n## Not in the tables\n");
        for line in rest {
            let _ = writeln!(text, "- {}", escaped(line));
        }
    }
    text
}

fn section(text: &mut String, summary: &Summary, group: &PrimitiveGroup) {
    let _ = writeln!(text, "## {}\n", escaped(&title(&group.name)));
    if !group.asks.is_empty() {
        let _ = writeln!(text, "{}\n", group.asks);
    }
    if let Some(means) = &group.means {
        let _ = writeln!(text, "**For a server:** {means}\n");
    }
    if group.name == NOISE {
        let _ = writeln!(text, "| measured twice | first over second |\n|---|--:|");
        for again in &summary.again {
            let _ = writeln!(
                text,
                "| {} | {} |",
                notes::twice(again),
                bare_ratio(&again.ratio)
            );
        }
    } else if group.rows.iter().all(|row| row.alone.is_some()) {
        listed(text, group);
    } else {
        pairs(text, group);
    }
    let _ = writeln!(
        text,
        "\n`{}`, measured {}\n",
        group.name,
        instant(group.measured_unix_s)
    );
}

fn pairs(text: &mut String, group: &PrimitiveGroup) {
    let described = catalogue::group(&group.name);
    let unit = described.map_or("", |group| group.unit);
    let _ = writeln!(
        text,
        "| what | {unit} | thread | process | by the clock | thread, CPU | process, CPU | in CPU time |\n\
         |---|---|--:|--:|---|--:|--:|---|"
    );
    for row in &group.rows {
        let parameter = described.map_or(row.parameter.as_str(), |group| {
            group.in_words(&row.parameter)
        });
        let _ = write!(
            text,
            "| {} | {} |",
            escaped(&name(&row.what)),
            escaped(parameter)
        );
        for clock in Clock::BOTH {
            if let Some(alone) = &row.alone {
                let _ = write!(text, " {} | | |", figure(alone, clock));
                continue;
            }
            let [thread, process] = [&row.thread, &row.process].map(|cost| {
                let figure = cost.as_ref().map(|cost| figure(cost, clock));
                figure.unwrap_or_else(|| NONE.to_owned())
            });
            let words = clock.ratio(row).map_or_else(|| NONE.to_owned(), ratio);
            let _ = write!(text, " {thread} | {process} | {words} |");
        }
        text.push('\n');
    }
}

fn listed(text: &mut String, group: &PrimitiveGroup) {
    let cpu = |cost: &PrimitiveCost| cost.cpu_ns.is_some();
    let cpu = group
        .rows
        .iter()
        .filter_map(|row| row.alone.as_ref())
        .any(cpu);
    let (head, line) = if cpu {
        (" CPU time |", "--:|")
    } else {
        ("", "")
    };
    let _ = writeln!(text, "| what | time |{head}\n|---|--:|{line}");
    for row in &group.rows {
        let Some(cost) = &row.alone else { continue };
        let what = [row.what.as_str(), row.parameter.as_str()].join(" ");
        let _ = write!(
            text,
            "| {} | {} |",
            escaped(&name(what.trim())),
            figure(cost, Clock::Wall)
        );
        if cpu {
            let _ = write!(text, " {} |", figure(cost, Clock::Cpu));
        }
        text.push('\n');
    }
}

fn figure(cost: &PrimitiveCost, clock: Clock) -> String {
    let Some(figure) = clock.of(cost) else {
        return NONE.to_owned();
    };
    let mut text = time(figure.point);
    if let Some(interval) = interval_of_time(figure) {
        let _ = write!(text, " ({interval})");
    }
    if let (Some(bytes), Clock::Wall) = (cost.bytes, clock) {
        let _ = write!(text, ", {}", rate(bytes, figure.point));
    }
    text
}

fn ratio(ratio: &PrimitiveRatio) -> String {
    let text = told(ratio);
    let interval = interval_of_ratio(&ratio.ratio);
    interval.map_or(text.clone(), |interval| format!("{text} ({interval})"))
}

fn bare_ratio(ratio: &Estimate) -> String {
    let point = times(ratio.point);
    let interval = interval_of_ratio(ratio);
    interval.map_or(point.clone(), |interval| format!("{point} ({interval})"))
}

/// What others have named, so that it stays one cell and one line.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '|' | '*' | '_' | '`' | '<' | '[' | '\\' => out.extend(['\\', letter]),
            _ if letter.is_control() => out.push(' '),
            _ => out.push(letter),
        }
    }
    out
}
