//! What each slot has used so far, and between two readings.
//!
//! v2 tells all of it in `cpu.stat`. v1 keeps CPU time in another controller, cpuacct, which is
//! often mounted together with cpu; where it is not, the CPU time of a slot is that of its tasks,
//! from /proc/tid/schedstat (Documentation/scheduler/sched-stats.rst). That figure moves when a task
//! stops and at the scheduler's tick, so a reading may be behind by a tick, and what a task had that
//! ended in the window is lost.
//!
//! Invariant: the CPU time of all slots is read back to back, before anything else, so that slots
//! are compared over the same window.
//!
//! What fails: a slot that is gone. A task that ends while it is looked at counts nothing.

use std::{fs, io, path::Path};

use schema::{SlotPlan, SlotUsage};

use super::{Slot, SlotError, clean::tasks, find::Layout};

/// Where the CPU time of slots is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meter {
    /// v2: `usage_usec` of `cpu.stat`.
    Stat,
    /// v1: `cpuacct.usage`.
    Account,
    /// v1: /proc/tid/schedstat of each task.
    Tasks,
}

/// What a slot has used since it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    cpu: u32,
    given: Given,
    stat: Stat,
}

/// CPU time in ns.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Given {
    /// Of the slot.
    Slot(u64),
    /// Of each task that was in it, since the task began.
    Tasks(Vec<(i32, u64)>),
}

/// `cpu.stat`, in ns under both versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stat {
    usage_ns: u64,
    periods: u64,
    throttled_periods: u64,
    throttled_ns: u64,
}

impl Reading {
    /// What the slot gave in the `elapsed_ns` since `earlier`, a reading of the same slot, where its
    /// quota was that of `plan` all the while.
    #[must_use]
    pub fn since(&self, earlier: &Self, plan: SlotPlan, elapsed_ns: u64) -> SlotUsage {
        let (now, then) = (self.stat, earlier.stat);
        let quota_ns =
            u128::from(plan.quota_ns) * u128::from(elapsed_ns) / u128::from(plan.period_ns.max(1));
        SlotUsage {
            cpu: self.cpu,
            given_ns: self.given.since(&earlier.given),
            quota_ns: u64::try_from(quota_ns).unwrap_or(u64::MAX),
            periods: now.periods.saturating_sub(then.periods),
            throttled_periods: now.throttled_periods.saturating_sub(then.throttled_periods),
            throttled_ns: now.throttled_ns.saturating_sub(then.throttled_ns),
        }
    }
}

impl Given {
    fn since(&self, earlier: &Self) -> u64 {
        match (self, earlier) {
            (Self::Slot(now), Self::Slot(then)) => now.saturating_sub(*then),
            (Self::Tasks(now), Self::Tasks(then)) => now
                .iter()
                .map(|&(task, ns)| {
                    let before = then.iter().find(|&&(same, _)| same == task);
                    // A task that came later counts from its beginning, which a worker's is.
                    ns.saturating_sub(before.map_or(0, |&(_, before)| before))
                })
                .sum(),
            _ => 0,
        }
    }
}

impl Meter {
    /// What these slots offer.
    pub fn of(layout: Layout, slots: &[Slot]) -> Result<Self, SlotError> {
        if layout.is_v2() {
            return Ok(Self::Stat);
        }
        if slots
            .first()
            .is_some_and(|slot| slot.dir.join("cpuacct.usage").exists())
        {
            return Ok(Self::Account);
        }
        // Said now rather than read as zero later: a kernel may be built without.
        read(Path::new("/proc/self/schedstat"))?;
        Ok(Self::Tasks)
    }

    /// Reads all slots.
    pub fn read(self, slots: &[Slot]) -> Result<Vec<Reading>, SlotError> {
        if self == Self::Stat {
            return slots
                .iter()
                .map(|slot| {
                    let stat = Stat::of(slot)?;
                    Ok(Reading {
                        cpu: slot.cpu,
                        given: Given::Slot(stat.usage_ns),
                        stat,
                    })
                })
                .collect();
        }
        let given = if self == Self::Account {
            slots.iter().map(account).collect::<Result<Vec<_>, _>>()?
        } else {
            tasks_of(slots)?
        };
        slots
            .iter()
            .zip(given)
            .map(|(slot, given)| {
                Ok(Reading {
                    cpu: slot.cpu,
                    given,
                    stat: Stat::of(slot)?,
                })
            })
            .collect()
    }
}

