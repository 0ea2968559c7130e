//! Which CPUs the two sides of a bench run on.

use anyhow::Context;
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// The calling thread.
const THIS: Pid = Pid::from_raw(0);

/// Keeps the calling thread on one CPU, and gives it back where it might run before.
///
/// Threads made meanwhile stay on that CPU, so no pin is held while criterion calculates.
#[derive(Debug)]
pub struct Pin(CpuSet);

impl Pin {
    /// Pin the calling thread to `cpu`.
    ///
    /// # Errors
    /// The CPU is not there, or may not be used.
    pub fn to(cpu: usize) -> anyhow::Result<Self> {
        let before = sched_getaffinity(THIS).context("cannot read this thread's CPU affinity")?;
        stay_on(cpu)?;
        Ok(Self(before))
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        // It ran there before. What may have been taken away since is left alone.
        let _ = sched_setaffinity(THIS, &self.0);
    }
}

/// Pin the calling thread to `cpu` for good, as a worker does.
///
/// # Errors
/// The CPU is not there, or may not be used.
pub fn stay_on(cpu: usize) -> anyhow::Result<()> {
    let mut only = CpuSet::new();
    only.set(cpu)
        .and_then(|()| sched_setaffinity(THIS, &only))
        .with_context(|| format!("cannot run on CPU {cpu}; choose one of {:?}", allowed()))
}

/// The CPUs this thread may use, ascending.
///
/// # Errors
/// The kernel does not tell.
pub fn allowed() -> anyhow::Result<Vec<usize>> {
    let set = sched_getaffinity(THIS).context("cannot read this thread's CPU affinity")?;
    Ok((0..CpuSet::count())
        .filter(|&cpu| set.is_set(cpu).unwrap_or(false))
        .collect())
}
