//! The CPU time that control groups leave to this process.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::slots::mounts::{Hierarchy, Version};

/// The least that a control group above this process allows.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// In CPUs: 1.5 is one and a half.
    pub cpus: f64,
    /// The group that sets it.
    pub path: PathBuf,
}

/// The limit in force; nothing where there is none, or the kernel does not tell.
#[must_use]
pub fn cpu_limit() -> Option<Limit> {
    let hierarchies = Hierarchy::of_this_process();
    hierarchies
        .iter()
        .flat_map(limits)
        .min_by(|a, b| a.cpus.total_cmp(&b.cpus))
}

/// From this process's group up to the root of what is mounted.
fn limits(hierarchy: &Hierarchy) -> Vec<Limit> {
    let own = hierarchy.own_group();
    own.ancestors()
        .take_while(|group| group.starts_with(&hierarchy.mount))
        .filter_map(|group| {
            let cpus = match hierarchy.version {
                Version::Two => max(&read(group, "cpu.max")?),
                Version::One => ratio(
                    &read(group, "cpu.cfs_quota_us")?,
                    &read(group, "cpu.cfs_period_us")?,
                ),
            }?;
            Some(Limit {
                cpus,
                path: group.to_owned(),
            })
        })
        .collect()
}

fn read(group: &Path, file: &str) -> Option<String> {
    fs::read_to_string(group.join(file)).ok()
}

/// `max 100000`, or quota and period.
fn max(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    ratio(quota, period)
}

/// Quota over period, in CPUs. A quota that is no number above 0 is none.
fn ratio(quota: &str, period: &str) -> Option<f64> {
    let quota: f64 = quota.trim().parse().ok()?;
    let period: f64 = period.trim().parse().ok()?;
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(root: &Path, path: &str, files: &[(&str, &str)]) {
        fs::create_dir_all(root.join(path)).unwrap();
        for (file, text) in files {
            fs::write(root.join(path).join(file), text).unwrap();
        }
    }

    fn hierarchy(version: Version, mount: &Path, own: &str) -> Hierarchy {
        Hierarchy {
            version,
            mount: mount.to_owned(),
            own: own.into(),
        }
    }

    #[test]
    fn the_least_of_all_groups_above_counts() {
        let root = tempfile::tempdir().unwrap();
        group(root.path(), "", &[]);
        group(root.path(), "outer", &[("cpu.max", "150000 100000\n")]);
        group(root.path(), "outer/inner", &[("cpu.max", "max 100000\n")]);
        let found = limits(&hierarchy(Version::Two, root.path(), "outer/inner"));
        assert_eq!(found.len(), 1);
        assert!((found[0].cpus - 1.5).abs() < 1e-9);
        assert!(found[0].path.ends_with("outer"));
    }

    #[test]
    fn a_quota_of_minus_one_is_none() {
        let root = tempfile::tempdir().unwrap();
        let files = |quota| {
            [
                ("cpu.cfs_quota_us", quota),
                ("cpu.cfs_period_us", "100000\n"),
            ]
        };
        group(root.path(), "", &files("-1\n"));
        assert_eq!(limits(&hierarchy(Version::One, root.path(), "")), []);
        group(root.path(), "", &files("50000\n"));
        assert!((limits(&hierarchy(Version::One, root.path(), ""))[0].cpus - 0.5).abs() < 1e-9);
    }
}