fn account(slot: &Slot) -> Result<Given, SlotError> {
    let text = read(&slot.dir.join("cpuacct.usage"))?;
    Ok(Given::Slot(text.trim().parse().unwrap_or(0)))
}

/// All lists of tasks first, so that nothing stands between the figures.
fn tasks_of(slots: &[Slot]) -> Result<Vec<Given>, SlotError> {
    let lists = slots
        .iter()
        .map(|slot| {
            // Opened anew each time: v1 keeps the list of an open file for a second.
            tasks(Layout::V1, &slot.dir).map_err(|source| SlotError::Read {
                file: slot.dir.join("tasks"),
                source,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let used = |task: i32| -> Option<(i32, u64)> {
        let text = fs::read_to_string(format!("/proc/{task}/schedstat")).ok()?;
        Some((task, text.split_whitespace().next()?.parse().ok()?))
    };
    Ok(lists
        .into_iter()
        .map(|tasks| Given::Tasks(tasks.into_iter().filter_map(used).collect()))
        .collect())
}

impl Stat {
    fn of(slot: &Slot) -> Result<Self, SlotError> {
        Ok(Self::parse(&read(&slot.dir.join("cpu.stat"))?))
    }

    /// Under v1 times are ns, under v2 µs, and the names tell which.
    fn parse(text: &str) -> Self {
        let mut stat = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once(' ')) {
            let Ok(value) = value.parse::<u64>() else {
                continue;
            };
            match name {
                "usage_usec" => stat.usage_ns = value * 1_000,
                "nr_periods" => stat.periods = value,
                "nr_throttled" => stat.throttled_periods = value,
                "throttled_time" => stat.throttled_ns = value,
                "throttled_usec" => stat.throttled_ns = value * 1_000,
                _ => {}
            }
        }
        stat
    }
}

fn read(file: &Path) -> Result<String, SlotError> {
    fs::read_to_string(file).map_err(|source: io::Error| SlotError::Read {
        file: file.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_stat_is_nanoseconds_under_v1_and_microseconds_under_v2() {
        let v1 = "nr_periods 7\nnr_throttled 5\nthrottled_time 123456\nnr_bursts 0\nburst_time 0\n";
        let v2 = "usage_usec 900\nuser_usec 500\nsystem_usec 400\nnice_usec 0\nnr_periods 7\n\
                  nr_throttled 5\nthrottled_usec 123\nnr_bursts 0\nburst_usec 0\n";
        let same = Stat {
            usage_ns: 0,
            periods: 7,
            throttled_periods: 5,
            throttled_ns: 123_456,
        };
        assert_eq!(Stat::parse(v1), same);
        let finer = Stat {
            usage_ns: 900_000,
            throttled_ns: 123_000,
            ..same
        };
        assert_eq!(Stat::parse(v2), finer);
    }

    #[test]
    fn what_a_slot_gave_is_the_difference_and_its_quota_follows_from_the_time() {
        let reading = |ns, periods| Reading {
            cpu: 3,
            given: Given::Slot(ns),
            stat: Stat {
                usage_ns: ns,
                periods,
                throttled_periods: periods / 2,
                throttled_ns: ns * 3,
            },
        };
        let plan = SlotPlan {
            quota_ns: 1_000_000,
            period_ns: 10_000_000,
        };
        let usage = reading(12_000_000, 20).since(&reading(2_000_000, 10), plan, 105_000_000);
        assert_eq!(
            usage,
            SlotUsage {
                cpu: 3,
                given_ns: 10_000_000,
                quota_ns: 10_500_000,
                periods: 10,
                throttled_periods: 5,
                throttled_ns: 30_000_000,
            }
        );
    }

    #[test]
    fn a_task_that_came_counts_whole_and_one_that_went_takes_nothing_away() {
        let then = Given::Tasks(vec![(1, 500), (2, 700)]);
        let now = Given::Tasks(vec![(2, 1_000), (3, 40)]);
        assert_eq!(now.since(&then), 340);
    }
}
