//! Which CPUs serve and which load.
//!
//! The generator and the servers get different physical cores, half each (the odd one serves), so
//! that neither takes CPU time or an SMT sibling from the other. With one physical core that cannot
//! be had: its siblings are split, and with one CPU both use it, and the plan says so.

use std::{collections::BTreeMap, fs};

use anyhow::Context;
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use schema::CorePlan;

/// The CPUs this process may use, each physical core's siblings together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Siblings, core by core.
    pub cores: Vec<Vec<u32>>,
}

impl Topology {
    /// Reads the allowed set from the kernel and the siblings from /sys.
    pub fn read() -> anyhow::Result<Self> {
        let set = sched_getaffinity(Pid::from_raw(0))
            .context("cannot read this process's CPU affinity")?;
        let allowed = (0..u32::try_from(CpuSet::count()).unwrap_or(u32::MAX))
            .filter(|&cpu| set.is_set(cpu as usize).unwrap_or(false));
        let mut cores: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for cpu in allowed {
            let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
            // Where /sys shows no topology, each CPU counts as a core.
            let core = fs::read_to_string(path).unwrap_or_else(|_| format!("cpu {cpu}"));
            cores.entry(core).or_default().push(cpu);
        }
        let mut cores: Vec<_> = cores.into_values().collect();
        cores.sort();
        Ok(Self { cores })
    }

    /// Every allowed CPU, in the kernel's order.
    pub fn cpus(&self) -> Vec<u32> {
        let mut cpus: Vec<u32> = self.cores.concat();
        cpus.sort_unstable();
        cpus
    }

    /// Deals the cores out.
    pub fn plan(&self) -> CorePlan {
        let split = |cores: &[Vec<u32>], at: usize| (cores[..at].concat(), cores[at..].concat());
        let (server_cpus, generator_cpus) = match self.cores.as_slice() {
            [only] if only.len() > 1 => {
                let siblings: Vec<_> = only.iter().map(|&cpu| vec![cpu]).collect();
                split(&siblings, siblings.len().div_ceil(2))
            }
            [only] => (only.clone(), only.clone()),
            cores => split(cores, cores.len().div_ceil(2)),
        };
        CorePlan {
            overlapping: server_cpus == generator_cpus,
            server_cpus,
            generator_cpus,
        }
    }
}

/// Binds this thread, and what it starts from now on, to `cpus`.
pub fn bind(cpus: &[u32]) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu as usize)
            .with_context(|| format!("CPU {cpu} is out of range"))?;
    }
    sched_setaffinity(Pid::from_raw(0), &set).with_context(|| {
        format!("cannot bind to CPUs {cpus:?}; choose from those this process may use")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(cores: &[&[u32]]) -> (Vec<u32>, Vec<u32>, bool) {
        let topology = Topology {
            cores: cores.iter().map(|core| core.to_vec()).collect(),
        };
        let plan = topology.plan();
        (plan.server_cpus, plan.generator_cpus, plan.overlapping)
    }

    #[test]
    fn cores_are_halved_and_the_odd_one_serves() {
        assert_eq!(plan(&[&[0], &[1]]), (vec![0], vec![1], false));
        assert_eq!(plan(&[&[0], &[1], &[2]]), (vec![0, 1], vec![2], false));
    }

    #[test]
    fn siblings_stay_together() {
        assert_eq!(plan(&[&[0, 2], &[1, 3]]), (vec![0, 2], vec![1, 3], false));
    }

    #[test]
    fn one_core_is_split_between_its_siblings_and_one_cpu_is_shared() {
        assert_eq!(plan(&[&[0, 1]]), (vec![0], vec![1], false));
        assert_eq!(plan(&[&[5]]), (vec![5], vec![5], true));
    }

    #[test]
    fn this_machine_has_a_topology_of_its_allowed_cpus() {
        let topology = Topology::read().unwrap();
        // A quota of CPU time makes the parallelism less than the number of CPUs.
        let parallelism = std::thread::available_parallelism().unwrap().get();
        assert!(topology.cpus().len() >= parallelism);
    }
}
