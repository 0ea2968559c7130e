//! What a slot has given.

use std::{fs, path::Path};

use schema::{SlotPlan, SlotUsage};

use super::mounts::Version;

/// What a slot had given at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    cpu: u32,
    given_ns: u64,
    periods: u64,
    throttled_periods: u64,
    throttled_ns: u64,
}

impl Reading {
    /// What it gave since `earlier`, in a window of that length.
    #[must_use]
    pub fn since(&self, earlier: &Self, plan: SlotPlan, elapsed_ns: u64) -> SlotUsage {
        let quota = u128::from(plan.quota_ns) * u128::from(elapsed_ns);
        let quota = quota / u128::from(plan.period_ns.max(1));
        SlotUsage {
            cpu: self.cpu,
            given_ns: self.given_ns.saturating_sub(earlier.given_ns),
            quota_ns: u64::try_from(quota).unwrap_or(u64::MAX),
            periods: self.periods.saturating_sub(earlier.periods),
            throttled_periods: self
                .throttled_periods
                .saturating_sub(earlier.throttled_periods),
            throttled_ns: self.throttled_ns.saturating_sub(earlier.throttled_ns),
        }
    }
}

/// CPU time of a slot's tasks, ns.
///
/// Version 2 keeps it, in microseconds, and so does version 1 where cpuacct is mounted together with
/// cpu. Elsewhere it is the sum over the tasks that are there, whose schedstat counts nanoseconds: one
/// that has ended is no longer in it.
pub(super) fn given_ns(version: Version, dir: &Path) -> u64 {
    let read = |file| fs::read_to_string(dir.join(file)).ok();
    match version {
        Version::Two => read("cpu.stat").map_or(0, |text| figure(&text, "usage_usec") * 1_000),
        Version::One => read("cpuacct.usage")
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or_else(|| of_tasks(&read("tasks").unwrap_or_default())),
    }
}

fn of_tasks(tasks: &str) -> u64 {
    let used = |task: &str| -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/schedstat", task.trim())).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    tasks.lines().filter_map(used).sum()
}

/// The rest, beside the CPU time it has given.
pub(super) fn read(cpu: u32, dir: &Path, given_ns: u64) -> Reading {
    let text = fs::read_to_string(dir.join("cpu.stat")).unwrap_or_default();
    let micros = figure(&text, "throttled_usec") * 1_000;
    Reading {
        cpu,
        given_ns,
        periods: figure(&text, "nr_periods"),
        throttled_periods: figure(&text, "nr_throttled"),
        // Version 1 counts nanoseconds under another name.
        throttled_ns: figure(&text, "throttled_time").max(micros),
    }
}

/// A figure of cpu.stat by its name; 0 where it has none.
fn figure(text: &str, name: &str) -> u64 {
    let value = |line: &str| {
        let (key, value) = line.split_once(' ')?;
        (key == name).then(|| value.trim().parse().ok())?
    };
    text.lines().find_map(value).unwrap_or(0)
}
