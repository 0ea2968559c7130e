//! Descriptors of our own in tokio's event loop.

use std::{io, os::fd::OwnedFd};

use tokio::io::{Interest, unix::AsyncFd};

/// Have the event loop of the calling thread tell when `descriptor` can be read.
///
/// # Errors
/// No memory is left.
#[allow(unsafe_code)]
pub fn watched(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an owned descriptor is the same open file for as long as it lives, which is as long as the
    // registration does.
    let registered = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
    registered.map_err(io::Error::from)
}
