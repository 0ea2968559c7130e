//! Experiments that stand alone, in a few lines each.

use schema::{Balance, Estimates, Grid, GridRow, Metric, Reuse, Standing, Stevens, Verdicts};

use super::aligned;
use crate::{
    charts::Setting,
    figures::{rate, ratio, significant},
    groups::lifetime,
    pages::badge,
};

/// A title and a table for each that the run asked.
pub(super) fn tables(verdicts: &Verdicts) -> Vec<(String, String)> {
    let mut tables = Vec::new();
    if let Some(grid) = &verdicts.grid {
        tables.extend(lines(grid, &verdicts.estimates));
    }
    if let Some(stevens) = &verdicts.stevens {
        let title = format!(
            "stevens: CPU seconds for {} connections (the book's as remembered, unverified)",
            stevens.connections
        );
        tables.push((title, designs(stevens)));
    }
    if let Some(balance) = &verdicts.balance {
        let title = "balance: Jain's index of the answers by worker".to_owned();
        tables.push((title, spreads(balance)));
    }
    tables
}

fn lines(grid: &Grid, estimates: &[Estimates]) -> Vec<(String, String)> {
    let served = |standing: &Standing| {
        let Standing::Measured { cell } = standing else {
            return "–".to_owned();
        };
        let row = estimates.iter().find(|row| row.cell == *cell);
        row.map_or_else(
            || "–".to_owned(),
            |row| {
                let bound = if row.throughput_at_least { "≥" } else { "" };
                format!("{bound}{}", rate(row.throughput_per_s.point))
            },
        )
    };
    let line = |row: &GridRow| {
        let by = match row.judged_by {
            Metric::CpuPerRequest => "CPU ",
            Metric::Throughput | Metric::P99 => "",
        };
        let (over, verdict) = row.judged().map_or_else(
            || ("–".to_owned(), ""),
            |judged| {
                (
                    format!("{by}{}", ratio(&judged.ratio)),
                    badge(judged.verdict).1,
                )
            },
        );
        vec![
            format!("{}/{}", row.style, row.accept),
            served(&row.process),
            served(&row.thread),
            over,
            verdict.to_owned(),
        ]
    };
    let heads = ["requests/s", "processes", "threads", "ratio", ""];
    [Reuse::KeepAlive, Reuse::NewConnection]
        .into_iter()
        .filter_map(|reuse| {
            let mut rows = vec![heads.map(str::to_owned).to_vec()];
            rows.extend(grid.rows.iter().filter(|row| row.reuse == reuse).map(line));
            (rows.len() > 1).then(|| (format!("grid: {}", lifetime(reuse)), aligned(&rows)))
        })
        .collect()
}

fn designs(stevens: &Stevens) -> String {
    let heads = ["", "CPU", "process control", "in the book"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    let or_dash = |seconds: Option<f64>| {
        seconds.map_or_else(|| "–".to_owned(), |seconds| significant(seconds, 3))
    };
    rows.extend(stevens.designs.iter().map(|design| {
        let figures = design.figures.as_ref();
        let control = figures.and_then(|figures| figures.control_s);
        vec![
            format!("{} {}", design.number, design.name),
            or_dash(figures.map(|figures| figures.cpu_s.point)),
            or_dash(control.map(|control| control.point)),
            or_dash(design.book_control_s),
        ]
    }));
    aligned(&rows)
}

fn spreads(balance: &Balance) -> String {
    let settings = Setting::every(balance);
    let mut heads = vec!["server".to_owned()];
    heads.extend(settings.iter().map(|setting| setting.in_brief().join(", ")));
    heads.push("woken".to_owned());
    let mut servers: Vec<&str> = balance.cells.iter().map(|c| c.server.as_str()).collect();
    servers.dedup();
    let mut rows = vec![heads];
    rows.extend(servers.into_iter().map(|server| {
        let of_server = || balance.cells.iter().filter(|cell| cell.server == server);
        let mut row = vec![server.to_owned()];
        row.extend(settings.iter().map(|setting| {
            let cell = of_server().find(|cell| Setting::of(cell) == *setting);
            let spread = cell.and_then(|cell| cell.requests.as_ref());
            spread.map_or_else(
                || "–".to_owned(),
                |spread| format!("{:.2}", spread.jain.point),
            )
        }));
        let wake = of_server().find_map(|cell| cell.wake.as_ref());
        row.push(wake.map_or("", |wake| wake.order.name()).to_owned());
        row
    }));
    aligned(&rows)
}
