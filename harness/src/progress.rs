//! How far the run has come, on stderr.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use schema::{Cell, Plan};

use crate::{plan::trial_time, say};

/// A bar with the time left on a terminal; elsewhere a line for each block.
pub struct Progress {
    bar: ProgressBar,
    trial: Duration,
    trials: u32,
    blocks: usize,
    done: u32,
    trial_began: Instant,
}

impl Progress {
    /// Over all trials of a plan.
    pub fn over(plan: &Plan) -> Self {
        let trials: usize = plan.blocks.iter().map(Vec::len).sum();
        let trials = u32::try_from(trials).unwrap_or(u32::MAX);
        let trial = trial_time(plan);
        let bar = ProgressBar::with_draw_target(
            Some(millis(trial * trials)),
            // Twice a second: drawing takes CPU time from the generator.
            ProgressDrawTarget::stderr_with_hz(2),
        );
        let style =
            ProgressStyle::with_template("{bar:28} {percent:>3}%  {prefix} left  {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        Self {
            bar,
            trial,
            trials,
            blocks: plan.blocks.len(),
            done: 0,
            trial_began: Instant::now(),
        }
    }

    /// A block begins.
    pub fn block(&self, block: usize) {
        if self.bar.is_hidden() {
            say::line(format_args!(
                "block {} of {}: about {} left",
                block + 1,
                self.blocks,
                self.left()
            ));
        }
    }

    /// A trial begins.
    pub fn trial(&mut self, block: usize, cell: &Cell) {
        self.trial_began = Instant::now();
        self.bar
            .set_message(format!("block {}/{}  {}", block + 1, self.blocks, cell.id));
        self.tick();
    }

    /// Time passes within a trial.
    pub fn tick(&self) {
        let within = self.trial_began.elapsed().min(self.trial);
        self.bar.set_prefix(self.left());
        self.bar
            .set_position(millis(self.trial * self.done + within));
    }

    /// A trial has ended.
    pub fn trial_done(&mut self) {
        self.done += 1;
        self.trial_began = Instant::now();
        self.tick();
    }

    /// One line above the bar.
    pub fn say(&self, line: &str) {
        if self.bar.is_hidden() {
            say::line(line);
        } else {
            self.bar.println(line);
        }
    }

    /// The bar goes away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn left(&self) -> String {
        let within = self.trial_began.elapsed().min(self.trial);
        let left = (self.trial * (self.trials - self.done)).saturating_sub(within);
        humantime::format_duration(Duration::from_secs(left.as_secs() + 1)).to_string()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
