//! Who answers: how evenly, and woken in which order.

use schema::{Balance, BalanceCell, Estimate, Order, Spread, Verdicts};

use super::{Head, Part, Section, Table};
use crate::{
    Run,
    charts::{Setting, spreads, wakes},
    figures::{in_letters, interval, percent, significant},
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

const WAKE_HEADS: &[Head] = &[
    Head::Words("Server"),
    Head::Words("Woken"),
    Head::Number("To the worker that had waited longest"),
    Head::Number("To the worker of the one before"),
    Head::Number("Connections from one answer to the next"),
];

/// Servers are named where there are no more of a kind than so many.
const NAMED: usize = 3;

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
        parts.extend(woken(balance).map(Part::Text));
    }
    parts.push(Part::Aside(KERNEL.to_owned()));
    if balance.cells.iter().any(|cell| cell.wake.is_some()) {
        let figures = Part::Table(Table {
            heads: WAKE_HEADS,
            rows: balance.cells.iter().filter_map(wake_row).collect(),
        });
        let title = "Whom a new connection wakes, in figures".to_owned();
        parts.push(Part::Folded(title, vec![figures]));
    }
    parts.extend([
        Part::Folded("How evenly, in figures".to_owned(), vec![
            Part::Aside("Means over launches with their 95 % intervals; workers that answered nothing count as nothing. Where few requests come over few connections, chance alone makes shares uneven.".to_owned()),
            Part::Table(Table {
                heads: HEADS,
                rows: balance.cells.iter().map(row).collect(),
            }),
        ]),
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

fn wake_row(cell: &BalanceCell) -> Option<Vec<String>> {
    let wake = cell.wake.as_ref()?;
    Some(vec![
        cell.server.clone(),
        wake.order.name().to_owned(),
        percent(wake.longest_waiting),
        percent(wake.same_again),
        wake.turns_between
            .map_or_else(|| "–".to_owned(), |turns| significant(turns, 2)),
    ])
}

/// In which order how many servers wake their workers, and which do so in an order.
pub(in crate::pages) fn woken(balance: &Balance) -> Option<String> {
    let wakes = || {
        let cells = balance.cells.iter();
        cells.filter_map(|cell| Some((cell.server.as_str(), cell.wake.as_ref()?.order)))
    };
    let of_order = |wanted: Order| -> Vec<&str> {
        let servers = wakes().filter(|(_, order)| *order == wanted);
        servers.map(|(server, _)| server).collect()
    };
    let named = |servers: &[&str], how: &str| {
        let count = u32::try_from(servers.len()).unwrap_or(u32::MAX);
        let verb = if count == 1 { "wakes" } else { "wake" };
        let count = if count == 0 {
            "none".to_owned()
        } else {
            in_letters(count)
        };
        let names = match servers.len() {
            1..=NAMED => format!(" ({})", servers.join(", ")),
            _ => String::new(),
        };
        format!("{count} {verb} {how}{names}")
    };
    let neither = match of_order(Order::Neither).len() {
        0 => "none does".to_owned(),
        1 => "one does".to_owned(),
        many => format!("{} do", in_letters(u32::try_from(many).unwrap_or(u32::MAX))),
    };
    let servers = match wakes().count() {
        0 => return None,
        1 => "Of one server that has".to_owned(),
        many => {
            let many = in_letters(u32::try_from(many).unwrap_or(u32::MAX));
            format!("Of {many} servers that have")
        }
    };
    Some(format!(
        "{servers} workers to wake, {}, {} and {neither} neither.",
        named(&of_order(Order::InTurn), "them in turn"),
        named(&of_order(Order::LastAgain), "the last again"),
    ))
}

/// Why there are dashes in the table, each reason of a server once.
fn gaps(balance: &Balance) -> Vec<String> {
    let mut gaps: Vec<(&str, String, Vec<String>)> = Vec::new();
    for cell in &balance.cells {
        let why = absence(&cell.standing).or_else(|| {
            let nameless = cell.requests.is_none();
            nameless.then(|| "its answers do not name their worker".to_owned())
        });
        let Some(why) = why else { continue };
        let setting = Setting::of(cell).in_brief().join(", ");
        let same = |(server, known, _): &&mut (&str, String, Vec<String>)| {
            *server == cell.server && *known == why
        };
        match gaps.iter_mut().find(same) {
            Some((.., settings)) => settings.push(setting),
            None => gaps.push((&cell.server, why, vec![setting])),
        }
    }
    let told = gaps.into_iter().map(|(server, why, settings)| {
        format!("{server} ({}) has no figures: {why}.", settings.join("; "))
    });
    told.collect()
}
