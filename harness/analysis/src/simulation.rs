//! Waiting in line, request by request: what no formula of two moments is right about everywhere.
//!
//! Requests come as a Poisson process and each takes a service time that is drawn, with replacement, from
//! those that were measured. Who is served when follows from who is free when: with one line the next
//! request goes to the worker that is free first (Kiefer and Wolfowitz, *On the theory of queues with many
//! servers*, 1955); with a line for each worker it waits for its own (Lindley, *The theory of queues with
//! a single server*, 1952). No clock is kept and no event is queued, so a request costs a few nanoseconds.

use std::{cmp::Reverse, collections::BinaryHeap};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{Sample, resample::Stream};

/// How requests find a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queueing {
    /// All wait in one line, first come first served: a shared listener, a stealing runtime.
    OneLine,
    /// Each joins a line at random and stays there: a listener for each worker, chosen by the kernel's hash.
    LinesAtRandom,
    /// Each joins the next line in turn and stays there: round robin without an eye on who is busy.
    LinesInTurn,
}

/// Workers, and what comes to them.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulation<'a> {
    service: &'a Sample,
    workers: usize,
    mean_gap: f64,
    queueing: Queueing,
}

/// What cannot be simulated.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum SimulationError {
    /// Nobody serves.
    #[error("no worker serves; give at least one")]
    NoWorkers,
    /// A service time below 0.
    #[error("a service time of {0} cannot be; give times of 0 or more")]
    Service(f64),
    /// Arrivals that are none.
    #[error("arrivals at a rate of {0} cannot be; give a rate above 0")]
    Rate(f64),
    /// More comes than can be served.
    #[error(
        "workers would be busy {0:.2} of the time, and the line would grow without end; give less than 1"
    )]
    Overload(f64),
}

/// One request's way through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Visit {
    /// From its arrival until it is served, in the unit of the service times.
    pub wait: f64,
    /// From then until it is answered.
    pub service: f64,
}

impl<'a> Simulation<'a> {
    /// `workers` that take service times like those of `service`, and `rate` arrivals per unit of these times.
    ///
    /// # Errors
    /// See [`SimulationError`].
    pub fn new(
        service: &'a Sample,
        workers: usize,
        rate: f64,
        queueing: Queueing,
    ) -> Result<Self, SimulationError> {
        if workers == 0 {
            return Err(SimulationError::NoWorkers);
        }
        if let Some(&negative) = service.values().iter().find(|&&time| time < 0.0) {
            return Err(SimulationError::Service(negative));
        }
        if !(rate > 0.0 && rate.is_finite()) {
            return Err(SimulationError::Rate(rate));
        }
        let simulation = Self {
            service,
            workers,
            mean_gap: 1.0 / rate,
            queueing,
        };
        match simulation.utilisation() {
            below if below < 1.0 => Ok(simulation),
            above => Err(SimulationError::Overload(above)),
        }
    }

    /// Share of the time that each worker is busy.
    #[must_use]
    pub fn utilisation(&self) -> f64 {
        self.service.mean() / (self.mean_gap * self.workers as f64)
    }

    /// The visits of so many requests, in the order of their arrival. All workers are free at first, so who
    /// asks for the long run leaves out the first few.
    #[must_use]
    pub fn visits(&self, requests: usize, seed: u64) -> Vec<Visit> {
        let mut random = Stream::from_rng(&mut ChaCha8Rng::seed_from_u64(seed));
        let mut lines = Lines::new(self.queueing, self.workers);
        let mut now = 0.0;
        (0..requests)
            .map(|_| {
                // ln of (0, 1]: never infinite.
                now -= (1.0 - random.random::<f64>()).ln() * self.mean_gap;
                let service = drawn(self.service.values(), &mut random);
                let wait = lines.wait(now, service, &mut random);
                Visit { wait, service }
            })
            .collect()
    }
}

fn drawn(values: &[f64], random: &mut Stream) -> f64 {
    values[random.random_range(..values.len())]
}

/// When workers are free.
enum Lines {
    /// Of all, the one that is free first is on top.
    One(BinaryHeap<Reverse<Moment>>),
    Own {
        free: Vec<f64>,
        /// Whose turn it is, where they take turns.
        next: Option<usize>,
    },
}

impl Lines {
    fn new(queueing: Queueing, workers: usize) -> Self {
        let own = |next| Self::Own {
            free: vec![0.0; workers],
            next,
        };
        match queueing {
            Queueing::OneLine => Self::One(vec![Reverse(Moment(0.0)); workers].into()),
            Queueing::LinesAtRandom => own(None),
            Queueing::LinesInTurn => own(Some(0)),
        }
    }

