//! What one generator thread counted, and the sum over threads and intervals.

use std::collections::BTreeMap;

use schema::{CpuTime, ErrorCount, ErrorKind, LoadResult};

use crate::{arrivals::Observed, latencies::Latencies, worker_counts::WorkerCounts};

/// The times of one request, ns since the load began.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// When it was to be sent.
    pub intended_ns: u64,
    /// When the generator had it in hand.
    pub dispatched_ns: u64,
    /// When its first byte was written.
    pub written_ns: u64,
}

/// Counts over one window, or over an interval of it.
#[derive(Debug, Default)]
pub struct Tally {
    /// Requests due in the window, and those under way as it opened.
    pub offered: u64,
    /// Correct answers.
    pub completed: u64,
    /// Requests given up.
    pub timeouts: u64,
    /// Requests due or under way as the window closed.
    pub unfinished: u64,
    /// By kind, with the first in words.
    pub errors: BTreeMap<ErrorKind, (u64, String)>,
    /// Connections opened in the window.
    pub connections_opened: u64,
    /// Bytes of answers.
    pub received_bytes: u64,
    /// Bytes that came while no request was under way.
    pub unsolicited_bytes: u64,
    /// Time spent waiting awake for the next request to be due, ns.
    pub awake_ns: u64,
    /// Histograms.
    pub latencies: Latencies,
    /// Connections with a request under way times the time they were so, ns.
    pub busy_ns: u64,
    /// Of requests that completed, the time before the window opened; less, of those that did not, all
    /// the time they were under way, ns. What is left of `busy_ns` with it is what service times
    /// must add up to.
    pub beside_completed_ns: i64,
    /// Share of the window that the busiest thread worked.
    pub busiest: f64,
    /// Requests under way and waiting at the end.
    pub in_flight: u64,
    /// CPU time of the thread.
    pub cpu: CpuTime,
    /// Time the thread waited for its CPU, ns; absent where the kernel does not tell.
    pub run_queue_wait_ns: Option<u64>,
    /// Time a hypervisor kept the thread's CPU, ns; absent where the kernel does not tell.
    pub stolen_ns: Option<u64>,
    /// Readings of the clock.
    pub clock_reads: u64,
    /// Length of the window on the thread's clock.
    pub elapsed_ns: u64,
    /// The arrivals of an open loop.
    pub arrivals: Option<Observed>,
    /// Answers that came from another worker than the first on their connection.
    pub from_another_worker: u64,
    requests: WorkerCounts,
    connections: WorkerCounts,
}

impl Tally {
    /// A request written before the window opened is under way in it.
    pub fn busy_before(&mut self, written_ns: u64, opened_ns: u64) {
        self.beside_completed_ns += opened_ns.saturating_sub(written_ns).cast_signed();
    }

    /// A request that was written ended without an answer.
    pub fn busy_in_vain(&mut self, written_ns: u64, ended_ns: u64) {
        self.beside_completed_ns -= ended_ns.saturating_sub(written_ns).cast_signed();
    }

    /// Counts an error; the words are made for the first of a kind only.
    pub fn error(&mut self, kind: ErrorKind, words: impl FnOnce() -> String) {
        self.errors.entry(kind).or_insert_with(|| (0, words())).0 += 1;
    }

    /// Counts a correct answer of a worker.
    pub fn answered_by(&mut self, worker: u64) {
        self.requests.count(worker);
    }

    /// Counts a connection of a worker.
    pub fn connected_to(&mut self, worker: u64) {
        self.connections.count(worker);
    }

