//! When the requests of an open loop are due.
//!
//! The number of arrivals expected until time t, Λ(t), is the area under the rate: constant during
//! warm-up, then in a straight line from one rate to the other over the window. The i-th arrival is
//! due at Λ⁻¹(Sᵢ), where Sᵢ is i for constant arrivals, and the sum of i exponential draws of mean 1
//! for Poisson arrivals (time change of a Poisson process; Çinlar 1975, Introduction to Stochastic
//! Processes, ch. 4.7). Each due time comes from the sum itself, so that rounding never adds up, and
//! nothing that happens while the load is driven can move it.
//!
//! Threads share the arrivals: constant ones are dealt out in turn; of Poisson arrivals each thread
//! draws a stream of its own at its share of the rate, and their union is again Poisson.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schema::{ArrivalFigures, Arrivals, OpenLoop};

/// Classes of the chi-square test.
const CLASSES: usize = 20;
/// A bin of the dispersion holds at least this many expected arrivals,
const LEAST_EXPECTED: f64 = 20.0;
/// and is at least this long: a generator's lateness of some microseconds must not show.
const LEAST_BIN_S: f64 = 0.010;
/// Fewer gaps than five in each class say nothing.
const LEAST_GAPS: u64 = 5 * CLASSES as u64;
/// Fewer bins say nothing.
const LEAST_BINS: u64 = 10;

/// The rate over time, and the area under it. Times are seconds since the load began.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    from_per_s: f64,
    to_per_s: f64,
    warm_up_s: f64,
    measure_s: f64,
}

impl Rate {
    /// The rate of `open` over a warm-up and a window.
    #[must_use]
    pub fn new(open: &OpenLoop, warm_up: Duration, measure: Duration) -> Self {
        Self {
            from_per_s: open.from_per_s,
            to_per_s: open.to_per_s,
            warm_up_s: warm_up.as_secs_f64(),
            measure_s: measure.as_secs_f64(),
        }
    }

    /// Arrivals expected until a time.
    #[must_use]
    pub fn expected_until(&self, s: f64) -> f64 {
        let in_window = s - self.warm_up_s;
        if in_window <= 0.0 {
            return self.from_per_s * s;
        }
        let slope = (self.to_per_s - self.from_per_s) / self.measure_s;
        self.from_per_s * s + slope * in_window * in_window / 2.0
    }

    /// The time until which `arrivals` are expected; infinite where there are never so many.
    #[must_use]
    pub fn time_of(&self, arrivals: f64) -> f64 {
        let in_warm_up = self.from_per_s * self.warm_up_s;
        if arrivals <= in_warm_up {
            return arrivals / self.from_per_s;
        }
        // The root of from·u + slope·u²/2 = rest, in the form that does not cancel.
        let rest = arrivals - in_warm_up;
        let slope = (self.to_per_s - self.from_per_s) / self.measure_s;
        let under = self.from_per_s * self.from_per_s + 2.0 * slope * rest;
        if under < 0.0 {
            return f64::INFINITY;
        }
        self.warm_up_s + 2.0 * rest / (self.from_per_s + under.sqrt())
    }
}

/// One thread's arrivals, one after another.
#[derive(Debug)]
pub struct Schedule {
    rate: Rate,
    kind: Arrivals,
    threads: f64,
    random: ChaCha8Rng,
    /// Sᵢ of all threads together.
    sum: f64,
    next_ns: u64,
}

impl Schedule {
    /// The arrivals of thread `index` of `threads`.
    #[must_use]
    pub fn new(open: &OpenLoop, rate: Rate, index: usize, threads: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(open.seed);
        random.set_stream(index as u64);
        let mut schedule = Self {
            rate,
            kind: open.arrivals,
            threads: threads as f64,
            random,
            sum: 0.0,
            next_ns: 0,
        };
        schedule.sum = match open.arrivals {
            Arrivals::Constant => (index + 1) as f64,
            Arrivals::Poisson => schedule.draw(),
        };
        schedule.next_ns = nanoseconds(rate.time_of(schedule.sum));
        schedule
    }

    /// When the next request is due, ns since the load began.
    #[must_use]
    pub const fn next_ns(&self) -> u64 {
        self.next_ns
    }

    /// The same in seconds, before rounding.
    #[must_use]
    pub fn next_s(&self) -> f64 {
        self.rate.time_of(self.sum)
    }

    /// Goes on to the one after.
    pub fn advance(&mut self) {
        self.sum += match self.kind {
            Arrivals::Constant => self.threads,
            Arrivals::Poisson => self.draw(),
        };
        self.next_ns = nanoseconds(self.rate.time_of(self.sum));
    }

    /// An exponential gap on the scale of all threads' arrivals.
    fn draw(&mut self) -> f64 {
        let uniform: f64 = self.random.random();
        -(1.0 - uniform).ln() * self.threads
    }
}

fn nanoseconds(s: f64) -> u64 {
    // Saturates: what never comes is due at the end of time.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    {
        (s * 1e9) as u64
    }
}

