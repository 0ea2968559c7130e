//! Whether the price of one handoff explains what handing connections on costs a server.
//!
//! `cargo bench` tells what it takes to pass a connection on beside taking it oneself, in CPU time of all who
//! take part. Times the connections for each request, that should be the part of a server's CPU time which one
//! that waits on a shared listener does without. The bench has nobody sleep in between; an acceptor that does is
//! woken by the connection and by the worker's word, which is a round trip of the bench `switch`. So there are two
//! predictions, without these wake-ups and with them: for an acceptor that never sleeps, and a bound for one that always
//! does, as the calls that carry a word are in both prices.

use schema::{
    Accept, Estimate, Estimates, Grid, HandoffShare, PolicyCost, PrimitiveCost, PrimitiveRow,
    Primitives, Worker,
};

use super::{estimates, grid::name_of, ratios::times};
use crate::{groups::experiment, measurements::Measurements};

/// The bench's group, its two rows, and the parameter that stands for one connection at a time.
const GROUP: &str = "handoff";
const PASSED_ON: &str = "passed on";
const NOT_PASSED_ON: &str = "none";
const ONE_AT_A_TIME: &str = "1";

/// The bench of wake-ups, and what wakes an acceptor: of processes and of threads.
const SWITCH: &str = "switch";
const BY_PROCESSES: &str = "socket-pair";
const BY_THREADS: &str = "eventfd";
const ONE_CPU: &str = "one-cpu";

/// One for each server of the grid that passes connections on, where both are known.
pub(super) fn handoffs(
    measurements: &Measurements<'_>,
    primitives: Option<&Primitives>,
    grid: Option<&Grid>,
    estimates: &[Estimates],
) -> Vec<HandoffShare> {
    let (Some(primitives), Some(grid)) = (primitives, grid) else {
        return Vec::new();
    };
    let handoff = Accept::Handoff.to_string();
    let costs = grid.policies.iter().filter(|cost| cost.policy == handoff);
    costs
        .filter_map(|cost| share(measurements, primitives, cost, estimates))
        .collect()
}

fn share(
    measurements: &Measurements<'_>,
    primitives: &Primitives,
    cost: &PolicyCost,
    estimates: &[Estimates],
) -> Option<HandoffShare> {
    let per_connection_ns = price(primitives, cost.worker)?;
    let name = name_of(schema::Model {
        worker: cost.worker,
        style: cost.style,
        accept: Accept::Handoff,
    });
    let cell = measurements.run.plan.cells.iter().find(|cell| {
        cell.experiment == experiment::GRID && cell.server == name && cell.reuse == cost.reuse
    })?;
    let connections_per_request = estimates::mean(
        &measurements.trials(&cell.id),
        measurements.run.plan.seed,
        |trial| Some(trial.connections_per_request()),
    )?;
    let cpu_ns_per_request = estimates
        .iter()
        .find(|row| row.cell == cell.id)?
        .cpu_ns_per_request;
    let a_nanosecond = connections_per_request.point / cpu_ns_per_request.point;
    Some(HandoffShare {
        worker: cost.worker,
        style: cost.style,
        reuse: cost.reuse,
        per_connection_ns,
        connections_per_request,
        cpu_ns_per_request,
        predicted: times(per_connection_ns, a_nanosecond),
        with_wake_ups: wake_ups(primitives, cost.worker)
            .map(|wake_ups| times(sum(per_connection_ns, wake_ups), a_nanosecond)),
        measured: done_without(cost.cpu.ratio),
    })
}

/// What a handoff adds to a connection: passed on, less not passed on.
fn price(primitives: &Primitives, worker: Worker) -> Option<Estimate> {
    let cpu = |what| of_worker(primitives.row(GROUP, what, ONE_AT_A_TIME)?, worker)?.cpu_ns;
    Some(difference(cpu(PASSED_ON)?, cpu(NOT_PASSED_ON)?))
}

/// What two wake-ups on one CPU cost.
fn wake_ups(primitives: &Primitives, worker: Worker) -> Option<Estimate> {
    let means = match worker {
        Worker::Thread => BY_THREADS,
        Worker::Process => BY_PROCESSES,
    };
    of_worker(primitives.row(SWITCH, means, ONE_CPU)?, worker)?.cpu_ns
}

fn of_worker(row: &PrimitiveRow, worker: Worker) -> Option<&PrimitiveCost> {
    match worker {
        Worker::Thread => row.thread.as_ref(),
        Worker::Process => row.process.as_ref(),
    }
}

fn sum(one: Estimate, other: Estimate) -> Estimate {
    let less = Estimate {
        point: -other.point,
        interval: other.interval.map(|(low, high)| (-high, -low)),
    };
    difference(one, less)
}

/// Of two figures measured independently of each other: the squares of their half widths add up.
fn difference(minuend: Estimate, subtrahend: Estimate) -> Estimate {
    let point = minuend.point - subtrahend.point;
    let interval = minuend.interval.zip(subtrahend.interval);
    Estimate {
        point,
        interval: interval.map(|(minuend_lies, subtrahend_lies)| {
            let below =
                (minuend.point - minuend_lies.0).hypot(subtrahend_lies.1 - subtrahend.point);
            let above =
                (minuend_lies.1 - minuend.point).hypot(subtrahend.point - subtrahend_lies.0);
            (point - below, point + above)
        }),
    }
}

/// The share of the subject's CPU time by which it is more than the reference's, from their ratio.
fn done_without(ratio: Estimate) -> Estimate {
    let share = |ratio: f64| 1.0 - 1.0 / ratio;
    Estimate {
        point: share(ratio.point),
        interval: ratio.interval.map(|(low, high)| (share(low), share(high))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_of_twice_as_much_is_a_half() {
        let twice = Estimate {
            point: 2.0,
            interval: Some((1.0, 4.0)),
        };
        let half = done_without(twice);
        assert_eq!((half.point, half.interval), (0.5, Some((0.0, 0.75))));
    }

    #[test]
    fn errors_of_a_difference_add_up_by_their_squares() {
        let of = |point, below, above| Estimate {
            point,
            interval: Some((point - below, point + above)),
        };
        let left = difference(of(10.0, 3.0, 6.0), of(4.0, 8.0, 4.0));
        assert_eq!((left.point, left.interval), (6.0, Some((1.0, 16.0))));
        let unsure = Estimate {
            point: 4.0,
            interval: None,
        };
        assert_eq!(difference(of(10.0, 3.0, 6.0), unsure).interval, None);
    }
}
