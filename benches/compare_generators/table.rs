//! The page for people: Markdown that a terminal shows as well.

use std::fmt::Write;

use crate::{
    generators::OURS,
    number,
    offered::Load,
    record::{Part, Record},
    summary::{Metric, Row},
    targets::Target,
};

const ABSENT: &str = "–";

/// Everything.
pub fn page(record: &Record) -> String {
    let mut page = format!(
        "# {OURS} load beside its peers\n\n{}\n",
        circumstances(record)
    );
    for part in &record.parts {
        let _ = write!(page, "\n{}", section(part));
    }
    page.push_str("\n## Targets\n\n");
    for target in &record.targets {
        let _ = writeln!(page, "- {}", target_line(target));
    }
    page.push_str("\n## Notes\n\n");
    for note in &record.notes {
        let _ = writeln!(page, "- {note}");
    }
    page
}

fn circumstances(record: &Record) -> String {
    let versions: Vec<String> = record
        .generators
        .iter()
        .filter(|generator| generator.absent.is_none())
        .map(|generator| {
            let version = generator.version.as_deref().unwrap_or("of unknown version");
            format!("- {}: {version}", generator.name)
        })
        .collect();
    format!(
        "{} connections, {} s a measurement, {} rounds, seed {}. The server is {} on CPU {}, \
         the generators run on CPU {}, with one thread each. {}, Linux {}.\n\n{}",
        record.connections,
        record.duration_s,
        record.rounds,
        record.seed,
        record.server.name,
        record.server.cpu,
        record.generator_cpu,
        record.machine.cpu_model,
        record.machine.kernel,
        versions.join("\n")
    )
}

fn section(part: &Part) -> String {
    let title = part.load.to_string();
    let title = title[..1].to_uppercase() + &title[1..];
    let mut section = format!("## {title}\n\nMedians over rounds:\n\n");
    section.push_str(&medians(part));
    let ratios = ratios(part);
    if !ratios.is_empty() {
        let _ = write!(
            section,
            "\n{OURS} over each peer, round by round: geometric mean (95 % interval); below 1, \
             {OURS} has less:\n\n{ratios}"
        );
    }
    let remarks = part.rows.iter().flat_map(|row| {
        let line = move |remark| format!("- {}: {remark}\n", row.generator);
        row.remarks.iter().map(line)
    });
    let remarks: String = remarks.collect();
    if !remarks.is_empty() {
        let _ = write!(section, "\n{remarks}");
    }
    section
}

fn metrics(load: Load) -> &'static [(Metric, &'static str)] {
    match load {
        Load::Closed => &[
            (Metric::PerSecond, "requests/s"),
            (Metric::Cpu, "CPU/request"),
        ],
        Load::Open { .. } => &[
            (Metric::PerSecond, "requests/s"),
            (Metric::P50, "p50"),
            (Metric::P99, "p99"),
            (Metric::P999, "p99.9"),
            (Metric::Cpu, "CPU/request"),
            (Metric::Lateness, "lateness p99"),
        ],
    }
}

fn medians(part: &Part) -> String {
    let metrics = metrics(part.load);
    let cell = |row: &Row, metric| {
        let value = row.medians.get(metric);
        value.map_or_else(
            || ABSENT.to_owned(),
            |&value| match metric {
                Metric::PerSecond => number::grouped(value),
                _ => number::time(value),
            },
        )
    };
    table("generator", metrics, part.rows.iter(), cell)
}

/// Empty where there is no peer to compare with.
fn ratios(part: &Part) -> String {
    let has_any = |row: &&Row| {
        metrics(part.load)
            .iter()
            .any(|&(metric, _)| row.own_over_it.get(metric).is_some())
    };
    let rows: Vec<&Row> = part.rows.iter().filter(has_any).collect();
    if rows.is_empty() {
        return String::new();
    }
    // Lateness is told by this project's own generator alone.
    let compared: Vec<_> = metrics(part.load)
        .iter()
        .copied()
        .filter(|&(metric, _)| metric != Metric::Lateness)
        .collect();
    let cell = |row: &Row, metric| {
        let ratio = row.own_over_it.get(metric);
        ratio.map_or_else(|| ABSENT.to_owned(), number::ratio)
    };
    table("peer", &compared, rows.into_iter(), cell)
}

