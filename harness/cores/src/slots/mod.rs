//! Control groups with a quota, one for each worker.
//!
//! A set of slots is one group, named so that it tells whose it is ([`owner`]), with a leaf for each
//! slot. Workers join their leaf thread by thread: by writing to its `tasks` under version 1 of the
//! interface (`Documentation/admin-guide/cgroup-v1`), and to its `cgroup.threads` under version 2, where
//! leaves are threaded and the group is the domain whose processes may use them
//! (`Documentation/admin-guide/cgroup-v2.rst`, "Threads").
//!
//! Slots are without a limit until [`Slots::limit`]. They are removed when they are dropped; those of a
//! program that was killed are removed by [`clean`].

mod cgroups;
mod clean;
pub(crate) mod mounts;
mod owner;
mod reading;

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use schema::SlotPlan;

use self::mounts::Version;
pub use self::{
    cgroups::{Cgroups, Unavailable},
    clean::{Cleaned, clean},
    reading::Reading,
};
use crate::affinity::{self, BindError};

/// How long a group may take to become empty: its tasks are ending.
const EMPTY_WITHIN: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Slots could not be made, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// A file or folder of the control groups.
    #[error("cannot {what} {}: {cause}; see counters doctor", path.display())]
    Group {
        /// What was to be done.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// The kernel's reason.
        cause: io::Error,
    },
    /// A guest's thread could not be bound to its slot's CPU.
    #[error(transparent)]
    Bind(#[from] BindError),
}

/// One group and its leaves.
#[derive(Debug)]
pub struct Slots {
    version: Version,
    group: PathBuf,
    plan: SlotPlan,
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    cpu: u32,
    dir: PathBuf,
}

impl Slots {
    /// Makes a slot on each of `cpus`, as often as it is named, all without a limit yet.
    ///
    /// # Errors
    /// Where the groups cannot be made. What was made is removed again.
    pub fn make(cgroups: &Cgroups, cpus: &[u32], plan: SlotPlan) -> Result<Self, SlotError> {
        cgroups.prepare()?;
        let group = cgroups.base().join(owner::fresh_name());
        create(&group)?;
        // From here on an error drops the slots, and that removes them.
        let mut slots = Self {
            version: cgroups.version(),
            group,
            plan,
            slots: Vec::with_capacity(cpus.len()),
        };
        if slots.version == Version::Two {
            write(&slots.group.join("cgroup.subtree_control"), "+cpu")?;
        }
        for (index, &cpu) in cpus.iter().enumerate() {
            let dir = slots.group.join(index.to_string());
            create(&dir)?;
            slots.slots.push(Slot { cpu, dir });
            let dir = &slots.slots[index].dir;
            match slots.version {
                Version::One => write(
                    &dir.join("cpu.cfs_period_us"),
                    &micros(plan.period_ns).to_string(),
                )?,
                Version::Two => write(&dir.join("cgroup.type"), "threaded")?,
            }
        }
        Ok(slots)
    }

    /// The folder of a slot, whose files a worker writes its id to.
    ///
    /// # Panics
    /// Where there is no such slot.
    #[must_use]
    pub fn dir(&self, index: usize) -> &Path {
        &self.slots[index].dir
    }

    /// The CPU that a slot is a share of.
    ///
    /// # Panics
    /// Where there is no such slot.
    #[must_use]
    pub fn cpu(&self, index: usize) -> u32 {
        self.slots[index].cpu
    }

    /// The group that a server's first process has to [`join`] before its threads can join slots;
    /// nothing under version 1, where any thread can join any group.
    #[must_use]
    pub fn group(&self) -> Option<PathBuf> {
        (self.version == Version::Two).then(|| self.group.clone())
    }

    /// Moves a process, all its threads, into a slot, and binds them to its CPU.
    ///
    /// # Errors
    /// Where the kernel refuses it.
    ///
    /// # Panics
    /// Where there is no such slot.
    pub fn move_in(&self, index: usize, pid: i32) -> Result<(), SlotError> {
        let slot = &self.slots[index];
        write(&slot.dir.join("cgroup.procs"), &pid.to_string())?;
        affinity::bind_process(pid, &[slot.cpu])?;
        Ok(())
    }

    /// Puts the quota into force in every slot.
    ///
    /// # Errors
    /// Where the kernel refuses it.
    pub fn limit(&self) -> Result<(), SlotError> {
        let (quota, period) = (micros(self.plan.quota_ns), micros(self.plan.period_ns));
        self.set(&quota.to_string(), &format!("{quota} {period}"))
    }

    /// Takes the quota away from every slot.
    ///
    /// # Errors
    /// Where the kernel refuses it.
    pub fn unlimit(&self) -> Result<(), SlotError> {
        self.set("-1", &format!("max {}", micros(self.plan.period_ns)))
    }

    fn set(&self, one: &str, two: &str) -> Result<(), SlotError> {
        for slot in &self.slots {
            match self.version {
                Version::One => write(&slot.dir.join("cpu.cfs_quota_us"), one)?,
                Version::Two => write(&slot.dir.join("cpu.max"), two)?,
            }
        }
        Ok(())
    }

    /// What every slot has given so far: CPU time first, back to back, as it goes on meanwhile.
    #[must_use]
    pub fn read(&self) -> Vec<Reading> {
        let given: Vec<_> = self
            .slots
            .iter()
            .map(|slot| reading::given_ns(self.version, &slot.dir))
            .collect();
        self.slots
            .iter()
            .zip(given)
            .map(|(slot, given)| reading::read(slot.cpu, &slot.dir, given))
            .collect()
    }

    /// Removes the slots, once their tasks have ended.
    ///
    /// # Errors
    /// Where tasks stay in them.
    pub fn remove(mut self) -> Result<(), SlotError> {
        self.take_down()
    }

    fn take_down(&mut self) -> Result<(), SlotError> {
        let deadline = Instant::now() + EMPTY_WITHIN;
        while let Some(slot) = self.slots.last() {
            remove_by(&slot.dir, deadline)?;
            self.slots.pop();
        }
        let group = std::mem::take(&mut self.group);
        if group.as_os_str().is_empty() {
            return Ok(());
        }
        remove_by(&group, deadline)
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // Nobody is left to tell; the next run cleans up.
        let _ = self.take_down();
    }
}

/// Moves this process into a group, as the first of a server.
///
/// # Errors
/// Where the kernel refuses it.
pub fn join(group: &Path) -> Result<(), SlotError> {
    // 0 stands for the process that writes.
    write(&group.join("cgroup.procs"), "0")
}

fn create(path: &Path) -> Result<(), SlotError> {
    fs::create_dir(path).map_err(|cause| SlotError::Group {
        what: "make",
        path: path.to_owned(),
        cause,
    })
}

fn write(path: &Path, text: &str) -> Result<(), SlotError> {
    fs::write(path, text).map_err(|cause| SlotError::Group {
        what: "write to",
        path: path.to_owned(),
        cause,
    })
}

/// Removes a group, waiting for its tasks to end.
fn remove_by(path: &Path, deadline: Instant) -> Result<(), SlotError> {
    loop {
        match fs::remove_dir(path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error)
                if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline =>
            {
                thread::sleep(LOOK_AGAIN);
            }
            Err(cause) => {
                return Err(SlotError::Group {
                    what: "remove",
                    path: path.to_owned(),
                    cause,
                });
            }
        }
    }
}

fn micros(ns: u64) -> u64 {
    ns / 1_000
}