/// What one thread saw of its arrivals in the window, to be set against the model.
#[derive(Clone, Debug)]
pub struct Observed {
    rate: Rate,
    kind: Arrivals,
    threads: f64,
    came: u64,
    expected: f64,
    last_due_s: Option<f64>,
    classes: [u64; CLASSES],
    bin_began_s: f64,
    bin_ends_s: f64,
    in_bin: u64,
    squares: f64,
    bins: u64,
}

impl Observed {
    /// Nothing yet, for one thread of `threads`.
    #[must_use]
    pub fn new(open: &OpenLoop, rate: Rate, threads: usize) -> Self {
        let threads = threads as f64;
        Self {
            rate,
            kind: open.arrivals,
            threads,
            came: 0,
            expected: 0.0,
            last_due_s: None,
            classes: [0; CLASSES],
            bin_began_s: 0.0,
            bin_ends_s: f64::INFINITY,
            in_bin: 0,
            squares: 0.0,
            bins: 0,
        }
    }

    /// The window opens.
    pub fn open(&mut self, now_ns: u64) {
        self.begin_bin(now_ns as f64 / 1e9);
    }

    /// A bin is long enough to hold some arrivals at the rate of its time.
    fn begin_bin(&mut self, at_s: f64) {
        let enough = self.rate.expected_until(at_s) + LEAST_EXPECTED * self.threads;
        self.bin_began_s = at_s;
        self.bin_ends_s = (at_s + LEAST_BIN_S).max(self.rate.time_of(enough));
    }

    /// A request that was due was taken in hand.
    pub fn took(&mut self, at_s: f64, in_hand_ns: u64) {
        self.came += 1;
        if let Some(last_s) = self.last_due_s.replace(at_s) {
            let gap = self.share(last_s, at_s);
            // The exponential distribution function: uniform over [0, 1) if the gaps are exponential.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let class = (-(-gap).exp_m1() * CLASSES as f64) as usize;
            self.classes[class.min(CLASSES - 1)] += 1;
        }
        self.close_bins(in_hand_ns as f64 / 1e9);
        self.in_bin += 1;
    }

    fn close_bins(&mut self, now_s: f64) {
        while now_s >= self.bin_ends_s {
            let end_s = self.bin_ends_s;
            let expected = self.share(self.bin_began_s, end_s);
            if expected > 0.0 {
                let apart = self.in_bin as f64 - expected;
                self.squares += apart * apart / expected;
                self.bins += 1;
            }
            self.in_bin = 0;
            self.begin_bin(end_s);
        }
    }

    fn share(&self, from_s: f64, to_s: f64) -> f64 {
        (self.rate.expected_until(to_s) - self.rate.expected_until(from_s)) / self.threads
    }

    /// The window closes.
    pub fn close(&mut self, opened_ns: u64, now_ns: u64) {
        self.close_bins(now_ns as f64 / 1e9);
        self.expected = self.share(opened_ns as f64 / 1e9, now_ns as f64 / 1e9);
    }

    /// Adds another thread's.
    pub fn add(&mut self, other: &Self) {
        self.came += other.came;
        self.expected += other.expected;
        self.squares += other.squares;
        self.bins += other.bins;
        for (class, more) in self.classes.iter_mut().zip(other.classes) {
            *class += more;
        }
    }

