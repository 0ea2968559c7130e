//! Whether slots can be made here, and where.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use nix::unistd::{AccessFlags, access};

use super::{
    SlotError,
    mounts::{Hierarchy, Version},
    write,
};

/// A place where control groups with a CPU quota can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroups {
    version: Version,
    base: PathBuf,
}

/// Slots cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// What is missing.
    pub reason: String,
    /// What to do about it.
    pub cure: String,
}

impl Cgroups {
    /// Looks for one: below this process's own group, which is where a user who was delegated a subtree
    /// may write.
    ///
    /// # Errors
    /// Where the cpu controller is nowhere, or is not ours to use.
    pub fn find() -> Result<Self, Unavailable> {
        Self::among(&Hierarchy::of_this_process())
    }

    fn among(hierarchies: &[Hierarchy]) -> Result<Self, Unavailable> {
        let mut not_ours = None;
        for hierarchy in hierarchies {
            let base = hierarchy.own_group();
            if !offers_cpu(hierarchy.version, &base) {
                continue;
            }
            if is_ours(hierarchy.version, &base) {
                return Ok(Self {
                    version: hierarchy.version,
                    base,
                });
            }
            not_ours.get_or_insert(base);
        }
        Err(match not_ours {
            Some(base) => Unavailable {
                reason: format!(
                    "control groups below {} may not be made by this user",
                    base.display()
                ),
                cure: "run it as root, or in a subtree that is yours: systemd-run --user --scope -p Delegate=yes scripts/run".to_owned(),
            },
            None => Unavailable {
                reason: "no control group here has the cpu controller".to_owned(),
                cure: "mount it (mount -t cgroup -o cpu cgroup DIR, as root), or have it delegated: systemd-run --user --scope -p Delegate=yes scripts/run".to_owned(),
            },
        })
    }

    pub(super) const fn version(&self) -> Version {
        self.version
    }

    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    /// Lets groups below the base have the cpu controller.
    pub(super) fn prepare(&self) -> Result<(), SlotError> {
        let control = self.base.join("cgroup.subtree_control");
        if self.version == Version::One || lists_cpu(&control) {
            return Ok(());
        }
        write(&control, "+cpu")
    }
}

fn offers_cpu(version: Version, base: &Path) -> bool {
    match version {
        // The controller is what the hierarchy is for; without quotas it has no such file.
        Version::One => base.join("cpu.cfs_quota_us").exists() || base.join("cpu.shares").exists(),
        Version::Two => lists_cpu(&base.join("cgroup.controllers")),
    }
}

fn lists_cpu(file: &Path) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace()
        .any(|controller| controller == "cpu")
}

/// Whether groups may be made there and processes moved into them.
fn is_ours(version: Version, base: &Path) -> bool {
    let may_write = |path: &Path| access(path, AccessFlags::W_OK).is_ok();
    let needed: &[&str] = match version {
        Version::One => &[""],
        Version::Two => &["", "cgroup.procs", "cgroup.subtree_control"],
    };
    needed.iter().all(|file| {
        if file.is_empty() {
            may_write(base)
        } else {
            may_write(&base.join(file))
        }
    })
}

impl fmt::Display for Cgroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = match self.version {
            Version::One => 1,
            Version::Two => 2,
        };
        write!(
            f,
            "control groups (version {version}) can be made below {}",
            self.base.display()
        )
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::slots::{Slots, join};
    use schema::SlotPlan;

    /// A folder with the files of a group as the kernel shows them.
    pub(in crate::slots) fn recorded(
        version: Version,
        controllers: &str,
    ) -> (tempfile::TempDir, Hierarchy) {
        let root = tempfile::tempdir().unwrap();
        let files: &[(&str, &str)] = match version {
            Version::One => &[("cpu.cfs_quota_us", "-1\n"), ("tasks", "")],
            Version::Two => &[
                ("cgroup.controllers", controllers),
                ("cgroup.procs", ""),
                ("cgroup.subtree_control", ""),
            ],
        };
        for (file, text) in files {
            fs::write(root.path().join(file), text).unwrap();
        }
        let hierarchy = Hierarchy {
            version,
            mount: root.path().to_owned(),
            own: PathBuf::new(),
        };
        (root, hierarchy)
    }

    #[test]
    fn version_2_without_the_controller_gives_way_to_version_1() {
        let (_two, without) = recorded(Version::Two, "memory pids\n");
        let (one_root, one) = recorded(Version::One, "");
        let found = Cgroups::among(&[without.clone(), one]).unwrap();
        assert_eq!(found.base(), one_root.path());
        let error = Cgroups::among(&[without]).unwrap_err();
        assert!(error.cure.contains("Delegate=yes"), "{error:?}");
        assert!(Cgroups::among(&[]).is_err());
    }

    /// Everything that is written under version 2, in a folder that stands for the kernel's.
    #[test]
    fn under_version_2_leaves_are_threaded_and_limited_together() {
        let (root, two) = recorded(Version::Two, "cpu memory\n");
        let cgroups = Cgroups::among(&[two]).unwrap();
        let plan = SlotPlan {
            quota_ns: 4_000_000,
            period_ns: 20_000_000,
        };
        let slots = Slots::make(&cgroups, &[0, 1], plan).unwrap();
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        assert_eq!(read(&root.path().join("cgroup.subtree_control")), "+cpu");
        let group = slots.group().unwrap();
        assert_eq!(read(&group.join("cgroup.subtree_control")), "+cpu");
        join(&group).unwrap();
        assert_eq!(read(&group.join("cgroup.procs")), "0");
        slots.limit().unwrap();
        for index in 0..2 {
            let dir = slots.dir(index);
            assert_eq!(slots.cpu(index), u32::try_from(index).unwrap());
            assert_eq!(read(&dir.join("cgroup.type")), "threaded");
            assert_eq!(read(&dir.join("cpu.max")), "4000 20000");
        }
        slots.unlimit().unwrap();
        assert_eq!(read(&slots.dir(1).join("cpu.max")), "max 20000");
        let stat = "usage_usec 1500\nuser_usec 900\nsystem_usec 600\nnr_periods 7\nnr_throttled 5\nthrottled_usec 4000\n";
        fs::write(slots.dir(0).join("cpu.stat"), stat).unwrap();
        let then = slots.read();
        let later = stat
            .replace("1500", "3500")
            .replace("_periods 7", "_periods 9");
        fs::write(slots.dir(0).join("cpu.stat"), later).unwrap();
        let usage = slots.read()[0].since(&then[0], plan, 40_000_000);
        assert_eq!((usage.given_ns, usage.quota_ns), (2_000_000, 8_000_000));
        assert_eq!((usage.periods, usage.throttled_periods), (2, 0));
        // The kernel's files go with their folder; these do not.
        fs::remove_dir_all(&group).unwrap();
    }
}
