//! What a connection costs: passed on, accepted, answered.

use super::{
    super::{
        rows::{Clock, PROCESS, Rows, THREAD, Who},
        words::{capital, either, list, percent, time, told},
    },
    said, standing,
};

/// Connections per second for which a share of a CPU is told.
const CONNECTIONS_PER_S: f64 = 10_000.0;

/// For `handoff`: what being passed on adds.
pub fn handoff(rows: &Rows<'_>) -> Option<String> {
    let added = |who: Who, batch: &str| {
        let passed = rows.figure(Clock::Cpu, who, "passed on", batch)?;
        let none = rows.figure(Clock::Cpu, who, "none", batch)?;
        let told = rows.dearer(Clock::Cpu, passed, none);
        Some(told.then_some(passed.point - none.point))
    };
    let of = |who: Who, between: &str| {
        let parts: Vec<String> = rows
            .parameters()
            .filter_map(|batch| {
                let more = added(who, batch)?;
                let more = more.map_or_else(|| "nothing that is told".to_owned(), time);
                Some(match batch {
                    "1" => format!("{more} one at a time"),
                    _ => format!("{more} with {batch} at a time"),
                })
            })
            .collect();
        (!parts.is_empty()).then(|| format!("between {between} {}", list(&parts)))
    };
    let parts: Vec<String> = [of(THREAD, "threads"), of(PROCESS, "processes")]
        .into_iter()
        .flatten()
        .collect();
    if parts.is_empty() {
        return None;
    }
    let mut sentences = vec![format!(
        "In CPU time, being passed on adds to a connection {}.",
        parts.join("; ")
    )];
    let singly = rows.parameters().next();
    if let Some(Some(more)) = singly.and_then(|batch| added(PROCESS, batch)) {
        sentences.push(format!(
            "With 10,000 new connections a second, one at a time, processes spend {} of a CPU on it.",
            percent(more * CONNECTIONS_PER_S / 1e9)
        ));
    }
    said(&sentences)
}

const POLICIES: [&str; 7] = [
    "shared",
    "reuseport",
    "handoff",
    "file-lock",
    "mutex",
    "per-connection",
    "stealing",
];

/// For `accept`.
pub fn accept(rows: &Rows<'_>) -> Option<String> {
    let mut sentences = Vec::new();
    for style in rows.parameters() {
        let Some(standing) = standing(rows, |row| row.parameter == style) else {
            continue;
        };
        let words = rows.group.in_words(style);
        sentences.push(format!("Where workers are {words}, {standing}."));
        let cheapest = |who| {
            let (what, figure) = rows.cheapest(Clock::Cpu, who, &POLICIES, style)?;
            Some(format!("{} ({})", either(&what), time(figure.point)))
        };
        if let (Some(thread), Some(process)) = (cheapest(THREAD), cheapest(PROCESS)) {
            sentences.push(format!(
                "Least CPU time goes with {thread} among threads, and {process} among processes."
            ));
        }
    }
    said(&sentences)
}

/// For both groups of whole servers.
pub fn endpoint(rows: &Rows<'_>) -> Option<String> {
    let row = rows.row("server", "")?;
    let mut sentences = Vec::new();
    for clock in [Clock::Cpu, Clock::Wall] {
        let figures = [THREAD, PROCESS].map(|who| rows.figure(clock, who, "server", ""));
        if let ([Some(thread), Some(process)], Some(ratio)) = (figures, clock.ratio(row)) {
            sentences.push(format!(
                "{}, a request costs {} with threads and {} with processes: {}.",
                capital(clock.words()),
                time(thread.point),
                time(process.point),
                told(ratio)
            ));
        }
    }
    let of = |who, what| rows.figure(Clock::Cpu, who, what, "");
    if let (Some(thread), Some(floor)) = (of(THREAD, "server"), of(Who::Alone, "floor"))
        && rows.dearer(Clock::Cpu, thread, floor)
    {
        sentences.push(format!(
            "The floor, the least that can be called a server, takes {} of CPU time, {} of what threads take.",
            time(floor.point),
            percent(floor.point / thread.point)
        ));
    }
    said(&sentences)
}