    /// The figures that are written down.
    #[must_use]
    pub fn figures(&self) -> ArrivalFigures {
        let gaps: u64 = self.classes.iter().sum();
        let each = gaps as f64 / CLASSES as f64;
        let chi_square = self
            .classes
            .iter()
            .map(|&count| (count as f64 - each).powi(2) / each)
            .sum();
        ArrivalFigures {
            expected: self.expected,
            came: self.came,
            gap_chi_square: (self.kind == Arrivals::Poisson && gaps >= LEAST_GAPS)
                .then_some(chi_square),
            dispersion: (self.bins >= LEAST_BINS).then(|| self.squares / self.bins as f64),
            bins: self.bins,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(from_per_s: f64, to_per_s: f64, arrivals: Arrivals) -> (OpenLoop, Rate) {
        let open = OpenLoop {
            from_per_s,
            to_per_s,
            arrivals,
            seed: 7,
        };
        let rate = Rate::new(&open, Duration::from_secs(1), Duration::from_secs(4));
        (open, rate)
    }

    fn due_until(schedule: &mut Schedule, until_ns: u64) -> Vec<u64> {
        let mut due = Vec::new();
        while schedule.next_ns() < until_ns {
            due.push(schedule.next_ns());
            schedule.advance();
        }
        due
    }

    #[test]
    fn constant_arrivals_never_drift_and_threads_take_turns() {
        let (open, rate) = open(3.0, 3.0, Arrivals::Constant);
        let mut all: Vec<u64> = (0..2)
            .flat_map(|index| {
                let mut schedule = Schedule::new(&open, rate, index, 2);
                due_until(&mut schedule, 5_000_000_000)
            })
            .collect();
        all.sort_unstable();
        assert_eq!(all.len(), 14);
        for (index, due) in all.iter().enumerate() {
            let exact = (index + 1) as f64 / 3.0 * 1e9;
            assert!(
                (*due as f64 - exact).abs() < 2.0,
                "{due} instead of {exact}"
            );
        }
    }

    #[test]
    fn the_time_of_as_many_arrivals_as_are_expected_until_a_time_is_that_time() {
        for (from, to) in [(100.0, 100.0), (10.0, 1000.0), (1000.0, 10.0)] {
            let (_, rate) = open(from, to, Arrivals::Poisson);
            for s in [0.1, 0.999, 1.0, 1.5, 3.0, 4.999] {
                let back = rate.time_of(rate.expected_until(s));
                assert!((back - s).abs() < 1e-9, "{back} instead of {s}");
            }
        }
        let (_, falling) = open(10.0, 0.0, Arrivals::Poisson);
        assert!(falling.time_of(1e6).is_infinite());
    }

    #[test]
    fn the_same_seed_gives_the_same_arrivals_and_another_gives_others() {
        let (open, rate) = open(1000.0, 1000.0, Arrivals::Poisson);
        let due = |seed| {
            let open = OpenLoop { seed, ..open };
            due_until(&mut Schedule::new(&open, rate, 0, 1), 1_000_000_000)
        };
        assert_eq!(due(1), due(1));
        assert_ne!(due(1), due(2));
    }

    fn observed(open: &OpenLoop, rate: Rate, threads: usize) -> ArrivalFigures {
        let mut sum: Option<Observed> = None;
        for index in 0..threads {
            let mut schedule = Schedule::new(open, rate, index, threads);
            due_until(&mut schedule, 1_000_000_000);
            let mut seen = Observed::new(open, rate, threads);
            seen.open(1_000_000_000);
            for due in due_until(&mut schedule, 5_000_000_000) {
                seen.took(due as f64 / 1e9, due + 1_000);
            }
            seen.close(1_000_000_000, 5_000_000_000);
            match &mut sum {
                Some(sum) => sum.add(&seen),
                None => sum = Some(seen),
            }
        }
        sum.unwrap().figures()
    }

    #[test]
    fn poisson_arrivals_look_poisson_also_on_a_ramp_and_over_threads() {
        for (from, to, threads) in [(20e3, 20e3, 1), (0.0, 40e3, 1), (40e3, 1e3, 3)] {
            let (open, rate) = open(from, to, Arrivals::Poisson);
            let figures = observed(&open, rate, threads);
            let spread = 5.0 * figures.expected.sqrt();
            assert!(
                (figures.came as f64 - figures.expected).abs() < spread,
                "{figures:?}"
            );
            assert!(figures.bins > 100, "{figures:?}");
            // 19 degrees of freedom: mean 19, standard deviation 6.2.
            assert!(figures.gap_chi_square.unwrap() < 50.0, "{figures:?}");
            let dispersion = figures.dispersion.unwrap();
            let tolerance = 5.0 * (2.0 / figures.bins as f64).sqrt();
            assert!((dispersion - 1.0).abs() < tolerance, "{figures:?}");
        }
    }

    #[test]
    fn arrivals_that_are_not_what_they_should_be_are_told_from_those_that_are() {
        let (constant, rate) = open(20e3, 20e3, Arrivals::Constant);
        let figures = observed(&constant, rate, 1);
        assert!(figures.dispersion.unwrap() < 0.1 && figures.gap_chi_square.is_none());

        // Constant gaps passed off as Poisson arrivals.
        let poisson = OpenLoop {
            arrivals: Arrivals::Poisson,
            ..constant
        };
        let mut seen = Observed::new(&poisson, rate, 1);
        seen.open(1_000_000_000);
        for due in due_until(&mut Schedule::new(&constant, rate, 0, 1), 5_000_000_000) {
            seen.took(due as f64 / 1e9, due);
        }
        assert!(seen.figures().gap_chi_square.unwrap() > 1_000.0);

        // Poisson arrivals that are taken in hand in clumps of 50 ms.
        let mut seen = Observed::new(&poisson, rate, 1);
        seen.open(1_000_000_000);
        let mut schedule = Schedule::new(&poisson, rate, 0, 1);
        due_until(&mut schedule, 1_000_000_000);
        for due in due_until(&mut schedule, 5_000_000_000) {
            seen.took(due as f64 / 1e9, due.next_multiple_of(50_000_000));
        }
        assert!(seen.figures().dispersion.unwrap() > 10.0);
    }

    #[test]
    fn too_few_arrivals_are_not_judged() {
        let (open, rate) = open(5.0, 5.0, Arrivals::Poisson);
        let figures = observed(&open, rate, 1);
        assert_eq!((figures.gap_chi_square, figures.dispersion), (None, None));
    }
}