    /// How long a request waits that comes now, and has a worker for so long then.
    fn wait(&mut self, now: f64, service: f64, random: &mut Stream) -> f64 {
        let serve = |free: f64| {
            let begins = now.max(free);
            (begins - now, begins + service)
        };
        match self {
            Self::One(free) => {
                let Some(mut first) = free.peek_mut() else {
                    return 0.0;
                };
                let (wait, until) = serve(first.0.0);
                *first = Reverse(Moment(until));
                wait
            }
            Self::Own { free, next } => {
                let workers = free.len();
                let worker = match next {
                    Some(next) => std::mem::replace(next, (*next + 1) % workers),
                    None => random.random_range(..workers),
                };
                let (wait, until) = serve(free[worker]);
                free[worker] = until;
                wait
            }
        }
    }
}

/// A time that can be ordered: never NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Moment(f64);

impl Eq for Moment {}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REQUESTS: usize = 400_000;

    /// Quantiles of the exponential distribution with mean 1, so many that its moments are near.
    fn exponential() -> Sample {
        let count = 10_000;
        let quantile = |index: i32| -(1.0 - (f64::from(index) + 0.5) / f64::from(count)).ln();
        Sample::new((0..count).map(quantile).collect()).unwrap()
    }

    fn mean_wait(service: &Sample, workers: usize, rate: f64, queueing: Queueing) -> f64 {
        let simulation = Simulation::new(service, workers, rate, queueing).unwrap();
        let visits = simulation.visits(REQUESTS, 7);
        let settled = &visits[REQUESTS / 10..];
        settled.iter().map(|visit| visit.wait).sum::<f64>() / settled.len() as f64
    }

    /// Erlang's C formula, by his B recursively; then the mean wait where service takes 1.
    fn erlang_wait(workers: u32, offered: f64) -> f64 {
        let b = (1..=workers).fold(1.0, |b, j| offered * b / (f64::from(j) + offered * b));
        let utilisation = offered / f64::from(workers);
        let c = b / (1.0 - utilisation * (1.0 - b));
        c / (f64::from(workers) - offered)
    }

    #[track_caller]
    fn near(value: f64, expected: f64, tolerance: f64) {
        assert!(
            (value / expected - 1.0).abs() < tolerance,
            "{value} instead of {expected}"
        );
    }

    #[test]
    fn one_line_waits_as_erlang_says() {
        let service = exponential();
        for (workers, utilisation) in [(1_u32, 0.5), (4, 0.8), (10, 0.7)] {
            let offered = utilisation * f64::from(workers);
            let wait = mean_wait(&service, workers as usize, offered, Queueing::OneLine);
            near(wait, erlang_wait(workers, offered), 0.05);
        }
    }

    #[test]
    fn lines_at_random_are_single_servers_and_lines_in_turn_lie_between() {
        let service = exponential();
        let wait = |queueing| mean_wait(&service, 4, 3.2, queueing);
        let at_random = wait(Queueing::LinesAtRandom);
        // ρ / (1 - ρ) of M/M/1.
        near(at_random, 4.0, 0.05);
        let in_turn = wait(Queueing::LinesInTurn);
        let one = wait(Queueing::OneLine);
        assert!(
            one < in_turn && in_turn < at_random,
            "{one} {in_turn} {at_random}"
        );
    }

    #[test]
    fn constant_service_halves_the_wait_of_one_worker() {
        let constant = Sample::new(vec![1.0]).unwrap();
        // Pollaczek and Khinchine: ρ / (2 (1 - ρ)).
        near(mean_wait(&constant, 1, 0.8, Queueing::OneLine), 2.0, 0.05);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let of = |values: Vec<f64>, workers, rate| {
            let service = Sample::new(values).unwrap();
            Simulation::new(&service, workers, rate, Queueing::OneLine)
                .map(drop)
                .unwrap_err()
        };
        assert_eq!(of(vec![1.0], 0, 1.0), SimulationError::NoWorkers);
        assert_eq!(of(vec![1.0, -2.0], 1, 0.1), SimulationError::Service(-2.0));
        assert_eq!(of(vec![1.0], 1, 0.0), SimulationError::Rate(0.0));
        assert_eq!(of(vec![1.0], 2, 2.0), SimulationError::Overload(1.0));
    }

    proptest! {
        #[test]
        fn nobody_waits_less_than_nothing_and_the_same_seed_gives_the_same_visits(
            values in proptest::collection::vec(0.0..10.0_f64, 1..20),
            workers in 1..8_usize,
            seed: u64,
        ) {
            let service = Sample::new(values).unwrap();
            let rate = 0.9 * workers as f64 / service.mean().max(0.1);
            for queueing in [Queueing::OneLine, Queueing::LinesAtRandom, Queueing::LinesInTurn] {
                let simulation = Simulation::new(&service, workers, rate, queueing).unwrap();
                let visits = simulation.visits(200, seed);
                prop_assert!(visits.iter().all(|visit| visit.wait >= 0.0));
                prop_assert_eq!(visits, simulation.visits(200, seed));
            }
        }
    }
}
