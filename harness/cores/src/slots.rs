//! Emulated cores: one cgroup for each worker, with a quota of CPU time.
//!
//! # Order of events
//! [`Cgroups::here`] finds where groups can be made and proves it by making one. [`Slots::make`]
//! makes a group of this process's own with a leaf for each slot; they have no quota yet. The server
//! starts, its first process in [`Slots::group`] before it has threads ([`join`]; or [`Slots::enter`]
//! brings it there later), so that they can join leaves. Workers join the leaves that they are told
//! ([`Slots::dir`]) and bind themselves to the slot's CPU; [`Slots::move_in`] does both for a program
//! that knows of none. After the warm-up [`Slots::limit`] sets the quotas,
//! [`Slots::read`] is called as the window opens and as it closes, and [`Reading::since`] is what
//! each slot gave between. When the server has ended, [`Slots::remove`] removes the groups; so does
//! dropping, without saying what failed.
//!
//! # Whose groups these are
//! A group's name is the mark of its owner: pid namespace, pid, start time. [`clean()`] removes what
//! owners left behind that were killed, and nothing else.
//!
//! # The two versions
//! Under v1 (Documentation/admin-guide/cgroup-v1) a thread joins any group by itself. Under v2
//! (Documentation/admin-guide/cgroup-v2.rst, "Threads") leaves must be threaded, and a thread moves
//! only within its threaded domain, which its process has to be in:
//! - Where this process's own group offers `cpu`, our group is a threaded child of it. A group with
//!   processes can give controllers to its children only as a threaded domain, which is no place
//!   for children that are domains themselves. What this process starts is in the domain already;
//!   our group is a place in it like any other.
//! - Else our group is a domain below the nearest ancestor that gives `cpu` to its children. It
//!   holds the server's processes, and may, although it has children with a controller: a threaded
//!   domain is exempt from the rule against processes in inner groups, as `cpu` is a threaded
//!   controller. To move a process there takes the right to write `cgroup.procs` of the ancestor.
//!
//! # What fails
//! Rights, above all: [`Unavailable`] says which, and the cure. A limit above that is less than all
//! quotas together: v1 compares it with each quota alone and v2 with none, so [`Slots::limit`] does.
//! A slot's group can be removed only when its tasks have ended.

mod clean;
mod error;
mod find;
mod mark;
mod reading;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;
mod tree;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use schema::SlotPlan;

use self::{
    clean::remove_group,
    find::Layout,
    mark::Mark,
    reading::Meter,
    tree::{Kernel, Tree as _},
};
pub use self::{
    clean::{Cleaned, clean},
    error::{SlotError, Unavailable},
    find::Cgroups,
    reading::Reading,
};
use crate::{bind, limits};

/// How long removal waits for tasks that have been killed and are not gone yet.
const PATIENCE: Duration = Duration::from_secs(2);

/// A group with a leaf for each slot. They exist as long as this value.
#[derive(Debug)]
pub struct Slots {
    cgroups: Cgroups,
    group: PathBuf,
    slots: Vec<Slot>,
    plan: SlotPlan,
    meter: Meter,
    removed: bool,
}

/// One emulated core.
#[derive(Debug)]
struct Slot {
    cpu: u32,
    dir: PathBuf,
}

impl Slots {
    /// Makes a slot for each of `cpus`, a share of that CPU, without a quota as yet.
    ///
    /// # Errors
    /// Where the kernel refuses a group. What was made until then is removed.
    pub fn make(cgroups: &Cgroups, cpus: &[u32], plan: SlotPlan) -> Result<Self, SlotError> {
        let group = cgroups.home.join(Mark::next()?.to_string());
        let tree = &cgroups.tree;
        if cgroups.layout == Layout::V2Threaded {
            // Not undone when the slots go: others may have come to rely on it.
            tree.write(&cgroups.home.join(SUBTREE_CONTROL), "+cpu")?;
        }
        tree.make(&group)?;
        let mut made = Self {
            cgroups: cgroups.clone(),
            group,
            slots: Vec::with_capacity(cpus.len()),
            plan,
            meter: Meter::Tasks,
            removed: false,
        };
        if cgroups.layout == Layout::V2Threaded {
            // First of all: a new group below a threaded domain is invalid until it is threaded.
            tree.write(&made.group.join(TYPE), "threaded")?;
        }
        if cgroups.layout.is_v2() {
            tree.write(&made.group.join(SUBTREE_CONTROL), "+cpu")?;
        }
        for (number, &cpu) in cpus.iter().enumerate() {
            let dir = made.group.join(number.to_string());
            tree.make(&dir)?;
            if cgroups.layout.is_v2() {
                tree.write(&dir.join(TYPE), "threaded")?;
            }
            made.slots.push(Slot { cpu, dir });
        }
        made.meter = Meter::of(cgroups.layout, &made.slots)?;
        Ok(made)
    }

    /// How many slots there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// True where there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The group of slot `i`, which its worker joins by writing to `cgroup.threads` (v2) or `tasks`
    /// (v1) there.
    ///
    /// # Panics
    /// Where there is no slot `i`.
    #[must_use]
    pub fn dir(&self, i: usize) -> &Path {
        &self.slots[i].dir
    }

