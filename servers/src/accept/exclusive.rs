//! A shared listener that wakes one event loop for a connection, not all: EPOLLEXCLUSIVE.
//!
//! tokio registers what it watches without that flag, and lets nobody choose. But the kernel tells, in
//! /proc, what an epoll instance watches and what it was told to say when it reports it. So here the
//! loop is made to watch a descriptor of ours on which nothing ever happens, and the listener is added
//! to the same instance under the same name: what the kernel reports of the listener, tokio reads as
//! news of ours. An epoll instance of our own inside tokio's would not do: the kernel counts a
//! waiter as woken only if somebody waits on the very instance that has the exclusive entry.
//!
//! Among exclusive waiters the kernel wakes the first in the order of registration that is waiting
//! at that moment, and further ones only where that one was busy. So a lone connection goes to the
//! same worker again and again, and the others get what comes while it works.

use std::{
    fs, io,
    net::TcpListener,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
};

use rustix::event::{
    EventfdFlags,
    epoll::{self, EventData, EventFlags},
    eventfd,
};
use tokio::{io::unix::AsyncFd, net::TcpStream};

use super::shared::Listening;
use crate::watched::watched;

const EDGE_FOR_ONE: EventFlags = EventFlags::IN
    .union(EventFlags::ET)
    .union(EventFlags::EXCLUSIVE);

/// A listener registered with the event loop of the calling thread, exclusively.
///
/// The registration is taken back when this is dropped: the open socket outlives its descriptor here,
/// as other workers have it, and would be reported under a name that is nobody's any more.
#[derive(Debug)]
pub struct Exclusive {
    /// Gone once it is given back.
    listener: Option<TcpListener>,
    /// What tokio watches.
    beacon: AsyncFd<OwnedFd>,
    epoll: RawFd,
}

impl Exclusive {
    /// Register `listener`, which must not block.
    ///
    /// # Errors
    /// No descriptor or memory is left, or /proc is not mounted.
    pub fn new(listener: TcpListener) -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let beacon = watched(eventfd(0, flags)?)?;
        let (epoll, name) = watcher_of(beacon.as_raw_fd())?;
        let mut exclusive = Self {
            listener: None,
            beacon,
            epoll,
        };
        let data = EventData::new_u64(name);
        epoll::add(exclusive.epoll(), &listener, data, EDGE_FOR_ONE)?;
        exclusive.listener = Some(listener);
        Ok(exclusive)
    }

    /// Take the registration back.
    fn forget(&mut self) -> Option<TcpListener> {
        let listener = self.listener.take()?;
        let _ = epoll::delete(self.epoll(), listener.as_fd());
        Some(listener)
    }

    #[allow(unsafe_code)]
    fn epoll(&self) -> BorrowedFd<'_> {
        // SAFETY: it is tokio's, found open by `watcher_of`, and stays open for as long as anything is
        // registered with the runtime, as `beacon` is for as long as `self` lives.
        unsafe { BorrowedFd::borrow_raw(self.epoll) }
    }
}

impl Listening for Exclusive {
    async fn accept(&mut self) -> io::Result<TcpStream> {
        let listener = self.listener.as_ref().ok_or(io::ErrorKind::NotFound)?;
        loop {
            let mut ready = self.beacon.readable().await?;
            match rustix::net::accept_with(listener, super::FOR_EVENT_LOOPS) {
                Ok(socket) => return TcpStream::from_std(socket.into()),
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn into_std(mut self) -> io::Result<TcpListener> {
        Ok(self.forget().ok_or(io::ErrorKind::NotFound)?)
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        self.forget();
    }
}

/// The epoll instance of this process that watches `watched`, and what it says for it.
fn watcher_of(watched: RawFd) -> io::Result<(RawFd, u64)> {
    for entry in fs::read_dir("/proc/self/fdinfo")? {
        let entry = entry?;
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        // Descriptors come and go while they are listed.
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        if let (Some(number), Some(name)) = (number, name_of(watched, &text)) {
            return Ok((number, name));
        }
    }
    Err(io::Error::new(
        io::ErrorKind::NotFound,
        "no event loop is to be seen in /proc/self/fdinfo; use --wake all",
    ))
}

/// What an epoll instance, by its text in fdinfo, says for `watched`; see proc(5).
fn name_of(watched: RawFd, text: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let mut after = |label| words.find(|word| *word == label).and_then(|_| words.next());
        let descriptor: RawFd = after("tfd:")?.parse().ok()?;
        let name = after("data:")?;
        (descriptor == watched)
            .then(|| u64::from_str_radix(name, 16).ok())
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_descriptor_is_read_from_the_text_of_its_epoll() {
        let text = "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1057\n\
            tfd:        6 events: 80000019 data:                1  pos:0 ino:3e8 sdev:f\n\
            tfd:        9 events: 80002019 data:     7f5c2c000b60  pos:0 ino:421 sdev:f\n";
        assert_eq!(name_of(9, text), Some(0x7f5c_2c00_0b60));
        assert_eq!(name_of(6, text), Some(1));
        assert_eq!(name_of(7, text), None);
    }
}