    /// Errors, all kinds together.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors.values().map(|(count, _)| count).sum()
    }

    /// Errors and timeouts, and the first in words.
    #[must_use]
    pub fn wrong(&self) -> (u64, Option<&str>) {
        let first = self.errors.values().next().map(|(_, words)| words.as_str());
        (
            self.errors() + self.timeouts,
            first.or((self.timeouts > 0).then_some("no answer in time")),
        )
    }

    /// Begins anew; keeps what was allocated.
    pub fn clear(&mut self) {
        let mut latencies = std::mem::take(&mut self.latencies);
        latencies.clear();
        *self = Self {
            latencies,
            ..Self::default()
        };
    }

    /// Adds what another thread counted in the same time, or this one in the time after.
    pub fn add(&mut self, other: &Self) {
        self.offered += other.offered;
        self.completed += other.completed;
        self.timeouts += other.timeouts;
        self.unfinished += other.unfinished;
        for (kind, (count, words)) in &other.errors {
            self.errors
                .entry(*kind)
                .or_insert_with(|| (0, words.clone()))
                .0 += count;
        }
        self.connections_opened += other.connections_opened;
        self.received_bytes += other.received_bytes;
        self.unsolicited_bytes += other.unsolicited_bytes;
        self.awake_ns += other.awake_ns;
        self.latencies.add(&other.latencies);
        self.busy_ns += other.busy_ns;
        self.beside_completed_ns += other.beside_completed_ns;
        self.busiest = self.busiest.max(other.busiest);
        self.in_flight += other.in_flight;
        self.cpu.user_ns += other.cpu.user_ns;
        self.cpu.system_ns += other.cpu.system_ns;
        self.run_queue_wait_ns = both(self.run_queue_wait_ns, other.run_queue_wait_ns);
        self.stolen_ns = both(self.stolen_ns, other.stolen_ns);
        self.clock_reads += other.clock_reads;
        self.elapsed_ns = self.elapsed_ns.max(other.elapsed_ns);
        self.from_another_worker += other.from_another_worker;
        match (&mut self.arrivals, &other.arrivals) {
            (Some(sum), Some(more)) => sum.add(more),
            (none @ None, more) => none.clone_from(more),
            (Some(_), None) => {}
        }
        for &(worker, count) in other.requests.all() {
            self.requests.add(worker, count);
        }
        for &(worker, count) in other.connections.all() {
            self.connections.add(worker, count);
        }
    }

    /// The account that is written down, over `threads` threads that spoke through `transport`.
    #[must_use]
    pub fn result(&self, threads: u32, transport: &str) -> LoadResult {
        let latencies = self.latencies.reduce();
        LoadResult {
            elapsed_ns: self.elapsed_ns,
            offered: self.offered,
            completed: self.completed,
            errors: self.errors(),
            timeouts: self.timeouts,
            unfinished: self.unfinished,
            error_kinds: self
                .errors
                .iter()
                .map(|(&kind, (count, first))| ErrorCount {
                    kind,
                    count: *count,
                    first: first.clone(),
                })
                .collect(),
            connections_opened: self.connections_opened,
            received_bytes: self.received_bytes,
            unsolicited_bytes: self.unsolicited_bytes,
            response: latencies.response,
            service: latencies.service,
            connection_wait: latencies.connection_wait,
            lateness: latencies.lateness,
            requests_by_worker: self.requests.all().iter().copied().collect(),
            connections_by_worker: self.connections.all().iter().copied().collect(),
            answers_by_another_worker: self.from_another_worker,
            mean_busy_connections: self.busy_ns as f64 / self.elapsed_ns.max(1) as f64,
            mean_busy_completed: (self.busy_ns.cast_signed() + self.beside_completed_ns) as f64
                / self.elapsed_ns.max(1) as f64,
            generator_busiest: self.busiest,
            arrivals: self.arrivals.as_ref().map(Observed::figures),
            generator_threads: threads,
            generator_cpu: self.cpu,
            awake_ns: self.awake_ns,
            generator_run_queue_wait_ns: self.run_queue_wait_ns,
            generator_stolen_ns: self.stolen_ns,
            clock_reads: self.clock_reads,
            transport: transport.to_owned(),
        }
    }
}

/// The sum of what is known: intervals before the last know nothing of it.
fn both(one: Option<u64>, two: Option<u64>) -> Option<u64> {
    one.zip(two)
        .map_or(one.or(two), |(one, two)| Some(one + two))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_of_threads_add_up() {
        let mut one = Tally {
            offered: 3,
            completed: 2,
            unfinished: 1,
            ..Tally::default()
        };
        one.answered_by(7);
        one.answered_by(8);
        one.connected_to(7);
        let mut two = Tally {
            offered: 2,
            completed: 1,
            ..Tally::default()
        };
        two.answered_by(7);
        two.error(ErrorKind::Status, || "status 500".to_owned());
        one.add(&two);
        let sum = one.result(2, "epoll");
        assert_eq!(
            sum.offered,
            sum.completed + sum.errors + sum.timeouts + sum.unfinished
        );
        assert_eq!(sum.requests_by_worker, BTreeMap::from([(7, 2), (8, 1)]));
        assert_eq!(sum.connections_by_worker, BTreeMap::from([(7, 1)]));
        assert_eq!(sum.error_kinds[0].first, "status 500");
        assert_eq!(sum.response, None);
    }
}
