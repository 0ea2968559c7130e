//! Messages over memory that two sides share, a ring of bytes each way: the kernel is asked only to sleep and
//! to wake.
//!
//! # Layout
//! A page of words, each on cache lines of its own. Then slots, of one direction and of the other: a slot is a mark
//! and the bytes of a short message behind it, so that one transfer of cache lines carries both the message and the
//! word of it. Then the bytes of long messages, a stream each way.
//!
//! Of each direction: how many messages were taken; how many bytes of the stream were written and read; and for
//! either side whether it sleeps. Counts only grow; a message's slot is its number modulo the slots, and a byte's
//! place its count modulo the stream's length.
//!
//! # Invariants
//! - A mark is the number of its message and the length. It is stored with Release after the bytes were copied and
//!   loaded with Acquire before the receiver touches them; the slot is the sender's again once the receiver has
//!   counted the message as taken. Old marks have other numbers.
//! - Bytes between "read" and "written" are the receiver's, all others the sender's, by the same order of
//!   Release and Acquire.
//! - Whoever goes to sleep says so, and looks once more before it does. Whoever stores a mark or a count looks after
//!   that whether the other side said so. Between the two steps of each is a full fence, so at least one sees the
//!   other, and no wake-up is lost.
//! - Each side remembers the other's count and looks at it only when that is used up: as long as there are slots,
//!   bytes or room, the cache line stays where it is.
//!
//! The mark of a message that no slot holds comes first, and its bytes go through the stream, in pieces if need be:
//! the receiver reads the first while the sender writes the next.
//!
//! # What fails
//! An end that is dropped says so in the memory, and wakes the other, which gets [`Closed`] after the last byte.
//! A process that is killed can say nothing: each side holds one of a pair of sockets (the lifeline), and the other
//! looks now and then, while it waits, whether the kernel has closed it.

mod shared;
#[cfg(test)]
mod tests;

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::atomic::Ordering::Acquire,
    time::Duration,
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use serde::{Deserialize, Serialize};

use super::shared_memory::SharedMemory;
use shared::{Direction, SHORT, Shared, Word, length};

/// Messages a direction holds.
pub const MOST_UNREAD: usize = 256;

/// Bytes of long messages that a direction holds: as many as a pipe does.
pub const CAPACITY: usize = 64 << 10;

/// Of a long message the other side is told after so many bytes.
const PIECE: usize = CAPACITY / 4;

/// How a side waits for the other. Both have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Waiting {
    /// Look for so long, then sleep. On one CPU there is no use in looking: nothing can have changed.
    Sleeping(Duration),
    /// Look for ever. Nobody ever needs to be woken.
    Spinning,
}

/// The other end was dropped, or its process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other end of a ring is closed; whoever had it has ended, see what it said")]
pub struct Closed;

/// One end.
#[derive(Debug)]
pub struct End {
    shared: Shared,
    out: Direction,
    into: Direction,
    /// Messages this side has sent, and how many of them were taken when last looked at.
    sent: u64,
    they_took: u64,
    /// Messages this side has taken.
    taken: u64,
    /// Bytes of the stream that this side has written, and told the other of.
    written: u64,
    told_written: u64,
    /// What the other side had read of them when last looked at.
    they_read: u64,
    /// Bytes this side has read, and told the other of.
    read: u64,
    told_read: u64,
    /// What the other side had written of them when last looked at.
    they_wrote: u64,
}

/// What a new ring's other end is made of, to be given to a worker: the memory, and its lifeline.
pub type Parts = [OwnedFd; 2];

impl End {
    /// A new ring's one end, and what to [`open`](Self::open) the other with.
    ///
    /// # Errors
    /// No memory or descriptors are left.
    pub fn new(waiting: Waiting) -> io::Result<(Self, Parts)> {
        let memory = SharedMemory::new(shared::BYTES)?;
        let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
        let (ours, theirs) = socketpair(family, kind, SocketFlags::CLOEXEC, None)?;
        let parts = [memory.as_fd().try_clone_to_owned()?, theirs];
        let shared = Shared {
            memory,
            lifeline: ours,
            waiting,
        };
        let (out, into) = (Direction::FROM_MAKER, Direction::FROM_OPENER);
        Ok((Self::over(shared, out, into), parts))
    }

