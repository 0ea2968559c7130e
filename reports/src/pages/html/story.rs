//! The picture behind the question: one cashier, or ten counters.

use maud::{Markup, html};
use schema::{Cell, Cores};

use crate::{
    Run,
    figures::in_letters,
    groups::{counted, experiment},
};

/// Customers in either picture: the same line, served by one or by ten.
const CUSTOMERS: u32 = 10;

pub(super) fn story(run: &Run) -> Markup {
    html! {
        section.story aria-labelledby="story" {
            h2 #story { "The picture" }
            div.scenes {
                figure { (one_cashier()) figcaption { "One cashier: nine of ten customers wait." } }
                figure { (ten_counters()) figcaption { "Ten counters: the same ten, and nobody waits." } }
            }
            p {
                "A " b { "counter" } " is a CPU core, a " b { "cashier" } " is a worker, a "
                b { "customer" } " is a request. Cashiers can be processes, each with a stockroom of "
                "its own, or threads, who share one. Which of the two serves more is the question here."
            }
            @if run.plan.cells.iter().any(|cell| cell.experiment == experiment::GRID) {
                p {
                    "A fair answer lets nothing else differ: the same counters, the same customers, the same way to "
                    "line up. The " b { "grid" } " below is where nothing else does: each of its lines is one shop, "
                    "run once with processes and once with threads."
                }
            }
            p { (here(run)) }
        }
    }
}

/// The picture with the numbers of this run.
fn here(run: &Run) -> String {
    // The picture is that of the main question, wherever it was asked.
    let alone = |cell: &&Cell| experiment::stands_alone(&cell.experiment);
    let all_alone = run.plan.cells.iter().all(|cell| alone(&cell));
    let cells = || {
        let cells = run.plan.cells.iter();
        cells.filter(move |cell| all_alone || !alone(cell))
    };
    let cashiers = |cores: &[Cores]| {
        let of_kind = cells().filter(|cell| cores.contains(&cell.cores));
        of_kind.map(|cell| cell.workers).max().unwrap_or(0)
    };
    let emulated = cashiers(&[Cores::Emulated]);
    if emulated > 0 {
        let counters = match emulated {
            1 => "one counter".to_owned(),
            _ => format!("{} counters", in_letters(emulated)),
        };
        return format!(
            "This run had {counters} that are emulated: each cashier has the same small share of a real one, and never another's."
        );
    }
    let counters = run.plan.cores.server_cpus.len();
    let cashiers = cashiers(&[Cores::Shared, Cores::Real]) as usize;
    let scene = format!(
        "This run had {} for its servers and up to {}",
        counted(counters, "counter"),
        counted(cashiers, "cashier")
    );
    if cashiers > counters {
        format!(
            "{scene}: some had to take turns at a counter, and a line moves no faster for cashiers who wait for a counter themselves."
        )
    } else {
        format!("{scene}, each at a counter of their own.")
    }
}

fn one_cashier() -> Markup {
    html! {
        svg viewBox="0 0 320 84" role="img" aria-label="One open counter with a long line before it" {
            (counter(20, true))
            @for place in 0..CUSTOMERS { (person(52 + 26 * place, 42, if place == 0 { "served" } else { "waiting" })) }
        }
    }
}

fn ten_counters() -> Markup {
    html! {
        svg viewBox="0 0 320 84" role="img" aria-label="Ten open counters with one customer each" {
            @for place in 0..CUSTOMERS {
                (counter_above(20 + 31 * place))
                (person(20 + 31 * place, 62, "served"))
            }
        }
    }
}

/// A counter that stands upright, its cashier left of it.
fn counter(x: u32, open: bool) -> Markup {
    html! {
        rect.counter x=(x + 12) y="18" width="7" height="50" rx="3" {}
        @if open { (person(x - 4, 42, "cashier")) }
    }
}

/// A counter that lies across, its cashier above it.
fn counter_above(x: u32) -> Markup {
    html! {
        (person(x, 18, "cashier"))
        rect.counter x=(x - 12) y="36" width="24" height="6" rx="3" {}
    }
}

fn person(x: u32, y: u32, role: &str) -> Markup {
    html! {
        g.person.(role) {
            circle cx=(x) cy=(y - 7) r="5" {}
            path d={"M" (x - 8) " " (y + 11) "a8 10 0 0 1 16 0z"} {}
        }
    }
}
