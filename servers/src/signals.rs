//! Signals read from a descriptor like any other input, where there is no runtime: in the primary of
//! a cluster, in the first thread of a thread pool, and in [`crate::floor`].
//!
//! A blocked signal waits in the kernel until it is read through signalfd: nothing is interrupted,
//! nothing runs in a handler, and nothing that came before anyone looked is lost. Blocked signals
//! are also delivered where the parent had them ignored, as a shell does with SIGINT for `server &`.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};

/// Signals taken in place of their default action.
#[derive(Debug)]
pub struct Signals(SignalFd);

/// What came since the last look. The kernel merges a signal that comes twice before it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the kernel's own set of them is as flat"
)]
pub struct Pending {
    /// SIGTERM or SIGINT.
    pub stop: bool,
    /// SIGCHLD: a child ended, perhaps several.
    pub child: bool,
    /// SIGHUP: replace every worker.
    pub reload: bool,
    /// SIGTTIN: one worker more.
    pub more: bool,
    /// SIGTTOU: one worker less.
    pub less: bool,
}

impl Signals {
    /// Block `taken` and nothing else for the calling thread, and for every thread and process that
    /// it makes later; from now on they are read here.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn take(taken: &[Signal]) -> nix::Result<Self> {
        let set: SigSet = taken.iter().copied().collect();
        set.thread_set_mask()?;
        SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map(Self)
    }

    /// Take every signal that has come so far, without waiting.
    ///
    /// # Errors
    /// The kernel failed to read its own descriptor.
    pub fn pending(&self) -> nix::Result<Pending> {
        let mut pending = Pending::default();
        while let Some(info) = self.0.read_signal()? {
            match i32::try_from(info.ssi_signo).map(Signal::try_from) {
                Ok(Ok(Signal::SIGTERM | Signal::SIGINT)) => pending.stop = true,
                Ok(Ok(Signal::SIGCHLD)) => pending.child = true,
                Ok(Ok(Signal::SIGHUP)) => pending.reload = true,
                Ok(Ok(Signal::SIGTTIN)) => pending.more = true,
                Ok(Ok(Signal::SIGTTOU)) => pending.less = true,
                _ => {}
            }
        }
        Ok(pending)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
