//! Reaping: taking note of children that have ended, after which the kernel may give their pids away.

use nix::{
    errno::Errno,
    sys::wait::{WaitPidFlag, WaitStatus, waitpid},
};

/// How each child ended that has ended by now, without waiting for one.
///
/// # Errors
/// The kernel refused.
pub fn ended() -> nix::Result<Vec<WaitStatus>> {
    let mut ended = Vec::new();
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(status @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..))) => ended.push(status),
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(ended),
            Ok(_) => {}
            Err(error) => return Err(error),
        }
    }
}
