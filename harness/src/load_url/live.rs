//! The live line on a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use load::{Interval, LoadSpec};

use super::text::{latency, rate};

/// One line that says how it goes. Its figures come with the intervals; nothing is asked of the
/// generator's threads for it.
pub struct Live {
    bar: ProgressBar,
    whole: Duration,
    began: Option<Instant>,
    wrong: u64,
}

impl Live {
    /// For one load.
    pub fn over(spec: &LoadSpec) -> Self {
        let whole = spec.warm_up + spec.measure;
        let length = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
        let target = ProgressDrawTarget::stderr_with_hz(4);
        let bar = ProgressBar::with_draw_target(Some(length), target);
        let style = ProgressStyle::with_template("{bar:20} {percent:>3}%  {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        bar.set_message("connecting");
        Self {
            bar,
            whole,
            began: None,
            wrong: 0,
        }
    }

    /// Time passes.
    pub fn tick(&mut self, completed: u64) {
        if self.began.is_none() && completed > 0 {
            self.began = Some(Instant::now());
            self.bar.set_message("");
        }
        let passed = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        let passed = passed.min(self.whole).as_millis();
        self.bar
            .set_position(u64::try_from(passed).unwrap_or(u64::MAX));
    }

    /// An interval's figures are there.
    pub fn interval(&mut self, interval: &Interval) {
        if self.bar.is_hidden() {
            return;
        }
        self.wrong += interval.wrong;
        let response = interval.latencies.response();
        let per_s = interval.completed as f64 / interval.lasted.as_secs_f64().max(1e-9);
        self.bar.set_message(format!(
            "{}/s  p50 {}  p99 {}  in flight {}  errors {}",
            rate(per_s),
            latency(response.value_at_quantile(0.5)),
            latency(response.value_at_quantile(0.99)),
            interval.in_flight,
            self.wrong
        ));
    }

    /// The line goes away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
