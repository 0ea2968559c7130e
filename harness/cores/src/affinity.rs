//! Binding threads to CPUs.

use nix::{
    errno::Errno,
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

/// A thread could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot bind to CPUs {cpus:?}: {errno}; choose from those this process may use")]
pub struct BindError {
    cpus: Vec<u32>,
    errno: Errno,
}

/// Binds this thread, and what it starts from now on, to `cpus`.
///
/// # Errors
/// Where none of them may be used.
pub fn bind(cpus: &[u32]) -> Result<(), BindError> {
    bind_task(0, cpus)
}

/// Binds every thread that a process has now to `cpus`.
///
/// # Errors
/// Where none of them may be used, or the process is not ours. One that has ended is passed over.
pub fn bind_process(pid: i32, cpus: &[u32]) -> Result<(), BindError> {
    let tasks = procfs::process::Process::new(pid).and_then(|process| process.tasks());
    for task in tasks.into_iter().flatten().flatten() {
        match bind_task(task.tid, cpus) {
            Err(error) if error.errno != Errno::ESRCH => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn bind_task(tid: i32, cpus: &[u32]) -> Result<(), BindError> {
    let failed = |errno| BindError {
        cpus: cpus.to_vec(),
        errno,
    };
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu as usize).map_err(failed)?;
    }
    sched_setaffinity(Pid::from_raw(tid), &set).map_err(failed)
}
