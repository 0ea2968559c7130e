//! Waiting on several descriptors at once where there is no runtime: in the primary of a cluster, which
//! must never have a second thread, and in the first thread of a thread pool.
//!
//! Level-triggered epoll: what is left unread is told of again. A descriptor must be forgotten before it
//! is closed, for a forked worker may still hold it open.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    time::Instant,
};

use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, Event, EventData, EventFlags},
    },
    io::Errno,
};

/// Events taken at once.
const MOST_EVENTS: usize = 256;

/// One epoll instance.
pub struct Reactor {
    epoll: OwnedFd,
    events: Vec<Event>,
}

impl Reactor {
    /// Watching nothing.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(MOST_EVENTS),
        })
    }

    /// Tell of `source` by `name` whenever it can be read or was closed by its other end.
    ///
    /// # Errors
    /// No memory is left.
    pub fn watch(&self, source: impl AsFd, name: u64) -> io::Result<()> {
        let data = EventData::new_u64(name);
        Ok(epoll::add(&self.epoll, source, data, EventFlags::IN)?)
    }

    /// Tell of `source` also when it can be written to, or no longer.
    ///
    /// # Errors
    /// It is not watched.
    pub fn watch_for_room(&self, source: impl AsFd, name: u64, wanted: bool) -> io::Result<()> {
        let mut flags = EventFlags::IN;
        flags.set(EventFlags::OUT, wanted);
        let data = EventData::new_u64(name);
        Ok(epoll::modify(&self.epoll, source, data, flags)?)
    }

    /// Tell of `source` no more.
    pub fn forget(&self, source: impl AsFd) {
        // One that is not watched is forgotten already.
        let _ = epoll::delete(&self.epoll, source);
    }

    /// Sleep until something is to be told, or until `deadline`. The names come in no order; a signal
    /// may have none come.
    ///
    /// # Errors
    /// The kernel has no memory for the call.
    pub fn wait(&mut self, deadline: Option<Instant>) -> io::Result<Vec<u64>> {
        let left = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        self.events.clear();
        let room = spare_capacity(&mut self.events);
        match epoll::wait(&self.epoll, room, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.events.iter().map(|event| event.data.u64()).collect())
    }
}

/// Whether a source is watched that is of interest only at times, as a listener is while there is a use
/// for what it has.
#[derive(Debug)]
pub struct Interest {
    name: u64,
    is_watched: bool,
}

impl Interest {
    /// In a source that is told of by `name`, and is not watched yet.
    #[must_use]
    pub const fn named(name: u64) -> Self {
        Self {
            name,
            is_watched: false,
        }
    }

    /// Watch `source` from now on, or no longer.
    ///
    /// # Errors
    /// No memory is left.
    pub fn set(&mut self, reactor: &Reactor, source: impl AsFd, wanted: bool) -> io::Result<()> {
        if wanted == self.is_watched {
            return Ok(());
        }
        if wanted {
            reactor.watch(source, self.name)?;
        } else {
            reactor.forget(source);
        }
        self.is_watched = wanted;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Write, pipe};

    use super::*;

    #[test]
    fn a_source_is_told_of_only_while_it_is_of_interest() {
        let mut reactor = Reactor::new().unwrap();
        let (reader, mut writer) = pipe().unwrap();
        writer.write_all(b"news").unwrap();
        let mut interest = Interest::named(7);
        for wanted in [true, true, false, false, true] {
            interest.set(&reactor, &reader, wanted).unwrap();
            let told = reactor.wait(Some(Instant::now())).unwrap();
            assert_eq!(told, if wanted { vec![7] } else { vec![] });
        }
    }
}
