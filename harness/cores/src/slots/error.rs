//! What fails about slots, and what to do.

use std::{fmt, io, path::PathBuf};

use nix::errno::Errno;

use crate::{bind::BindError, limits::Limit};

/// What to do without the right to write to cgroups.
pub(super) const CURE: &str =
    "run as root, or as `systemd-run --user --scope -p Delegate=yes scripts/run`";

/// Cores cannot be emulated here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; {cure}")]
pub struct Unavailable {
    /// Why not, without a full stop.
    pub reason: String,
    /// What to do about it, likewise.
    pub cure: String,
}

/// Something about slots failed. Shown as the reason and the cure.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// A group could not be made.
    Make {
        /// The group.
        dir: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file of a group could not be written.
    Write {
        /// The file.
        file: PathBuf,
        /// What was to be written.
        text: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file that tells of slots could not be read.
    Read {
        /// The file.
        file: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A group could not be removed.
    Remove {
        /// The group.
        group: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A group still holds tasks.
    Held {
        /// The group.
        group: PathBuf,
        /// The kernel's task ids; none where they are past being listed.
        tasks: Vec<i32>,
    },
    /// A group above has a limit that is less than the quotas of all slots.
    TooLittle {
        /// What all slots together are to have, in CPUs.
        wanted: f64,
        /// What there is.
        limit: Limit,
    },
    /// A process that was moved into a slot could not be bound to its CPU.
    Bind(BindError),
    /// This process's start time or pid namespace, which name its groups, could not be read.
    Identity {
        /// Which of them.
        what: &'static str,
        /// What the kernel said.
        why: String,
    },
}

impl SlotError {
    /// What failed and the value seen, without a full stop.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Make { dir, source } => {
                format!("cannot make the cgroup {}: {source}", dir.display())
            }
            Self::Write { file, text, source } => {
                format!("cannot write {text:?} to {}: {source}", file.display())
            }
            Self::Read { file, source } => format!("cannot read {}: {source}", file.display()),
            Self::Remove { group, source } => {
                format!("cannot remove the cgroup {}: {source}", group.display())
            }
            Self::Held { group, tasks } => {
                format!(
                    "cannot remove the cgroup {}: it holds the tasks {tasks:?}",
                    group.display()
                )
            }
            Self::TooLittle { wanted, limit } => format!(
                "all slots together are to have {wanted:.2} CPUs, and {} allows {:.2}",
                limit.path.display(),
                limit.cpus
            ),
            Self::Bind(error) => error.to_string(),
            Self::Identity { what, why } => format!("cannot read this process's {what}: {why}"),
        }
    }

    /// What to do about it, likewise.
    #[must_use]
    pub fn cure(&self) -> &'static str {
        match self {
            Self::Make { source, .. }
            | Self::Write { source, .. }
            | Self::Read { source, .. }
            | Self::Remove { source, .. } => cure(source),
            Self::Held { .. } => "end them, then remove it",
            Self::TooLittle { .. } => "raise that limit, or run outside of its cgroup",
            Self::Bind(_) => "name CPUs that this process may use",
            Self::Identity { .. } => "mount /proc",
        }
    }
}

impl fmt::Display for SlotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // It brings its cure along.
            Self::Bind(error) => error.fmt(f),
            _ => write!(f, "{}; {}", self.reason(), self.cure()),
        }
    }
}

/// What to do about an answer of the kernel's to something about cgroups.
fn cure(error: &io::Error) -> &'static str {
    match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
        Errno::ENOENT | Errno::ENODEV => {
            "see that nothing else removes groups, and that the kernel has CPU quotas \
             (CONFIG_CFS_BANDWIDTH)"
        }
        Errno::EINVAL => {
            "ask for fewer cores, or raise the limit of a cgroup above that allows less CPU time"
        }
        Errno::EBUSY | Errno::EOPNOTSUPP => {
            "start where no other groups are beside the new ones, as \
             `systemd-run --user --scope -p Delegate=yes scripts/run` does"
        }
        Errno::ESRCH => "see why the process has ended",
        _ => CURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_failed_what_the_kernel_said_and_what_to_do() {
        let error = |errno: Errno| SlotError::Write {
            file: PathBuf::from("/cg/cpu.max"),
            text: "1000 10000".to_owned(),
            source: errno.into(),
        };
        assert_eq!(
            error(Errno::EACCES).to_string(),
            "cannot write \"1000 10000\" to /cg/cpu.max: Permission denied (os error 13); run as root, \
             or as `systemd-run --user --scope -p Delegate=yes scripts/run`"
        );
        assert!(
            error(Errno::EINVAL)
                .to_string()
                .ends_with("that allows less CPU time")
        );
        assert!(error(Errno::EROFS).to_string().contains("run as root"));
        assert!(error(Errno::ESRCH).to_string().contains("has ended"));
    }
}
