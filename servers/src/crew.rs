//! The workers of a primary: which there are, what seats they have, how far they have come, which
//! have died.
//!
//! A seat is a worker's place among the others, a number from 0. It outlives the worker, for its
//! successor takes it; no two workers have the same at a time.
//!
//! A worker is ready when it writes a byte into the pipe it was born with. One that dies first
//! closes it unwritten.

use std::{
    collections::BTreeMap,
    io::{self, PipeReader, PipeWriter, Read, Write},
    os::fd::AsFd,
    time::Instant,
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::{
    fork::{ForkError, Forked, fork_worker},
    poll, say,
    signals::Signals,
};

/// A worker's word to its primary that it accepts connections.
#[derive(Debug)]
pub struct Readiness(PipeWriter);

impl Readiness {
    /// Give the word. A primary that is gone takes this worker with it, so failure means nothing.
    pub fn announce(mut self) {
        let _ = self.0.write_all(&[1]);
    }
}

/// How far a worker has come.
#[derive(Debug)]
enum Stage {
    /// It has not spoken yet.
    Starting(PipeReader),
    /// It accepts connections.
    Ready,
    /// It closed its pipe without a word; the kernel will report its death.
    Failed,
}

impl Stage {
    /// Read the pipe, which must be readable or closed, and say where that leaves the worker.
    fn listen(self) -> Self {
        match self {
            Self::Starting(mut pipe) => match pipe.read(&mut [0]) {
                Ok(1) => Self::Ready,
                _ => Self::Failed,
            },
            heard => heard,
        }
    }
}

#[derive(Debug)]
struct Member {
    seat: usize,
    stage: Stage,
}

/// A worker that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    /// Its pid, which is free for others from now on.
    pub worker: Pid,
    /// The seat it leaves to its successor.
    pub seat: usize,
    /// Whether it ever accepted connections.
    pub was_ready: bool,
}

/// What the signals that have come amount to.
#[derive(Debug, Default)]
pub struct News {
    /// The operator wants the cluster to stop.
    pub stop: bool,
    /// Workers that ended. Where `stop` is false, none of them was told to.
    pub deaths: Vec<Death>,
}

/// Why workers could not be made or heard.
#[derive(Debug, thiserror::Error)]
pub enum CrewError {
    /// No worker can be made.
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// No pipe for a worker's readiness.
    #[error("cannot open a pipe to a worker: {0}; raise the limit of open files (ulimit -n)")]
    Pipe(io::Error),
    /// Waiting for signals or workers failed.
    #[error("cannot wait for workers and signals: {0}; free memory or raise its limit")]
    Wait(#[from] nix::Error),
}

/// All workers that have not been seen to end.
#[derive(Debug)]
pub struct Crew {
    signals: Signals,
    workers: BTreeMap<Pid, Member>,
}

impl Crew {
    /// Nobody yet. `signals` must take SIGCHLD.
    #[must_use]
    pub const fn new(signals: Signals) -> Self {
        Self {
            signals,
            workers: BTreeMap::new(),
        }
    }

    /// Workers that have not been seen to end.
    #[must_use]
    pub fn count(&self) -> usize {
        self.workers.len()
    }

    /// Whether every worker accepts connections.
    #[must_use]
    pub fn all_ready(&self) -> bool {
        self.workers
            .values()
            .all(|member| matches!(member.stage, Stage::Ready))
    }

    /// Fork a worker for a seat that nobody has. In the worker itself, and only there, the result is
    /// its [`Readiness`].
    ///
    /// # Errors
    /// There is no descriptor or no process left; some errors of the fork are seen by the worker.
    pub fn add(&mut self, seat: usize) -> Result<Option<Readiness>, CrewError> {
        let (reader, writer) = io::pipe().map_err(CrewError::Pipe)?;
        match fork_worker()? {
            Forked::Worker => Ok(Some(Readiness(writer))),
            Forked::Primary(worker) => {
                // Here the writer is dropped. The worker holds the only other one, so its death
                // closes the pipe.
                let stage = Stage::Starting(reader);
                self.workers.insert(worker, Member { seat, stage });
                Ok(None)
            }
        }
    }

    /// Send `signal` to every worker. No pid can have passed to a stranger: only reaping frees it.
    pub fn signal(&self, signal: Signal) {
        for &worker in self.workers.keys() {
            // A worker that has ended but was not reaped takes signals without effect.
            let _ = kill(worker, signal);
        }
    }

    /// Sleep until a signal came, a starting worker spoke or fell silent, or `deadline` passed.
    /// Tells how many workers became ready.
    ///
    /// # Errors
    /// As [`poll::readable`].
    pub fn wait(&mut self, deadline: Option<Instant>) -> Result<u32, CrewError> {
        let (starting, pipes): (Vec<Pid>, Vec<_>) = self
            .workers
            .iter()
            .filter_map(|(&worker, member)| match &member.stage {
                Stage::Starting(pipe) => Some((worker, pipe.as_fd())),
                Stage::Ready | Stage::Failed => None,
            })
            .unzip();
        let sources: Vec<_> = pipes.into_iter().chain([self.signals.as_fd()]).collect();
        let readable = poll::readable(&sources, deadline)?;

        let mut became_ready = 0;
        for (worker, _) in starting.iter().zip(readable).filter(|&(_, spoke)| spoke) {
            if let Some(Member { seat, stage }) = self.workers.remove(worker) {
                let stage = stage.listen();
                if matches!(stage, Stage::Ready) {
                    say::line(format_args!("Worker {worker} started"));
                    became_ready += 1;
                }
                self.workers.insert(*worker, Member { seat, stage });
            }
        }
        Ok(became_ready)
    }

    /// Take all signals that have come, and reap all workers that have ended.
    ///
    /// A Ctrl-C ends workers too, and they must not be taken for dead ones to replace. The kernel
    /// signals a process group under a lock that an exiting process needs to become reapable, so
    /// once a worker that ended of a signal to the group can be reaped, the primary's own copy of
    /// that signal is pending. Hence signals are read once more after every reaping.
    ///
    /// # Errors
    /// The kernel failed to read its own descriptor.
    pub fn news(&mut self) -> Result<News, CrewError> {
        let mut news = News::default();
        loop {
            let pending = self.signals.pending()?;
            news.stop |= pending.stop;
            if !pending.child {
                return Ok(news);
            }
            self.reap(&mut news.deaths)?;
        }
    }

    fn reap(&mut self, deaths: &mut Vec<Death>) -> Result<(), CrewError> {
        loop {
            let worker = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(worker, _) | WaitStatus::Signaled(worker, _, _)) => worker,
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(()),
                Ok(_) => continue,
                Err(error) => return Err(error.into()),
            };
            // A child from before the exec that made this process a primary is no worker.
            if let Some(Member { seat, stage }) = self.workers.remove(&worker) {
                deaths.push(Death {
                    worker,
                    seat,
                    was_ready: matches!(stage.listen(), Stage::Ready),
                });
            }
        }
    }
}
