//! Where the control groups that deal with CPU time are mounted, and which this process is in.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Of the control groups' interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// A hierarchy for each controller.
    One,
    /// One for all.
    Two,
}

/// A hierarchy that has, or may have, the cpu controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    pub(crate) version: Version,
    /// Where its root, or what this process may see of it, is mounted.
    pub(crate) mount: PathBuf,
    /// The group of this process below it.
    pub(crate) own: PathBuf,
}

impl Hierarchy {
    /// Those that this process is in, version 2 first.
    pub(crate) fn of_this_process() -> Vec<Self> {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self::of(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"))
    }

    fn of(mounts: &str, groups: &str) -> Vec<Self> {
        let mut found: Vec<Self> = mounts
            .lines()
            .filter_map(|line| Self::mounted(line, groups))
            .collect();
        found.sort_by_key(|hierarchy| hierarchy.version == Version::One);
        found
    }

    /// From a line of mountinfo (see `proc_pid_mountinfo(5)`):
    /// `32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu`.
    fn mounted(line: &str, groups: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ');
        let root = before.nth(3)?;
        let mount = PathBuf::from(unescaped(before.next()?));
        let mut after = after.split(' ');
        let kind = after.next()?;
        let options = after.nth(1)?;
        let version = match kind {
            "cgroup2" => Version::Two,
            "cgroup" if options.split(',').any(|option| option == "cpu") => Version::One,
            _ => return None,
        };
        let own = own_group(groups, version)?;
        // In a container the mount may show a part of the hierarchy alone, from `root` down.
        let below = Path::new(own).strip_prefix(unescaped(root));
        let own = below.unwrap_or(Path::new(own).strip_prefix("/").ok()?);
        Some(Self {
            version,
            mount,
            own: own.to_owned(),
        })
    }

    /// This process's group. Where it cannot be seen from here, the root of what can.
    pub(crate) fn own_group(&self) -> PathBuf {
        let group = self.mount.join(&self.own);
        if group.is_dir() {
            group
        } else {
            self.mount.clone()
        }
    }
}

/// From /proc/self/cgroup: `1:cpu:/a` or `4:cpu,cpuacct:/a` under version 1, `0::/a` under version 2.
fn own_group(groups: &str, version: Version) -> Option<&str> {
    groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let here = match version {
            Version::Two => number == "0" && controllers.is_empty(),
            Version::One => controllers.split(',').any(|controller| controller == "cpu"),
        };
        here.then_some(path)
    })
}

/// Blanks stand as `\040` in mountinfo.
fn unescaped(path: &str) -> String {
    path.replace("\\040", " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hierarchy_of_version_1_is_found_by_its_controller() {
        let mounts = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
            33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct\n\
            32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n";
        let groups = "2:cpuacct:/b\n1:cpu,cpuacct:/a/c\n0::/\n";
        assert_eq!(
            Hierarchy::of(mounts, groups),
            [Hierarchy {
                version: Version::One,
                mount: "/sys/fs/cgroup/cpu,cpuacct".into(),
                own: "a/c".into()
            }]
        );
    }

    #[test]
    fn version_2_comes_first_where_both_are_mounted() {
        let mounts = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
            41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let found = Hierarchy::of(mounts, "1:cpu:/\n0::/user.slice\n");
        assert_eq!(found[0].version, Version::Two);
        assert_eq!(found[0].own, Path::new("user.slice"));
        assert_eq!(found[1].version, Version::One);
    }

    #[test]
    fn in_a_container_the_group_is_counted_from_what_is_mounted() {
        let mounts = "41 31 0:38 /docker/ab /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let found = Hierarchy::of(mounts, "0::/docker/ab/run\n");
        assert_eq!(found[0].own, Path::new("run"));
        assert_eq!(
            Hierarchy::of(mounts, "0::/docker/ab\n")[0].own,
            Path::new("")
        );
    }

    #[test]
    fn without_control_groups_there_is_none() {
        assert_eq!(Hierarchy::of("", ""), []);
        assert_eq!(
            Hierarchy::of("31 23 0:28 / /tmp rw - tmpfs tmpfs rw\n", "0::/\n"),
            []
        );
    }
}
