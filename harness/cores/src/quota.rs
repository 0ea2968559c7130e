//! How much CPU time an emulated core has, and how often.
//!
//! A slot's quota is one scheduler tick. The kernel takes a quota away at its tick
//! (Documentation/scheduler/sched-bwc.rst): a shorter one is overrun up to the next tick and repaid
//! by periods of standing still, which comes out right in the long run, but what a slot has within
//! one window scatters. The period follows from the quota, so that all slots of a CPU fit into it
//! with room to spare.

use std::time::Duration;

use nix::{
    errno::Errno,
    time::{ClockId, clock_getres},
};
use schema::SlotPlan;

/// Of each period, what all slots of a CPU take together at most, in per cent. The rest is room for
/// the kernel's own work, for what a hypervisor takes, and for workers that catch up: a CPU dealt
/// out whole would make workers wait for each other, which real cores do not.
pub const LARGEST_SHARE_PERCENT: u64 = 60;

/// The kernel takes no quota below it (`min_cfs_quota_period` in kernel/sched/core.c).
const LEAST_QUOTA_US: u64 = 1_000;

/// The kernel takes no period above it (`max_cfs_quota_period`).
const LONGEST_PERIOD_US: u64 = 1_000_000;

/// Periods are whole multiples of it, so that windows of a whole number of them are round.
const STEP_US: u64 = 1_000;

/// The kernel does not tell its tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot read the scheduler's tick (resolution of CLOCK_MONOTONIC_COARSE): {0}; ask for real cores"
)]
pub struct TickError(#[from] Errno);

/// More workers share a CPU than there can be slots on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{workers} emulated cores do not fit on one CPU: with at least 1 ms each of at most 1 s, {most} \
     do; ask for fewer cores or give servers more CPUs"
)]
pub struct TooManyWorkers {
    /// As asked for.
    pub workers: usize,
    /// The greatest number that would do.
    pub most: usize,
}

/// The scheduler's tick, 4 ms at HZ=250. `sysconf(_SC_CLK_TCK)` is another figure, always 100; the
/// coarse clock is the one that moves by ticks, and its resolution is their length.
///
/// # Errors
/// Where the kernel has no such clock.
pub fn tick() -> Result<Duration, TickError> {
    Ok(clock_getres(ClockId::CLOCK_MONOTONIC_COARSE)?.into())
}

/// Quota and period where this many workers (0 counts as 1) have a slot each on the same CPU.
///
/// The quota is a `tick`, or `smaller` where that is given and less; never under 1 ms. Where the
/// period would exceed 1 s, the quota shrinks until it does not. Both are whole microseconds, as
/// the kernel takes them.
///
/// # Errors
/// Where not even 1 ms for each fits.
pub fn slot_plan(
    workers_on_each_cpu: usize,
    tick: Duration,
    smaller: Option<Duration>,
) -> Result<SlotPlan, TooManyWorkers> {
    let workers = u64::try_from(workers_on_each_cpu.max(1)).unwrap_or(u64::MAX);
    let wanted = smaller.map_or(tick, |smaller| smaller.min(tick));
    let room_us = LONGEST_PERIOD_US * LARGEST_SHARE_PERCENT / 100;
    let quota_us = u64::try_from(wanted.as_micros())
        .unwrap_or(u64::MAX)
        .max(LEAST_QUOTA_US)
        .min(room_us / workers);
    if quota_us < LEAST_QUOTA_US {
        return Err(TooManyWorkers {
            workers: workers_on_each_cpu,
            most: usize::try_from(room_us / LEAST_QUOTA_US).unwrap_or(usize::MAX),
        });
    }
    let period_us = (quota_us * workers * 100)
        .div_ceil(LARGEST_SHARE_PERCENT)
        .next_multiple_of(STEP_US);
    Ok(SlotPlan {
        quota_ns: quota_us * 1_000,
        period_ns: period_us * 1_000,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(4);

    fn plan(workers: usize) -> (u64, u64) {
        let plan = slot_plan(workers, TICK, None).unwrap();
        (plan.quota_ns, plan.period_ns)
    }

    #[test]
    fn a_quota_is_a_tick_and_the_period_leaves_two_fifths_of_it_free() {
        assert_eq!(plan(1), (4_000_000, 7_000_000));
        assert_eq!(plan(10), (4_000_000, 67_000_000));
        assert_eq!(plan(68), (4_000_000, 454_000_000));
        assert_eq!(plan(150), (4_000_000, 1_000_000_000));
    }

    #[test]
    fn no_plan_takes_more_of_a_cpu_than_it_may_or_breaks_a_limit_of_the_kernel() {
        for workers in 1..=600 {
            let (quota_ns, period_ns) = plan(workers);
            let taken_ns = quota_ns * workers as u64;
            assert!(
                taken_ns * 100 <= period_ns * LARGEST_SHARE_PERCENT,
                "{workers}"
            );
            assert!(
                quota_ns >= 1_000_000 && period_ns <= 1_000_000_000,
                "{workers}"
            );
            assert_eq!((quota_ns % 1_000, period_ns % 1_000), (0, 0), "{workers}");
        }
    }

    #[test]
    fn a_quota_shrinks_where_the_period_would_exceed_a_second() {
        assert_eq!(plan(151), (3_973_000, 1_000_000_000));
        assert_eq!(plan(600), (1_000_000, 1_000_000_000));
    }

    #[test]
    fn too_many_workers_are_told_how_many_would_do() {
        let error = slot_plan(601, TICK, None).unwrap_err();
        assert_eq!((error.workers, error.most), (601, 600));
        assert_eq!(slot_plan(usize::MAX, TICK, None).unwrap_err().most, 600);
    }

    #[test]
    fn a_smaller_quota_may_be_asked_for_down_to_a_millisecond() {
        let ask = |us| slot_plan(6, TICK, Some(Duration::from_micros(us))).unwrap();
        assert_eq!(
            (ask(2_000).quota_ns, ask(2_000).period_ns),
            (2_000_000, 20_000_000)
        );
        assert_eq!(ask(10).quota_ns, 1_000_000);
        assert_eq!(ask(50_000).quota_ns, 4_000_000);
    }

    #[test]
    fn ticks_of_a_millisecond_and_of_ten_are_quotas_as_well() {
        let quota = |tick| {
            slot_plan(1, Duration::from_millis(tick), None)
                .unwrap()
                .quota_ns
        };
        assert_eq!((quota(1), quota(10)), (1_000_000, 10_000_000));
    }

    #[test]
    fn this_kernel_has_a_tick_between_one_and_ten_milliseconds() {
        let tick = tick().unwrap();
        assert!(
            tick >= Duration::from_micros(999) && tick <= Duration::from_millis(10),
            "{tick:?}"
        );
    }
}
