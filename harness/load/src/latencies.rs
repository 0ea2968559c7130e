//! Histograms of the parts of a response time, and their quantiles.
//!
//! `response = lateness + connection wait + service`. A request of a closed loop over a standing
//! connection has neither of the first two, so its one figure goes into one histogram, and is taken
//! apart when the load is over.
//!
//! Requests that never completed took at least as long as they were waited for. For quantiles they
//! stand at that time (a lower bound) and, beside it, at infinity (an upper bound): where both agree
//! the quantile is exact whatever became of them, else it is printed as a bound.

use hdrhistogram::Histogram;
use schema::LatencyQuantiles;

use crate::tally::Times;

/// Latencies above this are recorded as this; a request is given up long before.
const LONGEST_NS: u64 = 4_000_000_000_000;
/// A quantile whose bounds are this close is exact enough.
const SAME: f64 = 1.05;

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("the bounds are in order and in range")
}

/// The histograms, ns.
#[derive(Clone, Debug)]
pub struct Latencies {
    /// Of requests that were due, in hand and written at once.
    prompt: Histogram<u64>,
    /// Of the others.
    response: Histogram<u64>,
    service: Histogram<u64>,
    connection_wait: Histogram<u64>,
    lateness: Histogram<u64>,
    /// Of requests that never completed: how long they were waited for, from when they were due.
    waited_in_vain: Histogram<u64>,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            prompt: histogram(),
            response: histogram(),
            service: histogram(),
            connection_wait: histogram(),
            lateness: histogram(),
            waited_in_vain: histogram(),
        }
    }
}

/// Quantiles of each part; absent where nothing completed.
#[derive(Clone, Copy, Debug)]
pub struct Reduced {
    pub response: Option<LatencyQuantiles>,
    pub service: Option<LatencyQuantiles>,
    pub connection_wait: Option<LatencyQuantiles>,
    pub lateness: Option<LatencyQuantiles>,
}

impl Latencies {
    /// A request completed.
    #[inline]
    pub fn completed(&mut self, times: &Times, end_ns: u64) {
        let Times {
            intended_ns,
            dispatched_ns,
            written_ns,
        } = *times;
        if intended_ns == written_ns {
            self.prompt.saturating_record(end_ns - written_ns);
            return;
        }
        self.response.saturating_record(end_ns - intended_ns);
        self.service.saturating_record(end_ns - written_ns);
        self.connection_wait
            .saturating_record(written_ns - dispatched_ns);
        self.lateness.saturating_record(dispatched_ns - intended_ns);
    }

    /// The longest response time, ns; zero where nothing completed.
    #[must_use]
    pub fn longest(&self) -> u64 {
        self.prompt.max().max(self.response.max())
    }

    /// A request ended without an answer after it was waited for so long.
    pub fn waited_in_vain(&mut self, ns: u64) {
        self.waited_in_vain.saturating_record(ns);
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        for histogram in self.all_mut() {
            if !histogram.is_empty() {
                histogram.reset();
            }
        }
    }

    fn all_mut(&mut self) -> [&mut Histogram<u64>; 6] {
        [
            &mut self.prompt,
            &mut self.response,
            &mut self.service,
            &mut self.connection_wait,
            &mut self.lateness,
            &mut self.waited_in_vain,
        ]
    }

    /// Adds another thread's or interval's.
    pub fn add(&mut self, other: &Self) {
        let others = [
            &other.prompt,
            &other.response,
            &other.service,
            &other.connection_wait,
            &other.lateness,
            &other.waited_in_vain,
        ];
        for (sum, more) in self.all_mut().into_iter().zip(others) {
            merge(sum, more);
        }
    }

    /// Every response time of a completed request.
    #[must_use]
    pub fn response(&self) -> Histogram<u64> {
        let mut all = self.response.clone();
        merge(&mut all, &self.prompt);
        all
    }

    /// Every response time, and of requests that never completed the time they were waited for.
    #[must_use]
    pub fn response_at_least(&self) -> Histogram<u64> {
        let mut all = self.response();
        merge(&mut all, &self.waited_in_vain);
        all
    }

    /// How long requests that never completed were waited for.
    #[must_use]
    pub const fn in_vain(&self) -> &Histogram<u64> {
        &self.waited_in_vain
    }

    /// Every service time.
    #[must_use]
    pub fn service(&self) -> Histogram<u64> {
        let mut all = self.service.clone();
        merge(&mut all, &self.prompt);
        all
    }

    /// Every wait for a connection.
    #[must_use]
    pub fn connection_wait(&self) -> Histogram<u64> {
        self.with_prompt_zeros(&self.connection_wait)
    }

