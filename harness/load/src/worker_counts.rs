//! A number by worker id.
//!
//! Mostly workers are few and answers come in runs, so the last one is tried first and the rest are
//! searched in a row. Where a worker is made for each connection there are as many as connections, and a
//! search would soon cost more than the request: from [`SEARCHED`] workers on their places are known.

use std::collections::HashMap;

/// Workers that are searched in a row: below this, that is as fast as a hash.
const SEARCHED: usize = 32;

/// Numbers by worker id.
#[derive(Debug, Default)]
pub struct WorkerCounts {
    counts: Vec<(u64, u64)>,
    last: usize,
    /// Of every worker, where there are more than are searched; else of none.
    places: HashMap<u64, usize>,
}

impl WorkerCounts {
    /// One more of a worker.
    pub fn count(&mut self, worker: u64) {
        if let Some((id, count)) = self.counts.get_mut(self.last)
            && *id == worker
        {
            *count += 1;
            return;
        }
        self.add(worker, 1);
    }

    /// So many more of a worker.
    pub fn add(&mut self, worker: u64, more: u64) {
        self.last = self.place(worker).unwrap_or_else(|| self.new_place(worker));
        self.counts[self.last].1 += more;
    }

    /// All of them, in the order in which they were first seen.
    pub fn all(&self) -> &[(u64, u64)] {
        &self.counts
    }

    fn place(&self, worker: u64) -> Option<usize> {
        if self.places.is_empty() {
            return self.counts.iter().position(|&(id, _)| id == worker);
        }
        self.places.get(&worker).copied()
    }

    fn new_place(&mut self, worker: u64) -> usize {
        let place = self.counts.len();
        self.counts.push((worker, 0));
        if place == SEARCHED {
            let ids = self.counts.iter().enumerate();
            self.places = ids.map(|(place, &(id, _))| (id, place)).collect();
        } else if place > SEARCHED {
            self.places.insert(worker, place);
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_workers_and_many_are_counted_alike() {
        for workers in [1, 4, 31, 32, 33, 34, 1_000] {
            let mut counts = WorkerCounts::default();
            for round in 0..3 {
                for worker in (0..workers).rev() {
                    counts.count(worker);
                    counts.add(worker, round);
                }
            }
            let expected: Vec<(u64, u64)> = (0..workers).rev().map(|id| (id, 6)).collect();
            assert_eq!(counts.all(), expected);
        }
    }
}
