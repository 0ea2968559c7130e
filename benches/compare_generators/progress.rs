//! How far the comparison has come, on stderr. It draws between measurements, never during one.

use indicatif::{ProgressBar, ProgressStyle};

use crate::{offered::Load, rounds::Cell};

/// A bar on a terminal; elsewhere a line for each round.
pub struct Progress {
    bar: ProgressBar,
    rounds: usize,
}

impl Progress {
    /// Over all runs of a plan.
    pub fn over(plan: &[Vec<Cell>]) -> Self {
        let runs: usize = plan.iter().map(Vec::len).sum();
        let bar = ProgressBar::new(runs as u64);
        let style = ProgressStyle::with_template("{bar:28} {percent:>3}%  {eta} left  {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self {
            bar,
            rounds: plan.len(),
        }
    }

    /// A round begins.
    pub fn round(&self, round: usize) {
        if self.bar.is_hidden() {
            eprintln!("round {} of {}", round + 1, self.rounds);
        }
    }

    /// A measurement begins.
    pub fn run(&self, generator: &str, load: Load) {
        self.bar.set_message(format!("{generator}, {load}"));
    }

    /// A measurement has ended.
    pub fn run_done(&self) {
        self.bar.inc(1);
    }

    /// One line above the bar.
    pub fn say(&self, line: &str) {
        if self.bar.is_hidden() {
            eprintln!("{line}");
        } else {
            self.bar.println(line);
        }
    }

    /// The bar goes away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
