//! Which CPUs serve and which load, what a core is, and how much of a CPU an emulated one is.
//!
//! The generator and the servers get different physical cores, half each (the odd one serves), so
//! that neither takes CPU time or an SMT sibling from the other. With one physical core that cannot
//! be had: its siblings are split, and with one CPU both use it, and the plan says so.

use std::time::Duration;

use nix::time::{ClockId, clock_getres};
use schema::{CorePlan, Cores, SlotPlan};

use crate::{Cgroups, Topology, Unavailable};

/// All slots of a CPU together get this share of it. The rest is for the kernel, for what is not in a
/// slot, for what a hypervisor takes, and for workers to catch up in after it has.
const SHARE_FOR_SLOTS: f64 = 0.60;
/// The least quota and the longest period that the kernel takes.
const LEAST_QUOTA: Duration = Duration::from_millis(1);
const LONGEST_PERIOD: Duration = Duration::from_secs(1);

/// What a core is wanted to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Real where there are enough, else emulated.
    Auto,
    /// CPUs of this machine, as many as there are.
    Real,
    /// Shares of a CPU.
    Emulated,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlan {
    /// No CPU may be used.
    #[error("this process may use no CPU; allow it one with taskset")]
    NoCpu,
    /// They were asked for.
    #[error("cores cannot be emulated: {}; {}", .0.reason, .0.cure)]
    NotEmulated(Unavailable),
    /// A CPU's time cannot be divided among so many.
    #[error(
        "{wanted} workers at once on one CPU are too many: its time can be divided among {most} at most; ask for fewer --cores"
    )]
    TooManySlots {
        /// What was asked for.
        wanted: usize,
        /// What can be had.
        most: usize,
    },
}

/// Deals the physical cores out, and says what a core is where `wanted` of them are.
///
/// # Errors
/// See [`NoPlan`].
pub fn plan(
    topology: &Topology,
    wanted: u32,
    kind: Wanted,
    cgroups: Result<&Cgroups, &Unavailable>,
) -> Result<CorePlan, NoPlan> {
    let (servers, generators) = split(topology)?;
    let real = u32::try_from(servers.len()).unwrap_or(u32::MAX);
    // First of each core first: as many real cores are as many CPUs from the front.
    let server_cpus = firsts_first(&servers);
    let generator_cpus = firsts_first(&generators);
    let there_are = match real {
        1 => "1 physical core serves".to_owned(),
        count => format!("{count} physical cores serve"),
    };
    let (kind, cores, reason) = match (kind, cgroups) {
        (Wanted::Auto, _) if real >= wanted => (Cores::Real, wanted, format!("{there_are}.")),
        (Wanted::Real, _) => (Cores::Real, real.min(wanted), format!("{there_are}.")),
        (Wanted::Auto | Wanted::Emulated, Ok(_)) => (
            Cores::Emulated,
            wanted,
            format!("{there_are}, so each of {wanted} cores is a share of a CPU, by quota."),
        ),
        (Wanted::Emulated, Err(unavailable)) => {
            return Err(NoPlan::NotEmulated(unavailable.clone()));
        }
        (Wanted::Auto, Err(unavailable)) => (
            Cores::Real,
            real,
            format!(
                "{there_are}, and cores cannot be emulated ({}; {}): throughput across cores ends at {real}.",
                unavailable.reason, unavailable.cure
            ),
        ),
    };
    Ok(CorePlan {
        overlapping: servers == generators,
        server_cpus,
        generator_cpus,
        kind,
        cores,
        reason,
    })
}

/// CPUs that serve and CPUs that load.
///
/// # Errors
/// Where there is none.
pub fn sides(topology: &Topology) -> Result<(Vec<u32>, Vec<u32>), NoPlan> {
    let (servers, generators) = split(topology)?;
    Ok((firsts_first(&servers), firsts_first(&generators)))
}

type Side = Vec<Vec<u32>>;

