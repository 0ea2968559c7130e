//! Making a worker process: fork, and the two promises a child makes before it does anything else.

use nix::{
    sys::{prctl, signal::Signal},
    unistd::{ForkResult, Pid, fork, getpid, getppid},
};

/// Which side of a fork the caller is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forked {
    /// The primary, with the new worker's pid.
    Primary(Pid),
    /// The new worker.
    Worker,
}

/// A fork that gave no usable worker.
#[derive(Debug, thiserror::Error)]
pub enum ForkError {
    /// A second thread may hold a lock that the child would wait for in vain.
    #[error("cannot fork with {0} threads running; fork before any runtime is made")]
    Threads(u64),
    /// /proc does not tell how many threads there are.
    #[error(
        "cannot count this process's threads: {0}; mount /proc and raise the limit of open files (ulimit -n)"
    )]
    Uncounted(#[from] procfs::ProcError),
    /// The kernel made no process.
    #[error("cannot fork a worker: {0}; use fewer with --workers, or raise the limit (ulimit -u)")]
    Refused(nix::Error),
    /// Seen by the worker: it could not tie its life to the primary's.
    #[error("cannot have the kernel end this worker with its primary: {0}")]
    Untied(nix::Error),
    /// Seen by the worker: the primary ended before the worker could tie its life to it.
    #[error("the primary {0} ended while this worker began; start the cluster again")]
    Orphaned(Pid),
}

/// Word that the calling process has one thread. It stays true for as long as whoever holds it makes none.
#[derive(Debug)]
pub struct Sole(());

impl Sole {
    /// Count the threads.
    ///
    /// # Errors
    /// There are several, or /proc does not tell.
    pub fn check() -> Result<Self, ForkError> {
        let threads = procfs::process::Process::myself()?.stat()?.num_threads;
        if threads == 1 {
            Ok(Self(()))
        } else {
            Err(ForkError::Threads(threads.cast_unsigned()))
        }
    }
}

impl ForkError {
    /// Whether the worker sees it, and not the primary.
    #[must_use]
    pub const fn is_of_worker(&self) -> bool {
        matches!(self, Self::Untied(_) | Self::Orphaned(_))
    }
}

/// Fork a worker that cannot outlive the calling process: the kernel sends it SIGKILL when the
/// primary ends, however it ends.
///
/// The worker starts with the primary's signal mask and descriptors. Dropping what it holds of the
/// primary's and setting its own mask is left to the caller.
///
/// # Errors
/// See [`ForkError`]; some are returned in the worker, which then has to end.
#[allow(unsafe_code)]
pub fn fork_worker(_: &Sole) -> Result<Forked, ForkError> {
    let primary = getpid();
    // SAFETY: the process has one thread (the caller has `Sole`), so no lock is held by a thread that the
    // child would lack, and the child may go on as any process: allocate, print, start a runtime.
    match unsafe { fork() }.map_err(ForkError::Refused)? {
        ForkResult::Parent { child } => Ok(Forked::Primary(child)),
        ForkResult::Child => {
            prctl::set_pdeathsig(Signal::SIGKILL).map_err(ForkError::Untied)?;
            // The primary may have ended before the line above; then no signal will ever come, and
            // this process already has another parent.
            if getppid() == primary {
                Ok(Forked::Worker)
            } else {
                Err(ForkError::Orphaned(primary))
            }
        }
    }
}
