//! The designs of a book, then and now.

use schema::{Cell, Conclusion, Design, Estimate, Stevens, Verdicts};

use super::{Head, Part, Section, Table, with_interval};
use crate::{
    Run,
    charts::designs,
    figures::{interval, significant},
    groups::{counted, experiment, workers},
    judge::absence,
};

const HEADS: &[Head] = &[
    Head::Words("Design"),
    Head::Number("CPU, s"),
    Head::Number("user + kernel, s"),
    Head::Number("Process control, s"),
    Head::Number("Place"),
    Head::Number("Book, as remembered, s"),
    Head::Number("Place there"),
    Head::Number("CPU over iterative"),
    Head::Number("Jain, max over mean"),
];

const ABOUT: &str = "W. R. Stevens, UNIX Network Programming, vol. 1, chapter 30 (Client/Server Design Alternatives), sets nine designs of a server against each other: a client opens connection after connection, several at a time, each for one request.";

const HOW_TO_READ: &str = "CPU seconds are for 5,000 connections, as in the book, and process control is what a design takes beyond the iterative server, block by block. The book's seconds are quoted as remembered, unverified, and of machines of their time: what may be compared is the order and the ratios. Jain's index and the busiest worker over the mean say how the kernel, or the acceptor, spread the connections over the pool.";

/// Nothing where the run did not ask.
pub(super) fn stevens(run: &Run, verdicts: &Verdicts) -> Option<Section> {
    let stevens = verdicts.stevens.as_ref()?;
    let missing: Vec<String> = stevens
        .designs
        .iter()
        .filter_map(|design| {
            let why = absence(&design.standing)?;
            Some(format!("Design {} has no figures: {why}.", design.number))
        })
        .collect();
    Some(Section {
        id: "stevens",
        title: "Nine designs from a book, measured again",
        parts: vec![
            Part::Text(about(run)),
            Part::Chart(designs(stevens)),
            Part::Aside(HOW_TO_READ.to_owned()),
            Part::Table(Table {
                heads: HEADS,
                rows: stevens.designs.iter().map(|d| row(stevens, d)).collect(),
            }),
            Part::List(missing),
            Part::Heading("What changed since".to_owned()),
            Part::Aside("What the book concludes, by its text or by its figures as remembered, held against the figures above.".to_owned()),
            Part::List(stevens.conclusions.iter().map(told).collect()),
        ],
    })
}

fn about(run: &Run) -> String {
    let cells = || {
        let cells = run.plan.cells.iter();
        cells.filter(|cell| cell.experiment == experiment::STEVENS)
    };
    let pool = cells().map(|cell| cell.workers).max().unwrap_or(0);
    let at_once = cells().map(|cell| cell.connections).max().unwrap_or(0);
    let target = cells().next().map(Cell::target).unwrap_or_default();
    format!(
        "{ABOUT} Here the same designs are measured in the same way, with {} at a time, each for GET {target}, and pools of {}.",
        counted(at_once as usize, "connection"),
        workers(pool)
    )
}

fn told(conclusion: &Conclusion) -> String {
    conclusion.sentence.clone()
}

fn row(stevens: &Stevens, design: &Design) -> Vec<String> {
    let none = || "–".to_owned();
    let figures = design.figures.as_ref();
    let seconds = |figure: Option<&Estimate>| figure.map_or_else(none, in_seconds);
    let place = |order: &[u8]| {
        let place = order.iter().position(|number| *number == design.number);
        place.map_or_else(none, |place| (place + 1).to_string())
    };
    let spread = figures.and_then(|figures| figures.connections.as_ref());
    vec![
        format!("{} {}", design.number, design.name),
        seconds(figures.map(|figures| &figures.cpu_s)),
        figures.map_or_else(none, |figures| {
            format!(
                "{} + {}",
                significant(figures.user_s.point, 3),
                significant(figures.system_s.point, 3)
            )
        }),
        seconds(figures.and_then(|figures| figures.control_s.as_ref())),
        place(&stevens.order_now),
        design
            .book_control_s
            .map_or_else(none, |seconds| format!("{seconds:.2}")),
        place(&stevens.order_in_book),
        figures
            .and_then(|figures| figures.over_iterative.as_ref())
            .map_or_else(none, with_interval),
        spread.map_or_else(none, |spread| {
            format!(
                "{:.3}, {:.2}",
                spread.jain.point, spread.max_over_mean.point
            )
        }),
    ]
}

fn in_seconds(estimate: &Estimate) -> String {
    let show = |seconds| significant(seconds, 3);
    let point = show(estimate.point);
    match interval(estimate, show) {
        Some(interval) => format!("{point} ({interval})"),
        None => point,
    }
}
