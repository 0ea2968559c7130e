//! The CPUs this process may use, as the physical cores they belong to.
//!
//! SMT siblings share one core's units: two of them are not two cores, and what runs on one slows
//! the other. So everything is dealt out by physical core. Cores are ordered by node and package
//! first, so that a part of them, taken from the front, spans no more of either than it must.
//!
//! Invariant: each allowed CPU is in exactly one core, and no core is empty.
//!
//! What fails: only the question which CPUs are allowed. Where /sys shows no topology (some
//! containers hide it) each CPU counts as a core.

use std::{collections::BTreeMap, fs, path::Path};

use crate::bind::{BindError, allowed};

/// The CPUs of one physical core that this process may use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PhysicalCore {
    /// Its NUMA node, where /sys tells.
    pub node: Option<u32>,
    /// Its package (socket), where /sys tells.
    pub package: Option<u32>,
    /// SMT siblings, ascending; never empty.
    pub cpus: Vec<u32>,
}

/// The CPUs this process may use, each physical core's siblings together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// By node, then package, then CPU.
    pub cores: Vec<PhysicalCore>,
}

impl Topology {
    /// Reads the allowed set from the kernel and the rest from /sys.
    ///
    /// # Errors
    /// Where the kernel does not tell the allowed set.
    pub fn read() -> Result<Self, BindError> {
        Ok(Self::from_sys(Path::new("/sys"), &allowed()?))
    }

    /// Reads a tree laid out as /sys is (Documentation/admin-guide/cputopology.rst), for the CPUs in
    /// `allowed`.
    #[must_use]
    pub fn from_sys(sys: &Path, allowed: &[u32]) -> Self {
        let nodes = nodes(sys);
        let mut cores: BTreeMap<String, PhysicalCore> = BTreeMap::new();
        for &cpu in allowed {
            let topology = sys.join(format!("devices/system/cpu/cpu{cpu}/topology"));
            let read = |name: &str| fs::read_to_string(topology.join(name));
            // The kernel renamed the file in 5.3 and keeps the old name as deprecated.
            let siblings = read("core_cpus_list")
                .or_else(|_| read("thread_siblings_list"))
                .unwrap_or_else(|_| format!("cpu {cpu}"));
            let core = cores.entry(siblings).or_insert_with(|| PhysicalCore {
                node: nodes.get(&cpu).copied(),
                // -1 where the firmware does not tell.
                package: read("physical_package_id")
                    .ok()
                    .and_then(|id| id.trim().parse().ok()),
                cpus: Vec::new(),
            });
            core.cpus.push(cpu);
        }
        let mut cores: Vec<_> = cores.into_values().collect();
        for core in &mut cores {
            core.cpus.sort_unstable();
        }
        cores.sort();
        Self { cores }
    }

    /// Every CPU, ascending.
    #[must_use]
    pub fn cpus(&self) -> Vec<u32> {
        let mut cpus: Vec<u32> = self
            .cores
            .iter()
            .flat_map(|core| core.cpus.clone())
            .collect();
        cpus.sort_unstable();
        cpus
    }

    /// The first CPU of each physical core that has one in `among`, in the order of cores: what
    /// counts as a real core, and what slots are shares of. The siblings of each stay idle then, or
    /// belong to the same server.
    #[must_use]
    pub fn first_cpus(&self, among: &[u32]) -> Vec<u32> {
        self.cores
            .iter()
            .filter_map(|core| core.cpus.iter().copied().find(|cpu| among.contains(cpu)))
            .collect()
    }

    /// Every CPU, each core's first before any core's second, in the order of cores.
    #[must_use]
    pub fn firsts_first(&self) -> Vec<u32> {
        let most = self.cores.iter().map(|core| core.cpus.len()).max();
        (0..most.unwrap_or(0))
            .flat_map(|sibling| self.cores.iter().filter_map(move |of| of.cpus.get(sibling)))
            .copied()
            .collect()
    }

    /// As many of the CPUs, at least one: each core's first before any core's second, as siblings
    /// add least.
    #[must_use]
    pub fn within(&self, cpus: usize) -> Self {
        let mut kept = self.firsts_first();
        kept.truncate(cpus.max(1));
        let mut cores = self.cores.clone();
        for core in &mut cores {
            core.cpus.retain(|cpu| kept.contains(cpu));
        }
        cores.retain(|core| !core.cpus.is_empty());
        Self { cores }
    }
}

/// The NUMA node of each CPU; empty where /sys shows none.
fn nodes(sys: &Path) -> BTreeMap<u32, u32> {
    let Ok(entries) = fs::read_dir(sys.join("devices/system/node")) else {
        return BTreeMap::new();
    };
    let mut nodes = BTreeMap::new();
    for entry in entries.flatten() {
        let node = entry
            .file_name()
            .to_str()
            .and_then(|name| name.strip_prefix("node")?.parse().ok());
        let cpus = fs::read_to_string(entry.path().join("cpulist"));
        if let (Some(node), Ok(cpus)) = (node, cpus) {
            nodes.extend(listed(&cpus).map(|cpu| (cpu, node)));
        }
    }
    nodes
}

