//! Who answers.
//!
//! Evenness is taken launch by launch, as ids mean nothing beyond theirs. The order of waking is read
//! from connections made one after another: each finds every worker waiting, so that who answers is
//! the choice of the kernel, or of the acceptor.

use std::collections::BTreeMap;

use schema::{Accept, Balance, BalanceCell, Cell, Measured, Order, Spread, WakeOrder};

use super::{spread::spread, standing::standing};
use crate::{
    figures::{percent, significant},
    groups::{counted, experiment},
    measurements::Measurements,
};

/// An order is called by its name where this share of the connections kept to it.
const KEPT_TO: f64 = 0.9;

/// Nothing where the run did not ask.
pub(super) fn balance(measurements: &Measurements<'_>) -> Option<Balance> {
    let cells = measurements.run.plan.cells.iter();
    let cells: Vec<BalanceCell> = cells
        .filter(|cell| cell.experiment == experiment::BALANCE)
        .map(|cell| row(measurements, cell))
        .collect();
    (!cells.is_empty()).then_some(Balance { cells })
}

fn row(measurements: &Measurements<'_>, cell: &Cell) -> BalanceCell {
    BalanceCell {
        cell: cell.id.clone(),
        server: cell.server.clone(),
        reuse: cell.reuse,
        rate_per_s: cell.rate_per_s,
        workers: cell.workers,
        standing: standing(measurements, Some(cell), &cell.server),
        requests: spread(measurements, cell, requests),
        connections: connections(measurements, cell),
        wake: wake(measurements, cell),
    }
}

const fn requests(measured: &Measured) -> &BTreeMap<u64, u64> {
    &measured.load.requests_by_worker
}

/// Connections over workers; `None` where there is one worker, or one for each connection.
pub(super) fn connections(measurements: &Measurements<'_>, cell: &Cell) -> Option<Spread> {
    let shared_out = cell.workers > 1 && cell.model.accept != Accept::PerConnection;
    shared_out.then(|| {
        spread(measurements, cell, |measured| {
            &measured.load.connections_by_worker
        })
    })?
}

/// What is counted over the connections of one or more trials.
#[derive(Default)]
struct Turns {
    connections: usize,
    longest_waiting: usize,
    same_again: usize,
    returns: usize,
    between: usize,
}

/// `None` where no trial made two such connections, or there is nobody to choose from.
fn wake(measurements: &Measurements<'_>, cell: &Cell) -> Option<WakeOrder> {
    let trials = measurements.trials(&cell.id);
    let orders: Vec<&[u64]> = trials
        .values()
        .map(|trial| trial.measured.wake_order.as_slice())
        .filter(|order| order.len() > 1)
        .collect();
    let first = orders.first().filter(|_| cell.workers > 1)?;
    let mut turns = Turns::default();
    for order in &orders {
        turns.count(order, cell.workers as usize);
    }
    let share = |part: usize| part as f64 / turns.connections as f64;
    let (longest_waiting, same_again) = (share(turns.longest_waiting), share(turns.same_again));
    let turns_between = (turns.returns > 0).then(|| turns.between as f64 / turns.returns as f64);
    let order = if longest_waiting >= KEPT_TO {
        Order::InTurn
    } else if same_again >= KEPT_TO {
        Order::LastAgain
    } else {
        Order::Neither
    };
    let mut wake = WakeOrder {
        sequence: lettered(first),
        trials: u32::try_from(orders.len()).ok()?,
        longest_waiting,
        same_again,
        turns_between,
        order,
        sentence: String::new(),
    };
    wake.sentence = sentence(cell, &wake, turns.connections);
    Some(wake)
}

impl Turns {
    /// Workers that have not answered yet have waited longer than any that has.
    fn count(&mut self, order: &[u64], workers: usize) {
        let mut last: BTreeMap<u64, usize> = BTreeMap::new();
        for (place, worker) in order.iter().enumerate() {
            let before = last.get(worker).copied();
            if place > 0 {
                self.connections += 1;
                let longest = match before {
                    None => true,
                    Some(before) => {
                        last.len() >= workers && last.values().all(|&other| before <= other)
                    }
                };
                self.longest_waiting += usize::from(longest);
                self.same_again += usize::from(before == Some(place - 1));
            }
            if let Some(before) = before {
                self.returns += 1;
                self.between += place - before;
            }
            last.insert(*worker, place);
        }
    }
}

/// Workers by letters: A is the first that answered.
fn lettered(order: &[u64]) -> String {
    let mut known: Vec<u64> = Vec::new();
    let letter = |worker: &u64| {
        let place = known.iter().position(|other| other == worker);
        let place = place.unwrap_or_else(|| {
            known.push(*worker);
            known.len() - 1
        });
        ('A'..='Z').chain('a'..='z').nth(place).unwrap_or('·')
    };
    order.iter().map(letter).collect()
}

fn sentence(cell: &Cell, wake: &WakeOrder, connections: usize) -> String {
    let (longest, same) = (percent(wake.longest_waiting), percent(wake.same_again));
    let how = match wake.order {
        Order::InTurn => format!(
            "in turn, first in, first out ({longest} went to the worker that had waited longest)"
        ),
        Order::LastAgain => format!(
            "always the last, last in, first out ({same} went to the worker of the one before)"
        ),
        Order::Neither => format!(
            "neither in turn nor always the last ({longest} went to the worker that had waited longest, {same} to the worker of the one before)"
        ),
    };
    let again = wake.turns_between.map_or_else(String::new, |turns| {
        format!(
            "; a worker answered again after {} on average",
            if (turns - 1.0).abs() < 0.005 {
                "1 connection".to_owned()
            } else {
                format!("{} connections", significant(turns, 2))
            }
        )
    });
    format!(
        "{} with {} woke {how}, of {}{again}.",
        cell.server,
        counted(cell.workers as usize, "worker"),
        counted(connections, "connection"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(order: &[u64], workers: usize) -> Turns {
        let mut turns = Turns::default();
        turns.count(order, workers);
        turns
    }

    #[test]
    fn a_round_is_in_turn_from_its_first_connection() {
        let turns = turns(&[5, 6, 7, 5, 6, 7, 5], 3);
        assert_eq!((turns.connections, turns.longest_waiting), (6, 6));
        assert_eq!((turns.same_again, turns.between, turns.returns), (0, 12, 4));
    }

    #[test]
    fn one_that_answers_while_another_never_has_is_not_in_turn() {
        let turns = turns(&[5, 6, 5, 6], 3);
        assert_eq!((turns.connections, turns.longest_waiting), (3, 1));
    }

    #[test]
    fn one_that_always_answers_is_always_the_last() {
        let turns = turns(&[5, 5, 5], 3);
        assert_eq!((turns.same_again, turns.longest_waiting), (2, 0));
    }

    #[test]
    fn workers_are_named_in_the_order_of_their_first_answer() {
        assert_eq!(lettered(&[90, 12, 90, 7, 12]), "ABACB");
        let many: Vec<u64> = (0..54).collect();
        assert!(lettered(&many).ends_with("z··"));
    }
}
