//! Waiting on several descriptors at once where there is no event loop, in the first thread of a pool, and
//! looking whether one has room.

use std::{os::fd::BorrowedFd, time::Instant};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll, ppoll},
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

/// Whether `sink` takes bytes now without waiting, or will never take any again.
#[must_use]
pub fn has_room(sink: BorrowedFd<'_>) -> bool {
    let mut watched = [PollFd::new(sink, PollFlags::POLLOUT)];
    // Where the kernel does not tell, writing will.
    poll(&mut watched, PollTimeout::ZERO).map_or(true, |ready| ready > 0)
}
