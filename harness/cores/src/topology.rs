//! The CPUs this process may use, by physical core.

use std::{collections::BTreeMap, fs, path::Path};

use nix::{
    errno::Errno,
    sched::{CpuSet, sched_getaffinity},
    unistd::Pid,
};

/// The CPUs this process may use, each physical core's siblings together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Siblings in the kernel's order, core by core in the order of their first.
    pub cores: Vec<Vec<u32>>,
}

/// The kernel did not tell.
#[derive(Debug, thiserror::Error)]
#[error("cannot read this process's CPU affinity: {0}")]
pub struct TopologyError(#[from] Errno);

impl Topology {
    /// Reads the allowed set from the kernel and the siblings from /sys.
    ///
    /// # Errors
    /// Where the kernel refuses to tell the allowed set.
    pub fn read() -> Result<Self, TopologyError> {
        let set = sched_getaffinity(Pid::from_raw(0))?;
        let allowed = (0..u32::try_from(CpuSet::count()).unwrap_or(u32::MAX))
            .filter(|&cpu| set.is_set(cpu as usize).unwrap_or(false));
        Ok(Self::of(allowed, Path::new("/sys/devices/system/cpu")))
    }

    fn of(allowed: impl Iterator<Item = u32>, sys: &Path) -> Self {
        let mut cores: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for cpu in allowed {
            let path = sys.join(format!("cpu{cpu}/topology/thread_siblings_list"));
            // Where /sys shows no topology, each CPU counts as a core.
            let core = fs::read_to_string(path).unwrap_or_else(|_| format!("cpu {cpu}"));
            cores.entry(core).or_default().push(cpu);
        }
        let mut cores: Vec<_> = cores.into_values().collect();
        cores.sort();
        Self { cores }
    }

    /// Every allowed CPU, in the kernel's order.
    #[must_use]
    pub fn cpus(&self) -> Vec<u32> {
        let mut cpus: Vec<u32> = self.cores.concat();
        cpus.sort_unstable();
        cpus
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sys(siblings: &[(u32, &str)]) -> tempfile::TempDir {
        let sys = tempfile::tempdir().unwrap();
        for (cpu, list) in siblings {
            let folder = sys.path().join(format!("cpu{cpu}/topology"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("thread_siblings_list"), format!("{list}\n")).unwrap();
        }
        sys
    }

    #[test]
    fn siblings_are_one_core_whatever_their_numbers() {
        let sys = sys(&[(0, "0,32"), (32, "0,32"), (5, "5,37"), (37, "5,37")]);
        let topology = Topology::of([0, 5, 32, 37].into_iter(), sys.path());
        assert_eq!(topology.cores, [[0, 32], [5, 37]]);
        assert_eq!(topology.cpus(), [0, 5, 32, 37]);
    }

    #[test]
    fn a_sibling_that_is_not_allowed_is_left_out() {
        let sys = sys(&[(0, "0-1"), (1, "0-1"), (2, "2-3"), (3, "2-3")]);
        let topology = Topology::of([1, 2, 3].into_iter(), sys.path());
        assert_eq!(topology.cores, [vec![1], vec![2, 3]]);
    }

    #[test]
    fn without_a_topology_each_cpu_is_a_core() {
        let topology = Topology::of([0, 3].into_iter(), Path::new("/nowhere"));
        assert_eq!(topology.cores, [[0], [3]]);
    }

    #[test]
    fn this_machine_has_a_topology_of_its_allowed_cpus() {
        let topology = Topology::read().unwrap();
        // A quota of CPU time makes the parallelism less than the number of CPUs.
        let parallelism = std::thread::available_parallelism().unwrap().get();
        assert!(topology.cpus().len() >= parallelism);
    }
}
