//! Who answers: how evenly, and woken in which order.

use schema::{Balance, BalanceCell, Estimate, Spread, Verdicts};

use super::{Head, Part, Section, Table};
use crate::{
    Run,
    charts::{Setting, spreads, wakes},
    figures::{interval, significant},
    judge::absence,
};

const HEADS: &[Head] = &[
    Head::Words("Server"),
    Head::Words("Connections"),
    Head::Words("Load"),
    Head::Number("Workers that answered"),
    Head::Number("Jain, requests"),
    Head::Number("Max over mean"),
    Head::Number("Jain, connections"),
    Head::Number("Max over mean"),
];

const ABOUT: &str = "Workers that wait for the same connections do not get as many of them: who is woken is the choice of the kernel, or of the acceptor. Each accept policy was asked under all the load it could take and at a rate that leaves most workers idle, over connections that are kept and over new ones.";

const KERNEL: &str = "Two orders of waking are known of the Linux kernel (Cloudflare, \"Why does one NGINX worker take all the load?\", 2017). Workers that block in accept wait in a queue, and who has waited longest is woken first: first in, first out. Workers that wait in epoll are asked from the other end, so that the worker that was busy last is woken again: last in, first out. With SO_REUSEPORT there is nobody to choose, as a hash of the connection's addresses has chosen already. Node's round robin is a third way: its first process accepts and hands out connections in turn, and so balances connections, not the requests that later come over them.";

/// Nothing where the run did not ask.
pub(super) fn balance(run: &Run, verdicts: &Verdicts) -> Option<Section> {
    let balance = verdicts.balance.as_ref()?;
    let mut parts = vec![
        Part::Text(ABOUT.to_owned()),
        Part::Chart(spreads(run, balance)),
    ];
    if let Some(strips) = wakes(balance) {
        parts.push(Part::Chart(strips));
        parts.push(Part::List(
            balance
                .cells
                .iter()
                .filter_map(|cell| Some(cell.wake.as_ref()?.sentence.clone()))
                .collect(),
        ));
    }
    parts.extend([
        Part::Aside(KERNEL.to_owned()),
        Part::Heading("How evenly".to_owned()),
        Part::Aside("Means over launches with their 95 % intervals; workers that answered nothing count as nothing. Where few requests come over few connections, chance alone makes shares uneven.".to_owned()),
        Part::Table(Table {
            heads: HEADS,
            rows: balance.cells.iter().map(row).collect(),
        }),
        Part::List(gaps(balance)),
    ]);
    Some(Section {
        id: "balance",
        title: "Who answers",
        parts,
    })
}

fn row(cell: &BalanceCell) -> Vec<String> {
    let none = || "–".to_owned();
    let [life, load] = Setting::of(cell).in_brief();
    let figure = |spread: &Option<Spread>, of: fn(&Spread) -> &Estimate, digits: usize| {
        spread
            .as_ref()
            .map_or_else(none, |spread| with(of(spread), digits))
    };
    let answered = cell.requests.as_ref().map_or_else(none, |spread| {
        let answered = significant(spread.answered.point, 2);
        format!("{} of {}", crate::figures::trimmed(&answered), cell.workers)
    });
    vec![
        cell.server.clone(),
        life,
        load,
        answered,
        figure(&cell.requests, |spread| &spread.jain, 3),
        figure(&cell.requests, |spread| &spread.max_over_mean, 2),
        figure(&cell.connections, |spread| &spread.jain, 3),
        figure(&cell.connections, |spread| &spread.max_over_mean, 2),
    ]
}

fn with(estimate: &Estimate, digits: usize) -> String {
    let show = |value: f64| format!("{value:.digits$}");
    let point = show(estimate.point);
    match interval(estimate, show) {
        Some(interval) => format!("{point} ({interval})"),
        None => point,
    }
}

/// Why there are dashes in the table.
fn gaps(balance: &Balance) -> Vec<String> {
    let gap = |cell: &BalanceCell| {
        let setting = Setting::of(cell).in_brief().join(", ");
        let why = absence(&cell.standing).or_else(|| {
            let nameless = cell.requests.is_none();
            nameless.then(|| "its answers do not name their worker".to_owned())
        })?;
        Some(format!(
            "{} ({setting}) has no figures: {why}.",
            cell.server
        ))
    };
    balance.cells.iter().filter_map(gap).collect()
}
