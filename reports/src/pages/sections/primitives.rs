//! What each step costs by itself, and whether that explains what was measured of servers.

use schema::{Estimate, HandoffShare, Primitives, Verdicts};

use super::{Head, Part, Section, Table, joined};
use crate::{
    Run,
    figures::{duration, significant},
    groups::lifetime,
    pages::PRIMITIVES_PAGE,
};

const HEADS: &[Head] = &[
    Head::Words("Server"),
    Head::Number("One handoff"),
    Head::Number("Connections/request"),
    Head::Number("CPU/request"),
    Head::Number("Predicted share"),
    Head::Number("With wake-ups"),
    Head::Number("Measured share"),
];

/// A predicted share below this is none.
const HARDLY: f64 = 0.005;

const WHAT_IS_PREDICTED: &str = "Passing a connection on costs CPU time beside taking it from a listener oneself. That price, times the connections for each request, over the CPU time of a request, is the share that handoffs should take if nobody ever sleeps. An acceptor that sleeps in between is woken twice more, by the connection and by the worker's word, and the next column adds what a round trip between two workers costs, which is more than the wake-ups alone, so it is a bound from above. Beside both stands the share that the same workers do without where they wait on a shared listener.";

/// Nothing where neither the run nor a bench has anything to say.
pub(in crate::pages) fn primitives(run: &Run, verdicts: &Verdicts) -> Option<Section> {
    let Some(primitives) = &verdicts.primitives else {
        let asks = verdicts.grid.is_some();
        return asks.then(|| Section {
            id: "primitives",
            title: "What each step costs by itself",
            parts: vec![Part::Text(
                "The price of a thread, a process, a switch, a handoff was not measured on this machine: 'cargo bench' does it, and 'counters report' with --primitives explains this run by it.".to_owned(),
            )],
        });
    };
    let mut parts = vec![Part::Text(about(primitives)), means(primitives)];
    if run.primitives_page {
        parts.push(Part::Link {
            text: "All figures of cargo bench".to_owned(),
            href: PRIMITIVES_PAGE.to_owned(),
        });
    }
    if !verdicts.handoffs.is_empty() {
        parts.extend([
            Part::Heading("Does the price of a handoff explain the grid?".to_owned()),
            Part::Aside(WHAT_IS_PREDICTED.to_owned()),
            Part::Table(Table {
                heads: HEADS,
                rows: verdicts.handoffs.iter().map(row).collect(),
            }),
            Part::List(verdicts.handoffs.iter().map(sentence).collect()),
        ]);
    }
    Some(Section {
        id: "primitives",
        title: "What each step costs by itself",
        parts,
    })
}

/// What each group means for a server.
fn means(primitives: &Primitives) -> Part {
    let groups = primitives.groups.iter();
    let sentences = groups.filter_map(|group| {
        let means = group.means.as_ref()?;
        Some(format!("{}: {means}", group.name))
    });
    Part::Folded(
        "What it means for a server, step by step".to_owned(),
        vec![Part::List(sentences.collect())],
    )
}

fn about(primitives: &Primitives) -> String {
    let mut sentences = vec![
        "Measured by 'cargo bench' on this machine, each step by a thread and by a process, apart from any server."
            .to_owned(),
    ];
    let noise = primitives.noise;
    let told = [(noise.wall, "by the clock"), (noise.cpu, "in CPU time")];
    let told: Vec<String> = told
        .into_iter()
        .filter_map(|(noise, clock)| Some(format!("{} {clock}", percent(noise?))))
        .collect();
    if !told.is_empty() {
        sentences.push(format!(
            "The same step measured twice differed by up to {}, and smaller differences are not told.",
            told.join(" and ")
        ));
    }
    joined(&sentences)
}

