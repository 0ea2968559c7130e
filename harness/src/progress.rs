//! How far the run has come, on stderr.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use schema::{Cell, CellSet, ExperimentPlan, Plan, Stop, StopReason};

use crate::{plan::trial_time, say, stopping::Stopping};

/// A bar with the time left at most, on a terminal; elsewhere a line for each block.
pub struct Progress {
    bar: ProgressBar,
    /// The most that each experiment takes, in order.
    shares: Vec<Duration>,
    current: usize,
    began: Instant,
    place: String,
}

impl Progress {
    /// Over all experiments of a plan.
    pub fn over(plan: &Plan) -> Self {
        let longest = |experiment| longest(&plan.cells, experiment);
        let shares: Vec<Duration> = plan.experiments.iter().map(longest).collect();
        let bar = ProgressBar::with_draw_target(
            Some(millis(shares.iter().sum())),
            // Twice a second: drawing takes CPU time from the generator.
            ProgressDrawTarget::stderr_with_hz(2),
        );
        let style = ProgressStyle::with_template(
            "{bar:28} {percent:>3}%  at most {prefix} left  {wide_msg}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        Self {
            bar,
            shares,
            current: 0,
            began: Instant::now(),
            place: String::new(),
        }
    }

    /// An experiment begins.
    pub fn experiment(&mut self, experiment: &ExperimentPlan) {
        self.began = Instant::now();
        self.place.clone_from(&experiment.name);
    }

    /// A block begins.
    pub fn block(&mut self, stopping: &Stopping<'_>) {
        let name = &stopping.experiment().name;
        let width = stopping
            .widest()
            .map(|width| format!(", ±{:.1} % so far", width * 100.0))
            .unwrap_or_default();
        self.place = format!("{name}, block {}{width}", stopping.blocks() + 1);
        if self.bar.is_hidden() {
            say::line(format_args!(
                "{}: at most {} left",
                self.place,
                in_words(self.left())
            ));
        }
    }

    /// A trial begins.
    pub fn trial(&self, cells: &[Cell], set: &CellSet) {
        let first = set
            .cells
            .first()
            .map_or("", |&cell| cells[cell].id.as_str());
        let others = match set.cells.len() {
            0 | 1 => String::new(),
            count => format!(" and {} more at the same time", count - 1),
        };
        self.bar
            .set_message(format!("{}  {first}{others}", self.place));
        self.tick();
    }

    /// Time passes.
    pub fn tick(&self) {
        self.bar.set_prefix(in_words(self.left()));
        let before: Duration = self.shares[..self.current].iter().sum();
        self.bar.set_position(millis(before + self.within()));
    }

    /// An experiment has ended.
    pub fn experiment_done(&mut self, stop: &Stop) {
        let width = stop
            .widest
            .map(|width| format!(", its ratios known to ±{:.1} %", width * 100.0))
            .unwrap_or_default();
        let why = match stop.reason {
            StopReason::Target => "narrow enough",
            StopReason::Budget => "its time is spent",
            StopReason::Blocks => "all planned blocks are made",
            StopReason::Interrupted => "interrupted",
        };
        self.say(&format!(
            "{} ended after {} blocks: {why}{width}",
            stop.experiment, stop.blocks
        ));
        self.current = (self.current + 1).min(self.shares.len());
        self.began = Instant::now();
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

    fn within(&self) -> Duration {
        let share = self.shares.get(self.current).copied().unwrap_or_default();
        self.began.elapsed().min(share)
    }

    fn left(&self) -> Duration {
        let left: Duration = self.shares[self.current..].iter().sum();
        left.saturating_sub(self.within())
    }
}

/// The most that an experiment takes: its budget, or all of its blocks.
fn longest(cells: &[Cell], experiment: &ExperimentPlan) -> Duration {
    let sets = experiment.sets.iter();
    let block: Duration = sets.map(|set| trial_time(cells, experiment, set)).sum();
    let blocks = u32::try_from(experiment.blocks.len()).unwrap_or(u32::MAX);
    Duration::from_nanos(experiment.stop.budget_ns).min(block.saturating_mul(blocks))
}

fn in_words(left: Duration) -> String {
    humantime::format_duration(Duration::from_secs(left.as_secs() + 1)).to_string()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
