//! What one generator thread counted, and the sum over threads.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use schema::{CpuTime, ErrorCount, ErrorKind, LatencyQuantiles, LoadResult};

/// Latencies above this are recorded as this; a request is given up long before.
const LONGEST_NS: u64 = 600_000_000_000;

/// A histogram of latencies in nanoseconds, three significant digits.
#[must_use]
pub fn latency_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("the bounds are in order and in range")
}

/// Counts over one window.
#[derive(Debug)]
pub struct Tally {
    /// Requests under way as the window opened, and those sent in it.
    pub offered: u64,
    /// Correct answers.
    pub completed: u64,
    /// Requests given up.
    pub timeouts: u64,
    /// Requests under way as the window closed.
    pub unfinished: u64,
    /// By kind, with the first in words.
    pub errors: BTreeMap<ErrorKind, (u64, String)>,
    /// Connections opened in the window.
    pub connections_opened: u64,
    /// Bytes of answers.
    pub received_bytes: u64,
    /// From the first byte sent to the last received, ns.
    pub latency: Histogram<u64>,
    /// CPU time of the thread.
    pub cpu: CpuTime,
    /// Length of the window on the thread's clock.
    pub elapsed_ns: u64,
    workers: WorkerCounts,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            offered: 0,
            completed: 0,
            timeouts: 0,
            unfinished: 0,
            errors: BTreeMap::new(),
            connections_opened: 0,
            received_bytes: 0,
            latency: latency_histogram(),
            cpu: CpuTime::default(),
            elapsed_ns: 0,
            workers: WorkerCounts::default(),
        }
    }
}

impl Tally {
    /// Counts an error; the words are made for the first of a kind only.
    pub fn error(&mut self, kind: ErrorKind, words: impl FnOnce() -> String) {
        self.errors.entry(kind).or_insert_with(|| (0, words())).0 += 1;
    }

    /// Counts a correct answer of a worker.
    pub fn answered_by(&mut self, worker: u64) {
        self.workers.count(worker);
    }

    /// Errors and timeouts, and the first in words.
    #[must_use]
    pub fn wrong(&self) -> (u64, Option<&str>) {
        let errors: u64 = self.errors.values().map(|(count, _)| count).sum();
        let first = self.errors.values().next().map(|(_, words)| words.as_str());
        (
            errors + self.timeouts,
            first.or((self.timeouts > 0).then_some("no answer in time")),
        )
    }

    /// Adds another thread's tally of the same window.
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
        self.latency
            .add(&other.latency)
            .expect("all tallies have histograms of the same bounds");
        self.cpu.user_ns += other.cpu.user_ns;
        self.cpu.system_ns += other.cpu.system_ns;
        self.elapsed_ns = self.elapsed_ns.max(other.elapsed_ns);
        for &(worker, count) in &other.workers.counts {
            self.workers.add(worker, count);
        }
    }

    /// The account that is written down, over `threads` threads.
    #[must_use]
    pub fn result(&self, threads: u32) -> LoadResult {
        LoadResult {
            elapsed_ns: self.elapsed_ns,
            offered: self.offered,
            completed: self.completed,
            errors: self.errors.values().map(|(count, _)| count).sum(),
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
            latency: quantiles(&self.latency),
            requests_by_worker: self.workers.counts.iter().copied().collect(),
            generator_threads: threads,
            generator_cpu: self.cpu,
        }
    }
}

fn quantiles(latency: &Histogram<u64>) -> Option<LatencyQuantiles> {
    (!latency.is_empty()).then(|| LatencyQuantiles {
        min_ns: latency.min(),
        mean_ns: latency.mean(),
        p50_ns: latency.value_at_quantile(0.5),
        p90_ns: latency.value_at_quantile(0.9),
        p99_ns: latency.value_at_quantile(0.99),
        p999_ns: latency.value_at_quantile(0.999),
        max_ns: latency.max(),
    })
}

/// Requests by worker id. Workers are few and answers come in runs, so the last one is tried first
/// and the rest are searched in a row.
#[derive(Debug, Default)]
struct WorkerCounts {
    counts: Vec<(u64, u64)>,
    last: usize,
}

impl WorkerCounts {
    fn count(&mut self, worker: u64) {
        if let Some((id, count)) = self.counts.get_mut(self.last)
            && *id == worker
        {
            *count += 1;
            return;
        }
        self.add(worker, 1);
    }

    fn add(&mut self, worker: u64, more: u64) {
        self.last = self
            .counts
            .iter()
            .position(|&(id, _)| id == worker)
            .unwrap_or_else(|| {
                self.counts.push((worker, 0));
                self.counts.len() - 1
            });
        self.counts[self.last].1 += more;
    }
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
        let mut two = Tally {
            offered: 2,
            completed: 1,
            ..Tally::default()
        };
        two.answered_by(7);
        two.error(ErrorKind::Status, || "status 500".to_owned());
        one.add(&two);
        let sum = one.result(2);
        assert_eq!(
            sum.offered,
            sum.completed + sum.errors + sum.timeouts + sum.unfinished
        );
        assert_eq!(sum.requests_by_worker, BTreeMap::from([(7, 2), (8, 1)]));
        assert_eq!(sum.error_kinds[0].first, "status 500");
        assert_eq!(sum.latency, None);
    }
}
