//! The slot a worker runs in: a control group, whose CPU quota makes a core of it, and a CPU.
//!
//! A machine with fewer cores than workers emulates cores: whoever starts the server makes one group
//! for each worker and gives each a quota. A worker joins its slot itself, as it starts: at that
//! moment the kernel has a name for "the thread that writes", and nobody has to learn task ids and
//! race with the first request. Nothing is made here, and nothing undone: a group outlives its
//! workers, and the successor of one that died joins it again.
//!
//! # Order of events
//! The group first, then the CPU. Each concerns the calling thread only, so a primary, or the first
//! thread of a pool, stays outside the slots of its workers. A thread that is made later begins where
//! its maker is; that is why a worker joins before it makes any.
//!
//! # What fails
//! The group does not exist, is not this user's to write to, or takes no threads; the CPU does not
//! exist or may not be used. A worker that fails must not serve: what it would show is another
//! machine.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    str::FromStr,
};

use nix::{
    errno::Errno,
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

/// Where the threads of a group are listed under cgroup v2, and joined by writing to it.
const V2_THREADS: &str = "cgroup.threads";

/// The same under v1.
const V1_THREADS: &str = "tasks";

/// Where one worker runs, as typed: `CPU=DIR`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    cpu: usize,
    group: PathBuf,
}

impl FromStr for Slot {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (cpu, group) = text
            .split_once('=')
            .filter(|(_, group)| !group.is_empty())
            .ok_or("say a CPU and the folder of a control group, as in 0=/sys/fs/cgroup/cpu/a")?;
        let cpu = cpu
            .parse()
            .ok()
            .filter(|&cpu| cpu < CpuSet::count())
            .ok_or_else(|| format!("say a CPU from 0 to {} before the '='", CpuSet::count() - 1))?;
        Ok(Self {
            cpu,
            group: group.into(),
        })
    }
}

/// A slot could not be joined.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// There is no such group.
    #[error(
        "cannot join the slot {}: neither {V2_THREADS} nor {V1_THREADS} is there ({source}); make \
         the control group before the server starts, or correct --slot",
        group.display()
    )]
    NoGroup {
        /// The folder.
        group: PathBuf,
        /// What the kernel said of the second file.
        source: io::Error,
    },
    /// The kernel did not let the thread in.
    #[error("cannot join a slot through {}: {source}; {cure}", path.display())]
    Refused {
        /// The file that takes threads.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
        /// What to do.
        cure: &'static str,
    },
    /// The thread cannot be bound.
    #[error(
        "cannot bind a worker to CPU {cpu}: {source}; name a CPU in --slot that this process may \
         use (Cpus_allowed_list in /proc/self/status)"
    )]
    Cpu {
        /// The CPU of the slot.
        cpu: usize,
        /// What the kernel said.
        source: Errno,
    },
}

/// Have the calling thread join slot `number` of `slots`, counted from 0. Where there are not so
/// many, it stays where it is.
///
/// # Errors
/// See [`SlotError`].
pub fn join(slots: &[Slot], number: usize) -> Result<(), SlotError> {
    let Some(slot) = slots.get(number) else {
        return Ok(());
    };
    join_group(&slot.group)?;
    bind(slot.cpu).map_err(|source| SlotError::Cpu {
        cpu: slot.cpu,
        source,
    })
}

fn join_group(group: &Path) -> Result<(), SlotError> {
    let mut path = group.join(V2_THREADS);
    let mut opened = open(&path);
    if is_absent(&opened) {
        path = group.join(V1_THREADS);
        opened = open(&path);
    }
    match opened.and_then(|mut file| file.write_all(b"0")) {
        Ok(()) => Ok(()),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Err(SlotError::NoGroup {
            group: group.to_owned(),
            source,
        }),
        Err(source) => Err(SlotError::Refused {
            cure: cure(&source),
            path,
            source,
        }),
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

fn is_absent(opened: &io::Result<File>) -> bool {
    matches!(opened, Err(error) if error.kind() == io::ErrorKind::NotFound)
}

fn bind(cpu: usize) -> nix::Result<()> {
    let mut only = CpuSet::new();
    only.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &only)
}

fn cure(error: &io::Error) -> &'static str {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EACCES | Errno::EPERM | Errno::EROFS) => {
            "let this user write to the group and to the one the server was started in, or run it \
             as root"
        }
        Some(Errno::EOPNOTSUPP) => {
            "under cgroup v2, make the group threaded (cgroup.type) and start the server in the \
             group above it"
        }
        _ => "check that the group exists and takes threads, or correct --slot",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_a_cpu_and_a_folder() {
        let slot = |cpu, group: &str| {
            Ok(Slot {
                cpu,
                group: group.into(),
            })
        };
        assert_eq!("0=/a/b".parse(), slot(0, "/a/b"));
        assert_eq!("1023=a=b".parse(), slot(1023, "a=b"));
    }

    #[test]
    fn what_is_no_slot_is_refused() {
        for text in ["", "0", "=/a", "0=", "/a=0", "-1=/a", "1024=/a", "0,1=/a"] {
            assert!(text.parse::<Slot>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_thread_beyond_the_last_slot_joins_none() {
        let slots = ["0=/nowhere".parse().unwrap()];
        assert!(join(&slots, 1).is_ok());
        assert!(join(&[], 0).is_ok());
    }
}
