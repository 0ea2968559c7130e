//! Where the cgroup hierarchies are mounted, and where in each of them this process is.
//!
//! A machine has one v2 hierarchy, or several of v1, or both, and each controller is in one of them
//! only. /proc/self/mountinfo tells where they are, /proc/self/cgroup which of their groups this
//! process belongs to (cgroups(7)).
//!
//! What fails: only reading the two files. A line of either that nobody understands is passed over.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use procfs::{FromBufRead as _, ProcessCGroups, process::MountInfo};

/// The hierarchies could not be found.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {file}: {source}; mount /proc")]
pub struct HierarchyError {
    file: &'static str,
    source: io::Error,
}

/// One hierarchy as this process sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// Its topmost visible group.
    pub mount: PathBuf,
    /// This process's group, below `mount` or `mount` itself.
    pub own: PathBuf,
    /// Empty under v2, where each group has a list of its own.
    controllers: Vec<String>,
    v2: bool,
}

impl Hierarchy {
    /// This process's group, and those above it up to the topmost that can be seen.
    pub fn groups(&self) -> impl Iterator<Item = &Path> {
        let top = &self.mount;
        self.own
            .ancestors()
            .take_while(move |group| group.starts_with(top))
    }
}

/// Every cgroup hierarchy that is mounted where this process sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchies(Vec<Hierarchy>);

impl Hierarchies {
    /// Reads this process's own.
    ///
    /// # Errors
    /// Where /proc is not there to read.
    pub fn here() -> Result<Self, HierarchyError> {
        let read =
            |file| fs::read_to_string(file).map_err(|source| HierarchyError { file, source });
        Ok(Self::parse(
            Path::new("/"),
            &read("/proc/self/mountinfo")?,
            &read("/proc/self/cgroup")?,
        ))
    }

    /// Understands `mountinfo` and `own`, the texts of /proc/self/mountinfo and /proc/self/cgroup.
    /// Mount points are below `root`.
    #[must_use]
    pub fn parse(root: &Path, mountinfo: &str, own: &str) -> Self {
        let own: Vec<_> = own
            .lines()
            .filter_map(|line| ProcessCGroups::from_buf_read(line.as_bytes()).ok())
            .flatten()
            .collect();
        let hierarchies = mountinfo
            .lines()
            .filter_map(|line| MountInfo::from_line(line).ok())
            .filter_map(|mount| {
                let v2 = mount.fs_type == "cgroup2";
                if !v2 && mount.fs_type != "cgroup" {
                    return None;
                }
                let here = own.iter().find(|group| {
                    if v2 {
                        group.controllers.is_empty()
                    } else {
                        let mut of = group.controllers.iter();
                        of.any(|controller| mount.super_options.contains_key(controller))
                    }
                })?;
                let point = root.join(mount.mount_point.strip_prefix("/").ok()?);
                // A container may show a part of the hierarchy that this process is not in; the
                // nearest that can be said then is the part's top.
                let own = Path::new(&here.pathname)
                    .strip_prefix(&mount.root)
                    // Joining nothing would leave a slash at the end.
                    .map_or_else(
                        |_| point.clone(),
                        |below| point.join(below).components().collect(),
                    );
                Some(Hierarchy {
                    mount: point,
                    own,
                    controllers: here.controllers.clone(),
                    v2,
                })
            })
            .collect();
        Self(hierarchies)
    }

    /// The v2 hierarchy.
    pub(crate) fn v2(&self) -> Option<&Hierarchy> {
        self.0.iter().find(|hierarchy| hierarchy.v2)
    }

    /// The v1 hierarchy that has this controller.
    pub(crate) fn v1(&self, controller: &str) -> Option<&Hierarchy> {
        self.0
            .iter()
            .find(|hierarchy| hierarchy.controllers.iter().any(|of| of == controller))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
        32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:4 - cgroup cgroup rw,cpu,cpuacct\n\
        35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n\
        not a line of the kernel's\n\
        22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n";

    #[test]
    fn each_controller_is_found_where_it_is_mounted_with_this_process_in_it() {
        let own = "3:cpu,cpuacct:/user/a\n2:memory:/\n0::/user.slice\n";
        let found = Hierarchies::parse(Path::new("/t"), HYBRID, own);
        let cpu = found.v1("cpu").unwrap();
        assert_eq!(cpu.mount, Path::new("/t/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(cpu.own, Path::new("/t/sys/fs/cgroup/cpu,cpuacct/user/a"));
        assert_eq!(found.v1("cpuacct"), Some(cpu));
        assert_eq!(found.v1("cpuset"), None);
        let v2 = found.v2().unwrap();
        assert_eq!(v2.own, Path::new("/t/sys/fs/cgroup/unified/user.slice"));
        let groups: Vec<_> = cpu.groups().collect();
        assert_eq!(
            groups,
            [
                cpu.own.as_path(),
                Path::new("/t/sys/fs/cgroup/cpu,cpuacct/user"),
                cpu.mount.as_path()
            ]
        );
    }

    #[test]
    fn a_container_that_sees_a_part_of_the_hierarchy_is_placed_within_that_part() {
        let mount = "41 31 0:38 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";
        let own = |own| {
            Hierarchies::parse(Path::new("/"), mount, own)
                .v2()
                .unwrap()
                .own
                .clone()
        };
        assert_eq!(own("0::/docker/abc/x"), Path::new("/sys/fs/cgroup/x"));
        assert_eq!(
            own("0::/docker/abc").display().to_string(),
            "/sys/fs/cgroup"
        );
        assert_eq!(own("0::/elsewhere"), Path::new("/sys/fs/cgroup"));
    }

    #[test]
    fn without_cgroups_there_are_no_hierarchies() {
        let found = Hierarchies::parse(Path::new("/"), "22 1 8:1 / / rw - ext4 a rw\n", "");
        assert_eq!((found.v2(), found.v1("cpu")), (None, None));
    }
}