/// The CPUs of a kernel list such as `0-3,8`. A node without CPUs has an empty one.
fn listed(text: &str) -> impl Iterator<Item = u32> {
    text.trim()
        .split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(first.parse().ok()?..=last.parse().ok()?)
        })
        .flatten()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A tree as /sys is, of cores given as node, package and siblings.
    fn sys(cores: &[(u32, u32, &[u32])]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        let devices = root.path().join("devices/system");
        let mut nodes: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for (node, package, siblings) in cores {
            let list = siblings.iter().map(u32::to_string).collect::<Vec<_>>();
            nodes.entry(*node).or_default().extend(list.clone());
            for cpu in *siblings {
                let topology = devices.join(format!("cpu/cpu{cpu}/topology"));
                fs::create_dir_all(&topology).unwrap();
                fs::write(topology.join("core_cpus_list"), list.join(",") + "\n").unwrap();
                fs::write(topology.join("physical_package_id"), format!("{package}\n")).unwrap();
            }
        }
        for (node, cpus) in nodes {
            let node = devices.join(format!("node/node{node}"));
            fs::create_dir_all(&node).unwrap();
            fs::write(node.join("cpulist"), cpus.join(",") + "\n").unwrap();
        }
        root
    }

    fn siblings(topology: &Topology) -> Vec<Vec<u32>> {
        topology
            .cores
            .iter()
            .map(|core| core.cpus.clone())
            .collect()
    }

    #[test]
    fn sixty_four_cores_with_smt_on_two_packages_are_ordered_by_package() {
        let pairs: Vec<[u32; 2]> = (0..64).map(|cpu| [cpu, cpu + 64]).collect();
        // Even CPUs on one package and odd ones on the other, as some firmware numbers them.
        let cores: Vec<(u32, u32, &[u32])> = pairs
            .iter()
            .map(|pair| (pair[0] % 2, pair[0] % 2, pair.as_slice()))
            .collect();
        let root = sys(&cores);
        let topology = Topology::from_sys(root.path(), &(0..128).collect::<Vec<_>>());
        assert_eq!(topology.cores.len(), 64);
        assert_eq!(topology.cpus(), (0..128).collect::<Vec<_>>());
        assert_eq!(
            topology.cores[1],
            PhysicalCore {
                node: Some(0),
                package: Some(0),
                cpus: vec![2, 66]
            }
        );
        assert_eq!(topology.cores[32].cpus, [1, 65]);
        assert_eq!(topology.cores[32].package, Some(1));
        assert_eq!(topology.first_cpus(&[66, 2, 1])[..], [2, 1]);
    }

    #[test]
    fn two_cores_without_siblings_are_two_cores() {
        let root = sys(&[(0, 0, &[0]), (0, 0, &[1])]);
        let topology = Topology::from_sys(root.path(), &[0, 1]);
        assert_eq!(siblings(&topology), [[0], [1]]);
    }

    #[test]
    fn a_hole_in_the_numbering_and_a_sibling_that_is_not_allowed_are_left_out() {
        let root = sys(&[(0, 0, &[0, 4]), (0, 0, &[2, 6]), (0, 0, &[9, 13])]);
        let topology = Topology::from_sys(root.path(), &[0, 2, 6, 9]);
        assert_eq!(siblings(&topology), [vec![0], vec![2, 6], vec![9]]);
    }

    #[test]
    fn without_a_topology_each_cpu_counts_as_a_core() {
        let root = tempfile::tempdir().unwrap();
        let topology = Topology::from_sys(root.path(), &[3, 1]);
        assert_eq!(siblings(&topology), [[1], [3]]);
        assert_eq!(topology.cores[0].package, None);
        assert_eq!(topology.cores[0].node, None);
    }

    #[test]
    fn of_fewer_cpus_each_core_keeps_its_first_before_any_keeps_its_second() {
        let root = sys(&[(0, 0, &[0, 2]), (0, 0, &[1, 3])]);
        let topology = Topology::from_sys(root.path(), &[0, 1, 2, 3]);
        assert_eq!(siblings(&topology.within(3)), [vec![0, 2], vec![1]]);
        assert_eq!(siblings(&topology.within(2)), [[0], [1]]);
        assert_eq!(siblings(&topology.within(0)), [[0]]);
    }

    #[test]
    fn ranges_and_single_cpus_make_a_list() {
        assert_eq!(listed("0-2,5\n").collect::<Vec<_>>(), [0, 1, 2, 5]);
        assert_eq!(listed("\n").count(), 0);
    }

    #[test]
    fn this_machine_has_a_topology_of_its_allowed_cpus() {
        let topology = Topology::read().unwrap();
        // A quota of CPU time makes the parallelism less than the number of CPUs.
        let parallelism = std::thread::available_parallelism().unwrap().get();
        assert!(topology.cpus().len() >= parallelism);
    }
}