    /// The other end. It is opened once.
    ///
    /// # Errors
    /// The first descriptor is not a ring's memory.
    pub fn open([memory, lifeline]: Parts, waiting: Waiting) -> io::Result<Self> {
        let memory = SharedMemory::open(memory)?;
        if memory.bytes() != shared::BYTES {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let shared = Shared {
            memory,
            lifeline,
            waiting,
        };
        let (out, into) = (Direction::FROM_OPENER, Direction::FROM_MAKER);
        Ok(Self::over(shared, out, into))
    }

    const fn over(shared: Shared, out: Direction, into: Direction) -> Self {
        Self {
            shared,
            out,
            into,
            sent: 0,
            they_took: 0,
            taken: 0,
            written: 0,
            told_written: 0,
            they_read: 0,
            read: 0,
            told_read: 0,
            they_wrote: 0,
        }
    }

    /// Send a message. Waits where the other side has not read enough of what was sent before.
    ///
    /// # Errors
    /// [`Closed`], and the message may have been cut.
    ///
    /// # Panics
    /// It has 4 GiB or more.
    pub fn send(&mut self, message: &[u8]) -> Result<(), Closed> {
        let length = u32::try_from(message.len()).expect("a message has less than 4 GiB");
        self.wait_for_a_slot()?;
        let mark = mark(self.sent, length);
        let place = self.out.mark(self.sent);
        let is_short = message.len() <= SHORT;
        if is_short {
            self.shared.put(self.out.short(self.sent), message);
        }
        let sleeps = self.out.word(Word::ReceiverSleeps);
        self.shared.tell(place, mark, sleeps);
        self.sent += 1;
        if !is_short {
            self.put(message)?;
            self.tell_written();
        }
        Ok(())
    }

    /// Wait for a message, which replaces what is in `message`.
    ///
    /// # Errors
    /// [`Closed`] after the last one.
    pub fn receive(&mut self, message: &mut Vec<u8>) -> Result<(), Closed> {
        let length = self.wait_for_a_mark()? as usize;
        message.resize(length, 0);
        if length <= SHORT {
            self.shared.get(self.into.short(self.taken), message);
        } else {
            self.take(message)?;
            self.tell_read();
        }
        self.taken += 1;
        let sleeps = self.into.word(Word::SenderSleeps);
        let taken = self.into.word(Word::Taken);
        self.shared.tell(taken, self.taken, sleeps);
        Ok(())
    }

    fn wait_for_a_slot(&mut self) -> Result<(), Closed> {
        while self.sent - self.they_took == MOST_UNREAD as u64 {
            let sleeps = self.out.word(Word::SenderSleeps);
            let taken = self.out.word(Word::Taken);
            self.they_took = self.shared.wait_beyond(taken, self.they_took, sleeps)?;
        }
        Ok(())
    }

    /// The length of the next message.
    fn wait_for_a_mark(&self) -> Result<u32, Closed> {
        let place = self.into.mark(self.taken);
        let mut seen = self.shared.at(place).load(Acquire);
        loop {
            if let Some(length) = length_by(seen, self.taken) {
                return Ok(length);
            }
            let sleeps = self.into.word(Word::ReceiverSleeps);
            seen = self.shared.wait_beyond(place, seen, sleeps)?;
        }
    }

    fn put(&mut self, mut bytes: &[u8]) -> Result<(), Closed> {
        while !bytes.is_empty() {
            let room = CAPACITY - length(self.written - self.they_read);
            if room == 0 {
                self.tell_written();
                let sleeps = self.out.word(Word::SenderSleeps);
                let read = self.out.word(Word::Read);
                self.they_read = self.shared.wait_beyond(read, self.they_read, sleeps)?;
                continue;
            }
            let now;
            (now, bytes) = bytes.split_at(bytes.len().min(room).min(PIECE));
            self.shared.copy_in(self.out, self.written, now);
            self.written += now.len() as u64;
            if !bytes.is_empty() {
                self.tell_written();
            }
        }
        Ok(())
    }

    fn take(&mut self, mut bytes: &mut [u8]) -> Result<(), Closed> {
        while !bytes.is_empty() {
            let there = length(self.they_wrote - self.read);
            if there == 0 {
                self.tell_read();
                let sleeps = self.into.word(Word::ReceiverSleeps);
                let written = self.into.word(Word::Written);
                self.they_wrote = self.shared.wait_beyond(written, self.they_wrote, sleeps)?;
                continue;
            }
            let (now, rest) = bytes.split_at_mut(bytes.len().min(there).min(PIECE));
            self.shared.copy_out(self.into, self.read, now);
            self.read += now.len() as u64;
            bytes = rest;
            if !bytes.is_empty() {
                self.tell_read();
            }
        }
        Ok(())
    }

    fn tell_written(&mut self) {
        if self.told_written != self.written {
            self.told_written = self.written;
            let sleeps = self.out.word(Word::ReceiverSleeps);
            self.shared
                .tell(self.out.word(Word::Written), self.written, sleeps);
        }
    }

    fn tell_read(&mut self) {
        if self.told_read != self.read {
            self.told_read = self.read;
            let sleeps = self.into.word(Word::SenderSleeps);
            self.shared
                .tell(self.into.word(Word::Read), self.read, sleeps);
        }
    }
}

/// The mark of a message that comes after so many: its number, from 1, above its length.
fn mark(before: u64, length: u32) -> u64 {
    ((before + 1) << 32) | u64::from(length)
}

/// The length that a mark tells, if it is that of a message which comes after so many.
fn length_by(mark: u64, before: u64) -> Option<u32> {
    #[allow(clippy::cast_possible_truncation, reason = "the lower half")]
    let length = mark as u32;
    (mark == self::mark(before, length)).then_some(length)
}

impl Drop for End {
    fn drop(&mut self) {
        let receiver = self.out.word(Word::ReceiverSleeps);
        let sender = self.into.word(Word::SenderSleeps);
        self.shared.close([receiver, sender]);
    }
}
