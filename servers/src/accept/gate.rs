//! A gate in front of accept: only the worker that has passed it waits for the next connection.
//!
//! Kernels once woke every process asleep in `accept`, or let none but one sleep there safely; the
//! cure was to have them wait for a lock instead. Kernels have changed and the cure is still in use.
//! A gate has two kinds of lock, one on a file ([`super::file_lock`]) and one in shared memory
//! ([`super::mutex`]), and serves both styles. A blocking worker sleeps in the line for the lock. An
//! event loop must not, for it has connections to serve: it waits for a *bell*, among its other
//! events, and tries again.
//!
//! # The bell
//! An eventfd that all event loops watch. Who gives the lock back rings it if somebody asked for
//! that since it last rang. All who watch wake and all but one are disappointed: the herd has moved
//! from the listener to the bell, but it comes only where workers have nothing else to do.
//!
//! # Order of events
//! Make the [`SharedGate`] before there is any worker; make each worker's [`Gate`] in the worker; see
//! that [`SharedGate::free_of`] is told of every worker that died.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, atomic::Ordering::SeqCst},
};

use nix::unistd::Pid;
use rustix::event::{EventfdFlags, eventfd};
use schema::Accept;

use super::{
    file_lock::{self, FileLock},
    mutex::{self, Mutex},
    shared_words::SharedWords,
};

/// A gate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The kernel cannot wait for a mutex and for orders at once.
    #[error(
        "cannot wait for a mutex and for orders at once: {0}; use Linux 5.16 or later, or accept \
         by another policy than mutex"
    )]
    Kernel(io::Error),
    /// Something to share is missing.
    #[error(
        "cannot make what workers take turns with: {0}; mount /proc, and raise the limit of open \
         files (ulimit -n)"
    )]
    Resources(#[from] io::Error),
}

/// What all workers of a gate share, through forks too.
#[derive(Clone, Debug, Default)]
pub struct SharedGate(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    kind: Kind,
    bell: Bell,
}

#[derive(Debug)]
enum Kind {
    FileLock(OwnedFd),
    Mutex,
}

impl SharedGate {
    /// The gate of an accept policy; none, where the policy has none.
    ///
    /// # Errors
    /// See [`GateError`].
    pub fn of(accept: Accept) -> Result<Self, GateError> {
        let kind = match accept {
            Accept::FileLock => Kind::FileLock(file_lock::file()?),
            Accept::Mutex => {
                mutex::check().map_err(GateError::Kernel)?;
                Kind::Mutex
            }
            _ => return Ok(Self::default()),
        };
        let bell = Bell::new()?;
        Ok(Self(Some(Arc::new(Shared { kind, bell }))))
    }

    /// The calling thread's own way through.
    ///
    /// # Errors
    /// No descriptor is left, or /proc is not mounted.
    pub fn for_worker(&self) -> Result<Gate, GateError> {
        let Some(shared) = &self.0 else {
            return Ok(Gate::None);
        };
        let bell = shared.bell.clone();
        Ok(match &shared.kind {
            Kind::FileLock(file) => Gate::FileLock(FileLock::of(file)?, bell),
            Kind::Mutex => {
                let words = Arc::clone(&bell.words);
                Gate::Mutex(Mutex::of_this_thread(words), bell)
            }
        })
    }

    /// A worker process died, perhaps with the lock. To be told as it is reaped, so that its id is
    /// nobody else's yet.
    pub fn free_of(&self, dead: Pid) {
        if let Some(shared) = &self.0 {
            if matches!(shared.kind, Kind::Mutex) {
                Mutex::free_of(&shared.bell.words, dead);
            }
            // Whether or not somebody asked: the dead one may have seen that, and not rung.
            shared.bell.ring();
        }
    }
}

/// One worker's way through the gate.
#[derive(Debug)]
pub enum Gate {
    /// Nothing is in the way.
    None,
    /// A lock on a file.
    FileLock(FileLock, Bell),
    /// A mutex in shared memory.
    Mutex(Mutex, Bell),
}

impl Gate {
    /// Pass if nobody else is through.
    #[must_use]
    pub fn try_pass(&self) -> Option<Pass<'_>> {
        let taken = match self {
            Self::None => true,
            Self::FileLock(lock, _) => lock.try_take(),
            Self::Mutex(mutex, _) => mutex.try_take(),
        };
        // Lazily: a pass that is dropped gives the lock back.
        taken.then(|| Pass(self))
    }

    /// What rings when others may try, where anything is in the way.
    #[must_use]
    pub const fn bell(&self) -> Option<&Bell> {
        match self {
            Self::None => None,
            Self::FileLock(_, bell) | Self::Mutex(_, bell) => Some(bell),
        }
    }
}

/// Held by the worker that is through.
#[derive(Debug)]
pub struct Pass<'a>(&'a Gate);

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        match self.0 {
            Gate::None => return,
            Gate::FileLock(lock, _) => lock.give_back(),
            Gate::Mutex(mutex, _) => mutex.give_back(),
        }
        if let Some(bell) = self.0.bell() {
            bell.ring_if_wanted();
        }
    }
}

/// Tells event loops that the lock was given back.
#[derive(Clone, Debug)]
pub struct Bell {
    words: Arc<SharedWords>,
    eventfd: Arc<OwnedFd>,
}

impl Bell {
    fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self {
            words: Arc::new(SharedWords::new()?),
            eventfd: Arc::new(eventfd(0, flags)?),
        })
    }

    /// What an event loop watches. Every ring is an event of its own, and nobody reads it.
    #[must_use]
    pub fn eventfd(&self) -> BorrowedFd<'_> {
        self.eventfd.as_fd()
    }

    /// Have it rung when the lock is given back next. To be asked before the lock is tried: it may
    /// have been given back since it was tried last.
    pub fn ask(&self) {
        self.words.wanted.store(1, SeqCst);
    }

    fn ring_if_wanted(&self) {
        if self.words.wanted.swap(0, SeqCst) == 1 {
            self.ring();
        }
    }

    fn ring(&self) {
        // It fails when the counter is full, after more rings than there is time for.
        let _ = rustix::io::write(&self.eventfd, &1_u64.to_ne_bytes());
    }
}
