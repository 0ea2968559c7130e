//! A lock on a file that has no name, made before the workers.
//!
//! `flock` locks belong to an open file, not to a process or a thread, so each worker opens the file
//! for itself: then they exclude each other whether they are processes or threads. The kernel keeps
//! the line, and releases the lock when its holder's file is closed, however the holder dies.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{FlockOperation, MemfdFlags, Mode, OFlags, flock, memfd_create, open},
    io::Errno,
};

/// The file that workers lock.
///
/// # Errors
/// No descriptor or memory is left.
pub fn file() -> io::Result<OwnedFd> {
    Ok(memfd_create("accept-lock", MemfdFlags::CLOEXEC)?)
}

/// One worker's own opening of the file.
#[derive(Debug)]
pub struct FileLock(OwnedFd);

impl FileLock {
    /// Open `file` once more.
    ///
    /// # Errors
    /// No descriptor is left, or /proc is not mounted.
    pub fn of(file: &OwnedFd) -> io::Result<Self> {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let opened = open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self(opened))
    }

    /// Take the lock if nobody has it.
    #[must_use]
    pub fn try_take(&self) -> bool {
        // Whatever goes wrong, the lock is not taken.
        flock(&self.0, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    /// Give it back. Without the lock this does nothing.
    pub fn give_back(&self) {
        give_back(self.0.as_fd());
    }
}

impl From<FileLock> for OwnedFd {
    fn from(lock: FileLock) -> Self {
        lock.0
    }
}

/// Wait in the kernel for the lock of a [`FileLock`].
///
/// # Errors
/// A signal came, or the kernel has no memory for another lock.
pub fn take(lock: BorrowedFd<'_>) -> Result<(), Errno> {
    flock(lock, FlockOperation::LockExclusive)
}

/// As [`FileLock::give_back`].
pub fn give_back(lock: BorrowedFd<'_>) {
    // An open file can always be unlocked.
    let _ = flock(lock, FlockOperation::Unlock);
}