fn split(topology: &Topology) -> Result<(Side, Side), NoPlan> {
    let halves = |cores: &[Vec<u32>]| {
        let at = cores.len().div_ceil(2);
        (cores[..at].to_vec(), cores[at..].to_vec())
    };
    match topology.cores.as_slice() {
        [] => Err(NoPlan::NoCpu),
        [only] if only.len() > 1 => {
            let siblings: Vec<_> = only.iter().map(|&cpu| vec![cpu]).collect();
            Ok(halves(&siblings))
        }
        [only] => Ok((vec![only.clone()], vec![only.clone()])),
        cores => Ok(halves(cores)),
    }
}

/// The first sibling of each core, then the second of each, and so on.
fn firsts_first(cores: &[Vec<u32>]) -> Vec<u32> {
    let most = cores.iter().map(Vec::len).max().unwrap_or(0);
    (0..most)
        .flat_map(|sibling| cores.iter().filter_map(move |core| core.get(sibling)))
        .copied()
        .collect()
}

/// Numbers of workers to try with so many cores: dense where curves bend, and always that number
/// itself.
#[must_use]
pub fn worker_counts(cores: u32) -> Vec<u32> {
    let small = [1, 2, 3, 4, 6, 8, 10, 12];
    let large = (4..31).flat_map(|power| [1 << power, 3 << (power - 1)]);
    let mut counts: Vec<u32> = small
        .into_iter()
        .chain(large)
        .filter(|&count| count < cores)
        .chain([cores.max(1)])
        .collect();
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// The scheduler's tick: the resolution of the coarse clock, which it moves.
#[must_use]
pub fn tick() -> Duration {
    clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).map_or(Duration::from_millis(4), Duration::from)
}

