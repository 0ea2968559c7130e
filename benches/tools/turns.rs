//! Two sides by turns on one CPU: each runs until it waits, and waking the other does not interrupt it.
//!
//! Of whom is woken, the kernel lets an ordinary thread run at once where it has had less of the CPU than the
//! one that wakes it. How often sides then change depends on what both did before. Among threads that it takes
//! for batch work (`SCHED_BATCH`) it lets nobody interrupt another for being woken, so it depends on the work
//! alone. No privilege is needed for that, nor to return.

use std::io;

use anyhow::Context;
use nix::libc;

use super::cpus::{Pin, stay_on};

/// Keeps the calling thread on one CPU and by turns there, and gives it back its freedom.
#[derive(Debug)]
pub struct Turns {
    _pin: Pin,
    before: libc::c_int,
}

impl Turns {
    /// The calling thread on `cpu`.
    ///
    /// # Errors
    /// The CPU may not be used, or the kernel refuses.
    pub fn on(cpu: usize) -> anyhow::Result<Self> {
        let pin = Pin::to(cpu)?;
        let before = policy();
        schedule(libc::SCHED_BATCH)?;
        Ok(Self { _pin: pin, before })
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        let _ = schedule(self.before);
    }
}

/// The calling thread on `cpu` and by turns there for good, as a worker does.
///
/// # Errors
/// The CPU may not be used, or the kernel refuses.
pub fn stay_by_turns_on(cpu: usize) -> anyhow::Result<()> {
    stay_on(cpu)?;
    schedule(libc::SCHED_BATCH)
}

#[allow(unsafe_code)]
fn policy() -> libc::c_int {
    // SAFETY: nothing is passed; 0 is the calling thread.
    unsafe { libc::sched_getscheduler(0) }
}

#[allow(unsafe_code)]
fn schedule(policy: libc::c_int) -> anyhow::Result<()> {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the parameters are read during the call alone; 0 is the calling thread.
    if unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) } == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error()).context(
        "cannot have this thread scheduled as batch work; allow sched_setscheduler in this sandbox",
    )
}