    /// Every delay of the generator itself.
    #[must_use]
    pub fn lateness(&self) -> Histogram<u64> {
        self.with_prompt_zeros(&self.lateness)
    }

    fn with_prompt_zeros(&self, part: &Histogram<u64>) -> Histogram<u64> {
        let mut all = part.clone();
        if !self.prompt.is_empty() {
            all.saturating_record_n(0, self.prompt.len());
        }
        all
    }

    /// The quantiles that are written down.
    #[must_use]
    pub fn reduce(&self) -> Reduced {
        let empty = histogram();
        Reduced {
            response: quantiles(&self.response(), &self.waited_in_vain),
            service: quantiles(&self.service(), &empty),
            connection_wait: quantiles(&self.connection_wait(), &empty),
            lateness: quantiles(&self.lateness(), &empty),
        }
    }
}

/// Histograms of the same bounds never refuse each other.
fn merge(sum: &mut Histogram<u64>, more: &Histogram<u64>) {
    if !more.is_empty() {
        sum.add(more)
            .expect("all histograms here have the same bounds");
    }
}

/// Quantiles of what completed and what was waited for in vain, together.
fn quantiles(completed: &Histogram<u64>, in_vain: &Histogram<u64>) -> Option<LatencyQuantiles> {
    if completed.is_empty() {
        return None;
    }
    let mut all = completed.clone();
    merge(&mut all, in_vain);
    let at = |quantile: f64| all.value_at_quantile(quantile);
    let is_bound = |quantile: f64| {
        let value = at(quantile);
        if quantile >= 1.0 {
            return !in_vain.is_empty() && in_vain.max() > completed.max();
        }
        // With the others at infinity, the quantile is at this rank of the completed.
        let rank = quantile * all.len() as f64;
        let among_completed = rank / completed.len() as f64;
        among_completed > 1.0
            || completed.value_at_quantile(among_completed) as f64 > SAME * value.max(1) as f64
    };
    let reported = [0.5, 0.9, 0.99, 0.999, 1.0];
    Some(LatencyQuantiles {
        min_ns: completed.min(),
        mean_ns: completed.mean(),
        p50_ns: at(0.5),
        p90_ns: at(0.9),
        p99_ns: at(0.99),
        p999_ns: at(0.999),
        max_ns: all.max(),
        bounds_from: reported.into_iter().find(|&quantile| is_bound(quantile)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(latencies: &mut Latencies, service_ns: u64, times: u64) {
        for _ in 0..times {
            latencies.completed(&Times::default(), service_ns);
        }
    }

    #[test]
    fn the_parts_of_a_response_time_add_up() {
        let mut latencies = Latencies::default();
        let times = Times {
            intended_ns: 1_000,
            dispatched_ns: 1_010,
            written_ns: 1_110,
        };
        latencies.completed(&times, 2_110);
        let reduced = latencies.reduce();
        assert_eq!(reduced.lateness.unwrap().max_ns, 10);
        assert_eq!(reduced.connection_wait.unwrap().max_ns, 100);
        assert_eq!(reduced.service.unwrap().max_ns, 1_000);
        assert_eq!(reduced.response.unwrap().max_ns, 1_110);
    }

    #[test]
    fn a_prompt_request_counts_in_every_histogram() {
        let mut latencies = Latencies::default();
        completed(&mut latencies, 500, 3);
        assert_eq!(latencies.response().len(), 3);
        assert_eq!(latencies.service().len(), 3);
        assert_eq!(latencies.lateness().len(), 3);
        assert_eq!(latencies.connection_wait().max(), 0);
    }

    #[test]
    fn a_quantile_that_reaches_into_unanswered_requests_is_a_bound() {
        let mut latencies = Latencies::default();
        completed(&mut latencies, 100_000, 980);
        for _ in 0..20 {
            latencies.waited_in_vain(2_000_000);
        }
        let response = latencies.reduce().response.unwrap();
        assert_eq!(response.bounds_from, Some(0.99));
        assert!(response.p99_ns >= 2_000_000 && response.p90_ns < 101_000);
    }

    #[test]
    fn requests_that_were_cut_off_early_do_not_make_every_quantile_a_bound() {
        let mut latencies = Latencies::default();
        for service_ns in 1..=100_000 {
            completed(&mut latencies, 1_000 + service_ns, 1);
        }
        for _ in 0..10 {
            latencies.waited_in_vain(5_000);
        }
        let response = latencies.reduce().response.unwrap();
        assert_eq!(response.bounds_from, None);
        completed(&mut latencies, 1_000, 1);
        latencies.waited_in_vain(10_000_000);
        assert_eq!(latencies.reduce().response.unwrap().bounds_from, Some(1.0));
    }
}