/// The quota of each of `slots` that share one CPU.
///
/// It is a tick where there is room for that: the kernel takes a quota away at its ticks, so a worker
/// overruns a shorter one and has to make up for it in later periods, and what it gets within a window
/// scatters. The period is as short as leaves [`SHARE_FOR_SLOTS`] to all of them.
///
/// # Errors
/// Where a second cannot be divided among so many.
pub fn slot_plan(slots: usize, tick: Duration) -> Result<SlotPlan, NoPlan> {
    let slots = slots.max(1);
    let period = |quota: Duration| quota.mul_f64(slots as f64 / SHARE_FOR_SLOTS);
    let longest = LONGEST_PERIOD.mul_f64(SHARE_FOR_SLOTS / slots as f64);
    let quota = tick.max(LEAST_QUOTA).min(longest);
    if quota < LEAST_QUOTA {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few hundred"
        )]
        let most = (LONGEST_PERIOD.div_duration_f64(LEAST_QUOTA) * SHARE_FOR_SLOTS) as usize;
        return Err(NoPlan::TooManySlots {
            wanted: slots,
            most,
        });
    }
    // The kernel counts in whole microseconds.
    let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    Ok(SlotPlan {
        quota_ns: micros(quota) * 1_000,
        period_ns: micros(period(quota)).min(micros(LONGEST_PERIOD)) * 1_000,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology(cores: &[&[u32]]) -> Topology {
        Topology {
            cores: cores.iter().map(|core| core.to_vec()).collect(),
        }
    }

    fn without() -> Unavailable {
        Unavailable {
            reason: "no group is ours".to_owned(),
            cure: "run it as root".to_owned(),
        }
    }

    fn sides(cores: &[&[u32]]) -> (Vec<u32>, Vec<u32>, bool) {
        let plan = plan(&topology(cores), 1, Wanted::Real, Err(&without())).unwrap();
        (plan.server_cpus, plan.generator_cpus, plan.overlapping)
    }

    #[test]
    fn cores_are_halved_and_the_odd_one_serves() {
        assert_eq!(sides(&[&[0], &[1]]), (vec![0], vec![1], false));
        assert_eq!(sides(&[&[0], &[1], &[2]]), (vec![0, 1], vec![2], false));
    }

    #[test]
    fn siblings_stay_together_and_stand_behind_the_first_of_each_core() {
        assert_eq!(sides(&[&[0, 2], &[1, 3]]), (vec![0, 2], vec![1, 3], false));
        let four: [&[u32]; 4] = [&[0, 4], &[1, 5], &[2, 6], &[3, 7]];
        assert_eq!(sides(&four).0, [0, 1, 4, 5]);
    }

    #[test]
    fn one_core_is_split_between_its_siblings_and_one_cpu_is_shared() {
        assert_eq!(sides(&[&[0, 1]]), (vec![0], vec![1], false));
        assert_eq!(sides(&[&[5]]), (vec![5], vec![5], true));
        let none = plan(&topology(&[]), 1, Wanted::Auto, Err(&without()));
        assert_eq!(none.unwrap_err(), NoPlan::NoCpu);
    }

    #[test]
    fn cores_are_real_where_there_are_enough() {
        let many: Vec<Vec<u32>> = (0..64).map(|cpu| vec![cpu, cpu + 64]).collect();
        let topology = Topology { cores: many };
        let plan = |wanted, kind| plan(&topology, wanted, kind, Err(&without())).unwrap();
        let auto = plan(10, Wanted::Auto);
        assert_eq!((auto.kind, auto.cores), (Cores::Real, 10));
        assert_eq!(auto.server_cpus[..32], (0..32).collect::<Vec<_>>());
        assert_eq!(plan(32, Wanted::Auto).cores, 32);
    }

    #[test]
    fn without_slots_there_are_as_many_cores_as_there_are_and_the_cost_is_told() {
        let two = topology(&[&[0], &[1]]);
        let auto = plan(&two, 10, Wanted::Auto, Err(&without())).unwrap();
        assert_eq!((auto.kind, auto.cores), (Cores::Real, 1));
        assert!(
            auto.reason.contains("ends at 1") && auto.reason.contains("run it as root"),
            "{}",
            auto.reason
        );
        let error = plan(&two, 10, Wanted::Emulated, Err(&without())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cores cannot be emulated: no group is ours; run it as root"
        );
    }

    #[test]
    fn worker_counts_are_dense_first_and_end_at_the_number_of_cores() {
        assert_eq!(worker_counts(10), [1, 2, 3, 4, 6, 8, 10]);
        assert_eq!(worker_counts(1), [1]);
        assert_eq!(worker_counts(5), [1, 2, 3, 4, 5]);
        assert_eq!(
            worker_counts(64),
            [1, 2, 3, 4, 6, 8, 10, 12, 16, 24, 32, 48, 64]
        );
    }

    #[test]
    fn slots_have_a_tick_each_and_leave_room() {
        let tick = Duration::from_millis(4);
        for slots in [1, 2, 22, 68, 140] {
            let plan = slot_plan(slots, tick).unwrap();
            assert_eq!(plan.quota_ns, 4_000_000, "{slots}");
            let share = (plan.quota_ns * slots as u64) as f64 / plan.period_ns as f64;
            assert!((share - SHARE_FOR_SLOTS).abs() < 0.01, "{slots}: {share}");
        }
    }

    #[test]
    fn many_slots_get_less_than_a_tick_and_too_many_are_refused() {
        let tick = Duration::from_millis(4);
        let plan = slot_plan(460, tick).unwrap();
        assert!(plan.quota_ns >= 1_000_000 && plan.quota_ns < 4_000_000);
        assert!(plan.period_ns <= 1_000_000_000);
        let error = slot_plan(601, tick).unwrap_err();
        assert_eq!(
            error,
            NoPlan::TooManySlots {
                wanted: 601,
                most: 600
            }
        );
        assert!(slot_plan(600, tick).is_ok());
    }

    #[test]
    fn the_tick_is_one_that_kernels_are_built_with() {
        assert!((Duration::from_micros(900)..=Duration::from_millis(10)).contains(&tick()));
    }
}
