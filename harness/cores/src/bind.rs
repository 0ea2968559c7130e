//! Bound to CPUs: what this process may use, and keeping to less.
//!
//! A binding is one thread's own, and passes to every thread and process that it starts
//! afterwards: bind first, then start. A program that does not bind itself is bound from outside,
//! thread by thread ([`process`]).
//!
//! What fails: CPUs that there are not, or that may not be used. A thread that ends meanwhile needs
//! no binding.

use std::collections::BTreeSet;

use nix::{
    errno::Errno,
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use procfs::process::Process;

/// CPUs could not be asked for or bound to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// The kernel does not tell which CPUs this process may use.
    #[error(
        "cannot read which CPUs this process may use: {0}; run where it has no more than 1024 CPUs"
    )]
    Allowed(Errno),
    /// No machine has that CPU.
    #[error("CPU {0} is out of range; choose one below {max}", max = CpuSet::count())]
    OutOfRange(u32),
    /// The kernel refused.
    #[error("cannot bind to CPUs {cpus:?}: {errno}; choose from those this process may use")]
    Refused {
        /// Those asked for.
        cpus: Vec<u32>,
        /// What it said.
        errno: Errno,
    },
}

/// The CPUs the calling thread may use, ascending.
///
/// # Errors
/// Where the kernel knows more CPUs than a set can hold.
pub fn allowed() -> Result<Vec<u32>, BindError> {
    let set = sched_getaffinity(Pid::from_raw(0)).map_err(BindError::Allowed)?;
    Ok((0..u32::try_from(CpuSet::count()).unwrap_or(u32::MAX))
        .filter(|&cpu| set.is_set(cpu as usize).unwrap_or(false))
        .collect())
}

/// Binds the calling thread, and what it starts from now on, to `cpus`.
///
/// # Errors
/// Where `cpus` is empty or none of them may be used.
pub fn bind(cpus: &[u32]) -> Result<(), BindError> {
    task(0, cpus)
}

/// Binds every thread of process `pid` to `cpus`, and with them what they start from now on.
///
/// # Errors
/// As [`bind`], or where the process is another user's.
pub fn process(pid: u32, cpus: &[u32]) -> Result<(), BindError> {
    let mut bound = BTreeSet::new();
    loop {
        let tasks = Process::new(pid.cast_signed()).and_then(|process| process.tasks());
        let new: Vec<i32> = tasks
            .into_iter()
            .flatten()
            .flatten()
            .map(|of| of.tid)
            .filter(|&tid| bound.insert(tid))
            .collect();
        // Until none is new: one that was not bound yet may have started another.
        if new.is_empty() {
            return Ok(());
        }
        for tid in new {
            match task(tid, cpus) {
                Err(BindError::Refused {
                    errno: Errno::ESRCH,
                    ..
                }) => {}
                other => other?,
            }
        }
    }
}

fn task(tid: i32, cpus: &[u32]) -> Result<(), BindError> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu as usize)
            .map_err(|_| BindError::OutOfRange(cpu))?;
    }
    sched_setaffinity(Pid::from_raw(tid), &set).map_err(|errno| BindError::Refused {
        cpus: cpus.to_vec(),
        errno,
    })
}

#[cfg(test)]
mod tests {
    use std::{process::Command, thread};

    use super::*;

    #[test]
    fn a_bound_thread_may_use_no_other_cpu_and_the_rest_of_the_process_still_may() {
        let before = allowed().unwrap();
        let last = *before.last().unwrap();
        let bound = thread::spawn(move || bind(&[last]).map(|()| allowed()));
        assert_eq!(bound.join().unwrap().unwrap().unwrap(), [last]);
        assert_eq!(allowed().unwrap(), before);
    }

    #[test]
    fn every_thread_of_another_process_is_bound_and_one_that_has_ended_is_passed_over() {
        let cpu = allowed().unwrap()[0];
        let mut child = Command::new("sleep").arg("infinity").spawn().unwrap();
        process(child.id(), &[cpu]).unwrap();
        let status = Process::new(child.id().cast_signed()).and_then(|child| child.status());
        let refused = process(child.id(), &[4_000_000]);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(status.unwrap().cpus_allowed_list, Some(vec![(cpu, cpu)]));
        assert_eq!(refused, Err(BindError::OutOfRange(4_000_000)));
        assert_eq!(process(child.id(), &[cpu]), Ok(()));
    }

    #[test]
    fn a_cpu_that_no_machine_has_is_named() {
        assert_eq!(bind(&[4_000_000]), Err(BindError::OutOfRange(4_000_000)));
    }

    #[test]
    fn no_cpu_at_all_is_refused() {
        let error = bind(&[]).unwrap_err();
        assert!(error.to_string().contains("choose from those"), "{error}");
    }
}
