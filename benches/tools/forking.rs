//! Short-lived workers that a worker process forks by itself, and what it and they have used.
//!
//! For jobs that run in a process of their own: the bench has threads, so it forks nothing.
//!
//! # What fails
//! A worker that fails says why on stderr and ends with 1, which [`reap`] reports.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::{
    sys::{
        resource::{UsageWho, getrusage},
        time::TimeVal,
        wait::{WaitStatus, waitpid},
    },
    time::{ClockId, clock_gettime},
    unistd::{ForkResult, Pid, fork},
};
use servers::cluster::fork::Sole;

use super::{fork_server::end_with, metric::Spent};

/// Fork a worker that does `work` and ends. It is tied to nobody's life, so what it does has to be short.
///
/// Threads that were made and joined since the caller was found to be [`Sole`] do no harm.
///
/// # Errors
/// The kernel makes no process.
#[allow(unsafe_code)]
pub fn fork_to(_: &Sole, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Pid> {
    // SAFETY: the process has one thread, so no lock is held by a thread that the child would lack.
    let side =
        unsafe { fork() }.context("cannot fork; raise the limit of processes (ulimit -u)")?;
    match side {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => end_with(work()),
    }
}

/// Wait until `worker` has ended.
///
/// # Errors
/// It failed, or is no child of the caller's.
pub fn reap(worker: Pid) -> anyhow::Result<()> {
    loop {
        match waitpid(worker, None) {
            Ok(WaitStatus::Exited(_, 0)) => return Ok(()),
            Ok(status) => bail!("a forked worker ended with {status:?}; see what it said"),
            Err(nix::Error::EINTR) => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot wait for worker {worker}"));
            }
        }
    }
}

/// CPU time of the calling process, and of all its children that were reaped, to the microsecond.
///
/// # Errors
/// The kernel does not tell.
pub fn used() -> anyhow::Result<Duration> {
    let own = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
    let reaped = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok(Duration::from(own) + duration(reaped.user_time()) + duration(reaped.system_time()))
}

/// A usage is never negative.
fn duration(time: TimeVal) -> Duration {
    let micros = time.tv_sec() * 1_000_000 + time.tv_usec();
    Duration::from_micros(micros.cast_unsigned())
}

/// What `work` takes of the calling process and of the children that it reaps in it.
///
/// # Errors
/// Those of `work`.
pub fn spent_by(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Spent> {
    let before = used()?;
    let began = Instant::now();
    work()?;
    let wall = began.elapsed();
    let cpu = used()?.saturating_sub(before);
    Ok(Spent { wall, cpu })
}