fn row(share: &HandoffShare) -> Vec<String> {
    vec![
        format!("{} ({})", model(share), lifetime(share.reuse)),
        duration(share.per_connection_ns.point),
        significant(share.connections_per_request.point, 2),
        duration(share.cpu_ns_per_request.point),
        ranged(&share.predicted, percent),
        share
            .with_wake_ups
            .map_or_else(|| "–".to_owned(), |share| ranged(&share, percent)),
        ranged(&share.measured, percent),
    ]
}

/// One line on what was predicted and what came.
pub(in crate::pages) fn sentence(share: &HandoffShare) -> String {
    let with_wake_ups = share.with_wake_ups.map(|share| {
        format!(
            ", at most {} with the wake-ups of an acceptor that sleeps",
            ranged(&share, percent)
        )
    });
    format!(
        "{}: {} of its CPU time predicted for handoffs{}, {} measured; {}.",
        server(share),
        ranged(&share.predicted, percent),
        with_wake_ups.unwrap_or_default(),
        ranged(&share.measured, percent),
        outcome(share)
    )
}

/// Whether the prices explain the measured share.
fn outcome(share: &HandoffShare) -> &'static str {
    let Some((low, high)) = share.measured.interval else {
        return "too few blocks were measured to say whether it explains it";
    };
    let bounds = |of: &Estimate| of.interval.unwrap_or((of.point, of.point));
    let least = bounds(&share.predicted).0;
    let most = bounds(share.with_wake_ups.as_ref().unwrap_or(&share.predicted)).1;
    if low > 0.0 && most < HARDLY {
        "connections are passed on so rarely that what was measured is not the handoffs"
    } else if most < low {
        "that explains a part of it, and the rest is the server's own way of passing on"
    } else if least > high {
        "less than the price, so the server saves where the bench does not"
    } else {
        "that explains it"
    }
}

fn server(share: &HandoffShare) -> String {
    format!("{}, {}", model(share), lifetime(share.reuse))
}

fn model(share: &HandoffShare) -> String {
    format!("{}/{}/handoff", share.worker, share.style)
}

fn ranged(estimate: &Estimate, figure: impl Fn(f64) -> String) -> String {
    let point = figure(estimate.point);
    match estimate.interval {
        Some((low, high)) => format!("{point} ({} to {})", figure(low), figure(high)),
        None => point,
    }
}

fn percent(share: f64) -> String {
    // Nothing is never less than nothing.
    let percent = if share.abs() < 5e-5 {
        0.0
    } else {
        share * 100.0
    };
    let digits = if percent.abs() < 10.0 { 2 } else { 3 };
    format!("{} %", significant(percent, digits))
}

#[cfg(test)]
mod tests {
    use schema::{Reuse, Style, Worker};

    use super::*;

    fn told(predicted: (f64, f64), measured: Option<(f64, f64)>) -> String {
        let of = |interval: Option<(f64, f64)>| Estimate {
            point: interval.map_or(0.5, |(low, high)| f64::midpoint(low, high)),
            interval,
        };
        sentence(&HandoffShare {
            worker: Worker::Process,
            style: Style::Evented,
            reuse: Reuse::NewConnection,
            per_connection_ns: of(None),
            connections_per_request: of(None),
            cpu_ns_per_request: of(None),
            predicted: of(Some(predicted)),
            with_wake_ups: None,
            measured: of(measured),
        })
    }

    #[test]
    fn a_price_within_what_was_measured_explains_it_and_a_smaller_one_a_part() {
        let explained = told((0.1, 0.2), Some((0.15, 0.3)));
        assert!(explained.ends_with("; that explains it."), "{explained}");
        assert!(explained.contains("15.0 % (10.0 % to 20.0 %) of its CPU time predicted"));
        assert!(told((0.1, 0.2), Some((0.25, 0.3))).contains("explains a part of it"));
        assert!(told((0.4, 0.5), Some((0.25, 0.3))).contains("less than the price"));
        assert!(told((0.0, 0.001), Some((0.05, 0.1))).contains("so rarely"));
        assert!(told((0.4, 0.5), None).contains("too few blocks"));
    }
}
