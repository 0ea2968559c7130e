//! Two sides by turns on one CPU: each runs until it waits, and waking the other does not interrupt it.
//!
//! Of whom is woken, the kernel lets an ordinary thread run at once where it has had less of the CPU than the
//! one that wakes it. How often sides then change depends on what both did before. Among threads that it takes
//! for batch work (`SCHED_BATCH`) it lets nobody interrupt another for being woken, and each asks for slices as
//! long as there are (100 ms), so that its clock does not interrupt them either. Kernels before 6.12 leave the
//! slice as it is: there, whoever runs for milliseconds may be interrupted. No privilege is needed for any of it.

use std::{io, time::Duration};

use anyhow::Context;
use nix::libc;

use super::cpus::{Pin, stay_on};

/// The longest that the kernel gives.
const SLICE: Duration = Duration::from_millis(100);

/// Keeps the calling thread on one CPU and by turns there, and then lets it be scheduled as it was before.
#[derive(Debug)]
pub struct Turns {
    _pin: Pin,
    before: libc::sched_attr,
}

impl Turns {
    /// The calling thread on `cpu`.
    ///
    /// # Errors
    /// The CPU may not be used, or the kernel refuses.
    pub fn on(cpu: usize) -> anyhow::Result<Self> {
        let pin = Pin::to(cpu)?;
        let before = by_turns()?;
        Ok(Self { _pin: pin, before })
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        // What the kernel has allowed before it allows again.
        let _ = set(&self.before);
    }
}

/// The calling thread on `cpu` and by turns there for good, as a worker does.
///
/// # Errors
/// The CPU may not be used, or the kernel refuses.
pub fn stay_by_turns_on(cpu: usize) -> anyhow::Result<()> {
    stay_on(cpu)?;
    by_turns().map(drop)
}

/// How it was scheduled before.
fn by_turns() -> anyhow::Result<libc::sched_attr> {
    let refused =
        "cannot have this thread scheduled as batch work; allow sched_setattr in this sandbox";
    let mut attributes = get().context(refused)?;
    // Of an ordinary thread this is the slice, and 0 the usual one.
    attributes.sched_runtime = 0;
    let before = attributes;
    attributes.sched_policy = libc::SCHED_BATCH.cast_unsigned();
    attributes.sched_runtime = u64::try_from(SLICE.as_nanos())?;
    set(&attributes).context(refused)?;
    Ok(before)
}

const THIS: libc::pid_t = 0;
const NO_FLAGS: libc::c_uint = 0;

#[allow(unsafe_code)]
fn get() -> io::Result<libc::sched_attr> {
    // SAFETY: all zeros are attributes.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    // SAFETY: the place is as long as is said, and outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sched_getattr,
            THIS,
            &raw mut attributes,
            size_of::<libc::sched_attr>(),
            NO_FLAGS,
        )
    };
    done(result).map(|()| attributes)
}

#[allow(unsafe_code)]
fn set(attributes: &libc::sched_attr) -> io::Result<()> {
    // SAFETY: attributes say themselves how long they are, and are only read, during the call.
    done(unsafe { libc::syscall(libc::SYS_sched_setattr, THIS, attributes, NO_FLAGS) })
}

fn done(result: libc::c_long) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_scheduled_afterwards_as_it_was_before() {
        let cpu = super::super::cpus::allowed().unwrap()[0];
        let before = get().unwrap();
        let turns = Turns::on(cpu).unwrap();
        let meanwhile = get().unwrap();
        assert_eq!(meanwhile.sched_policy, libc::SCHED_BATCH.cast_unsigned());
        assert_eq!(meanwhile.sched_nice, before.sched_nice);
        drop(turns);
        assert_eq!(get().unwrap().sched_policy, before.sched_policy);
    }
}