fn table<'r>(
    first: &str,
    metrics: &[(Metric, &str)],
    rows: impl Iterator<Item = &'r Row>,
    cell: impl Fn(&Row, Metric) -> String,
) -> String {
    let titles = std::iter::once(first).chain(metrics.iter().map(|&(_, title)| title));
    let mut lines = vec![titles.map(str::to_owned).collect::<Vec<String>>()];
    lines.extend(rows.map(|row| {
        let cells = metrics.iter().map(|&(metric, _)| cell(row, metric));
        std::iter::once(row.generator.to_owned())
            .chain(cells)
            .collect()
    }));
    aligned(&lines)
}

/// A Markdown table with columns of one width each: the first to the left, numbers to the right.
fn aligned(lines: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let mut out = String::new();
    for (place, line) in lines.iter().enumerate() {
        for (column, cell) in line.iter().enumerate() {
            let width = widths[column];
            let _ = match column {
                0 => write!(out, "| {cell:<width$} |"),
                _ => write!(out, " {cell:>width$} |"),
            };
        }
        out.push('\n');
        if place == 0 {
            for (column, &width) in widths.iter().enumerate() {
                let _ = match column {
                    0 => write!(out, "|{:-<1$}|", "", width + 2),
                    _ => write!(out, "{:->1$}:|", "", width + 1),
                };
            }
            out.push('\n');
        }
    }
    out
}

fn target_line(target: &Target) -> String {
    let Target {
        sentence,
        met,
        figure,
    } = target;
    match met {
        Some(true) => format!("met: {sentence}: {figure}"),
        Some(false) => format!("not met: {sentence}: {figure}"),
        None => format!("{figure}: {sentence}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        generators::tests::all_found,
        summary::{
            self,
            tests::{failed, run},
        },
    };

    #[test]
    fn a_section_shows_medians_ratios_and_what_failed() {
        let open = Load::Open { rate_per_s: 1000 };
        let runs = [
            run(open, 0, 0, 1000, 30_000.0),
            run(open, 5, 0, 1000, 60_000.0),
            failed(open, 2, 0),
        ];
        let part = Part {
            load: open,
            rows: summary::rows(open, &all_found(), &runs, 1),
        };
        let expected = "\
## Open loop, 1,000 requests/s

Medians over rounds:

| generator | requests/s |     p50 |     p99 |   p99.9 | CPU/request | lateness p99 |
|-----------|-----------:|--------:|--------:|--------:|------------:|-------------:|
| counters  |      1,000 | 15.0 µs | 30.0 µs | 60.0 µs |     10.0 µs |      1.00 µs |
| h2load    |          – |       – |       – |       – |           – |            – |
| oha       |      1,000 | 30.0 µs | 60.0 µs |  120 µs |     10.0 µs |            – |

counters over each peer, round by round: geometric mean (95 % interval); below 1, counters has less:

| peer | requests/s |  p50 |  p99 | p99.9 | CPU/request |
|------|-----------:|-----:|-----:|------:|------------:|
| oha  |       1.00 | 0.50 | 0.50 |  0.50 |        1.00 |

- h2load: failed in 1 of 1 rounds: it broke
";
        assert_eq!(section(&part), expected);
    }

    #[test]
    fn a_target_without_a_figure_is_neither_met_nor_missed() {
        let target = Target {
            sentence: "speed".to_owned(),
            met: None,
            figure: "not measured".to_owned(),
        };
        assert_eq!(target_line(&target), "not measured: speed");
    }
}
