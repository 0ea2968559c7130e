//! Waiting on descriptors where there is no event loop: in the primary of a cluster
//! and in the first thread of a thread pool.

use std::{os::fd::BorrowedFd, time::Instant};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};

/// Sleep until one of `sources` can be read or was closed by its other end, or until `deadline`.
/// Tells for each source, in order, whether it can; none can where the deadline passed first.
///
/// # Errors
/// The kernel has no memory for the call.
pub fn readable(sources: &[BorrowedFd<'_>], deadline: Option<Instant>) -> nix::Result<Vec<bool>> {
    let mut watched: Vec<PollFd<'_>> = sources
        .iter()
        .map(|&source| PollFd::new(source, PollFlags::POLLIN))
        .collect();
    // `ppoll` takes nanoseconds. `poll` would round the rest of the last millisecond down to
    // nothing and return at once, over and over.
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    match ppoll(&mut watched, left.map(TimeSpec::from), None) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error),
    }
    Ok(watched
        .iter()
        .map(|source| source.any().unwrap_or(false))
        .collect())
}

/// Sleep until `sink` can be written to or was closed by its other end; false where `deadline` passed
/// first.
///
/// # Errors
/// The kernel has no memory for the call.
pub fn writable(sink: BorrowedFd<'_>, deadline: Instant) -> nix::Result<bool> {
    let mut watched = [PollFd::new(sink, PollFlags::POLLOUT)];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match ppoll(&mut watched, Some(TimeSpec::from(left)), None) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}
