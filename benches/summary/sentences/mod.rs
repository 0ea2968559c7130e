//! What the figures of a group mean for a server, in a few sentences.
//!
//! Every number is measured, and the wording follows what is told and what is not. Where the figures that a
//! sentence needs are not there, there is no sentence.

mod connections;
mod messages;
mod state;
mod workers;

pub use self::{
    connections::{accept, endpoint, handoff},
    messages::{round_trips, throughput},
    state::{counter, sessions},
    workers::{fan_out, spawn, switch},
};

use schema::{PrimitiveRatio, PrimitiveRow, Worker};

use super::{
    rows::{Clock, Rows},
    words::{list, times},
};

/// Sentences one after the other, where there are any.
fn said(sentences: &[String]) -> Option<String> {
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// Where something holds that holds from some parameter on.
enum From {
    /// From this one on, and for all after it.
    On(&'static str),
    /// Not even for the last.
    Nowhere,
}

/// From which parameter on `is` holds. `None` where nothing is known.
fn holds_from(rows: &Rows<'_>, is: impl Fn(&'static str) -> Option<bool>) -> Option<From> {
    let known: Vec<(&str, bool)> = rows
        .parameters()
        .filter_map(|parameter| Some((parameter, is(parameter)?)))
        .collect();
    let holding = known.iter().rev().take_while(|(_, is)| *is);
    let first = holding
        .last()
        .map_or(From::Nowhere, |(parameter, _)| From::On(parameter));
    (!known.is_empty()).then_some(first)
}

/// Rows by who costs more.
#[derive(Default)]
struct Standing {
    process: Vec<f64>,
    thread: Vec<f64>,
    none: usize,
}

impl Standing {
    fn of<'a>(rows: impl Iterator<Item = &'a PrimitiveRow>, clock: Clock) -> Self {
        let mut standing = Self::default();
        for PrimitiveRatio { ratio, dearer } in rows.filter_map(|row| clock.ratio(row)) {
            match dearer {
                Some(Worker::Process) => standing.process.push(ratio.point),
                Some(Worker::Thread) => standing.thread.push(ratio.point.recip()),
                None => standing.none += 1,
            }
        }
        standing
    }

    fn words(&self) -> Option<String> {
        let all = self.process.len() + self.thread.len() + self.none;
        let parts = [
            part("process", &self.process, all),
            part("thread", &self.thread, all),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        match (all, parts.is_empty()) {
            (0, _) => None,
            (_, true) => Some("no difference between thread and process is told".to_owned()),
            (_, false) => Some(list(&parts)),
        }
    }
}

/// In how many of `all` rows `who` costs more, and how many times.
fn part(who: &str, factors: &[f64], all: usize) -> Option<String> {
    let least = times(factors.iter().copied().reduce(f64::min)?);
    let most = times(factors.iter().copied().reduce(f64::max)?);
    let range = if least == most {
        format!("{most} times")
    } else {
        format!("{least} to {most} times")
    };
    let of = match factors.len() {
        1 if all == 1 => String::new(),
        count if count == all => format!(" in all {all} rows"),
        count => format!(" in {count} of {all} rows"),
    };
    Some(format!("a {who} costs more{of} ({range})"))
}

/// How the sides stand in some of the rows, by both clocks.
fn standing(rows: &Rows<'_>, of: impl Fn(&PrimitiveRow) -> bool) -> Option<String> {
    let by = Clock::BOTH.map(|clock| {
        let some = rows.rows.iter().filter(|row| of(row));
        Standing::of(some, clock).words()
    });
    match by {
        [Some(wall), Some(cpu)] if wall == cpu => {
            Some(format!("{wall}, by the clock and in CPU time"))
        }
        [Some(wall), Some(cpu)] => Some(format!("by the clock {wall}; in CPU time {cpu}")),
        [Some(wall), None] => Some(format!("by the clock {wall}")),
        [None, Some(cpu)] => Some(format!("in CPU time {cpu}")),
        [None, None] => None,
    }
}

/// `1 writer`, `4 writers`.
fn writers(count: &str) -> String {
    let many = if count == "1" { "" } else { "s" };
    format!("{count} writer{many}")
}
