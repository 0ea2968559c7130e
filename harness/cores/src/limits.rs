//! How much CPU time cgroups let this very process have.
//!
//! A container or a service manager may give a process less CPU time than its CPUs have. The limit
//! of each group holds for all below it, so the smallest on the way up is the one that is felt.
//!
//! Sources: `cpu.max` in Documentation/admin-guide/cgroup-v2.rst, `cpu.cfs_quota_us` in
//! Documentation/scheduler/sched-bwc.rst.
//!
//! What fails: nothing. A group that cannot be read, or that a container does not show, sets no
//! limit that could be known.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::hierarchy::{Hierarchies, Hierarchy};

/// A limit of CPU time.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// In CPUs: quota over period.
    pub cpus: f64,
    /// The file that sets it.
    pub path: PathBuf,
}

/// The smallest limit that holds for this process, or none.
#[must_use]
pub fn here() -> Option<Limit> {
    smallest(&Hierarchies::here().ok()?)
}

/// The smallest limit that holds for a process in these places, or none.
#[must_use]
pub fn smallest(hierarchies: &Hierarchies) -> Option<Limit> {
    let limits = |hierarchy: Option<&Hierarchy>, read: fn(&Path) -> Option<Limit>| {
        hierarchy.map_or_else(Vec::new, |of| of.groups().filter_map(read).collect())
    };
    let mut all = limits(hierarchies.v2(), v2);
    all.extend(limits(hierarchies.v1("cpu"), v1));
    all.into_iter().min_by(|a, b| a.cpus.total_cmp(&b.cpus))
}

/// The smallest limit that holds in `group`, its own or one above, or none.
pub(crate) fn above(group: &Path) -> Option<Limit> {
    group
        .ancestors()
        .take_while(|group| group.join("cgroup.procs").exists())
        .filter_map(|group| v2(group).or_else(|| v1(group)))
        .min_by(|a, b| a.cpus.total_cmp(&b.cpus))
}

fn v2(group: &Path) -> Option<Limit> {
    let path = group.join("cpu.max");
    let text = fs::read_to_string(&path).ok()?;
    // "max" for the quota is no number, and so no limit.
    let (quota, period) = text.trim().split_once(' ')?;
    limit(quota.parse().ok()?, period.parse().ok()?, path)
}

fn v1(group: &Path) -> Option<Limit> {
    let read = |name| -> Option<i64> {
        let text = fs::read_to_string(group.join(name)).ok()?;
        text.trim().parse().ok()
    };
    let quota = read("cpu.cfs_quota_us")?;
    let period = read("cpu.cfs_period_us")?;
    limit(quota, period, group.join("cpu.cfs_quota_us"))
}

/// -1 is v1's word for no quota.
fn limit(quota_us: i64, period_us: i64, path: PathBuf) -> Option<Limit> {
    (quota_us > 0 && period_us > 0).then(|| Limit {
        cpus: quota_us as f64 / period_us as f64,
        path,
    })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn tree(files: &[(&str, &str)]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        root
    }

    fn found(root: &TempDir, mountinfo: &str, own: &str) -> Option<(f64, PathBuf)> {
        let limit = smallest(&Hierarchies::parse(root.path(), mountinfo, own))?;
        let path = limit.path.strip_prefix(root.path()).unwrap().to_owned();
        Some((limit.cpus, path))
    }

    const V2: &str = "1 2 0:3 / /cg rw - cgroup2 cgroup2 rw\n";
    const V1: &str = "1 2 0:3 / /cpu rw - cgroup cgroup rw,cpu\n";

    #[test]
    fn the_smallest_limit_on_the_way_up_counts_under_v2() {
        let root = tree(&[
            ("cg/a/cpu.max", "150000 100000\n"),
            ("cg/a/b/cpu.max", "max 100000\n"),
            ("cg/a/b/c/cpu.max", "400000 100000\n"),
        ]);
        let limit = found(&root, V2, "0::/a/b/c\n");
        assert_eq!(limit, Some((1.5, PathBuf::from("cg/a/cpu.max"))));
    }

    #[test]
    fn a_quota_of_v1_is_divided_by_its_period_and_minus_one_is_none() {
        let root = tree(&[
            ("cpu/cpu.cfs_quota_us", "-1\n"),
            ("cpu/cpu.cfs_period_us", "100000\n"),
            ("cpu/a/cpu.cfs_quota_us", "25000\n"),
            ("cpu/a/cpu.cfs_period_us", "50000\n"),
        ]);
        let limit = found(&root, V1, "1:cpu:/a\n");
        assert_eq!(limit, Some((0.5, PathBuf::from("cpu/a/cpu.cfs_quota_us"))));
        assert_eq!(found(&root, V1, "1:cpu:/\n"), None);
    }

    #[test]
    fn a_group_beside_this_process_sets_no_limit() {
        let root = tree(&[("cg/other/cpu.max", "1000 100000\n")]);
        assert_eq!(found(&root, V2, "0::/a\n"), None);
    }

    #[test]
    fn of_both_versions_the_smaller_counts() {
        let root = tree(&[
            ("cg/cpu.max", "300000 100000\n"),
            ("cpu/cpu.cfs_quota_us", "200000\n"),
            ("cpu/cpu.cfs_period_us", "100000\n"),
        ]);
        let limit = found(&root, &[V2, V1].concat(), "1:cpu:/\n0::/\n");
        assert_eq!(limit, Some((2.0, PathBuf::from("cpu/cpu.cfs_quota_us"))));
    }
}