    /// The CPU that slot `i` is a share of.
    ///
    /// # Panics
    /// Where there is no slot `i`.
    #[must_use]
    pub fn cpu(&self, i: usize) -> u32 {
        self.slots[i].cpu
    }

    /// Quota and period, as [`Self::limit`] sets them.
    #[must_use]
    pub fn plan(&self) -> SlotPlan {
        self.plan
    }

    /// The group that a server's first process has to be in so that its threads, and those of all
    /// that it starts, may join slots; see [`join`]. None under v1, where they may anyhow.
    #[must_use]
    pub fn group(&self) -> Option<&Path> {
        self.cgroups.layout.is_v2().then_some(self.group.as_path())
    }

    /// Lets the threads of process `pid`, and of those that it starts from now on, join slots. Under
    /// v1 they may without.
    ///
    /// # Errors
    /// Where the process has ended, or the kernel does not let it be moved.
    pub fn enter(&self, pid: u32) -> Result<(), SlotError> {
        if self.cgroups.layout.is_v2() {
            self.move_to(&self.group, pid)?;
        }
        Ok(())
    }

    /// Moves process `pid`, all its threads, into slot `i`, and binds them to its CPU.
    ///
    /// # Errors
    /// As [`Self::enter`], or where the CPU may not be used.
    ///
    /// # Panics
    /// Where there is no slot `i`.
    pub fn move_in(&self, i: usize, pid: u32) -> Result<(), SlotError> {
        let Slot { cpu, dir } = &self.slots[i];
        // The group first: threads begin in that of their maker, and with its CPUs.
        self.move_to(dir, pid)?;
        bind::process(pid, &[*cpu]).map_err(SlotError::Bind)
    }

    fn move_to(&self, group: &Path, pid: u32) -> Result<(), SlotError> {
        let tree = &self.cgroups.tree;
        tree.write(&group.join("cgroup.procs"), &pid.to_string())
    }

    /// Gives every slot its quota. A period begins as a slot's task next runs.
    ///
    /// # Errors
    /// Where a cgroup above allows less than all quotas together, or the kernel refuses.
    pub fn limit(&self) -> Result<(), SlotError> {
        let share = self.plan.quota_ns as f64 / self.plan.period_ns.max(1) as f64;
        let wanted = share * self.slots.len() as f64;
        if let Some(limit) = limits::above(&self.cgroups.home).filter(|of| of.cpus < wanted) {
            return Err(SlotError::TooLittle { wanted, limit });
        }
        let tree = &self.cgroups.tree;
        let (quota_us, period_us) = (self.plan.quota_ns / 1_000, self.plan.period_ns / 1_000);
        for Slot { dir, .. } in &self.slots {
            if self.cgroups.layout.is_v2() {
                tree.write(&dir.join("cpu.max"), &format!("{quota_us} {period_us}"))?;
            } else {
                // In this order: the quota is checked against the period that is there.
                tree.write(&dir.join("cpu.cfs_period_us"), &period_us.to_string())?;
                tree.write(&dir.join("cpu.cfs_quota_us"), &quota_us.to_string())?;
            }
        }
        Ok(())
    }

    /// Takes the quotas away again: workers run at full speed.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn unlimit(&self) -> Result<(), SlotError> {
        let (file, none) = if self.cgroups.layout.is_v2() {
            ("cpu.max", "max")
        } else {
            ("cpu.cfs_quota_us", "-1")
        };
        for Slot { dir, .. } in &self.slots {
            self.cgroups.tree.write(&dir.join(file), none)?;
        }
        Ok(())
    }

    /// Reads every slot, in order: first the CPU time of all, back to back, as that is what is
    /// compared between slots, then the rest.
    ///
    /// # Errors
    /// Where a slot is gone.
    pub fn read(&self) -> Result<Vec<Reading>, SlotError> {
        self.meter.read(&self.slots)
    }

    /// Removes the groups, after a wait of at most 2 s for killed tasks to be gone.
    ///
    /// # Errors
    /// Where tasks live on in them, and which; or the kernel refuses.
    pub fn remove(mut self) -> Result<(), SlotError> {
        self.removed = true;
        remove_group(&self.cgroups, &self.group, PATIENCE)
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        if !self.removed {
            // Nobody is left to be told. What remains, the next `clean` finds.
            let _ = remove_group(&self.cgroups, &self.group, PATIENCE);
        }
    }
}

/// Moves this process into [`Slots::group`], as the first of a server: what it starts is there too.
///
/// # Errors
/// Where the group is gone, or the kernel does not let this process in.
pub fn join(group: &Path) -> Result<(), SlotError> {
    // 0 stands for the process that writes.
    Kernel.write(&group.join("cgroup.procs"), "0")
}

/// v2: which controllers a group gives to its children.
const SUBTREE_CONTROL: &str = "cgroup.subtree_control";

/// v2: whether a group is threaded.
const TYPE: &str = "cgroup.type";
