//! The memory that both ends of a ring share, and how they wait in it.

use std::{
    hint::spin_loop,
    os::fd::{AsFd, OwnedFd},
    ptr,
    sync::atomic::{
        AtomicU32, AtomicU64,
        Ordering::{Acquire, Relaxed, Release, SeqCst},
        fence,
    },
    time::{Duration, Instant},
};

use rustix::{event::Timespec, io::Errno, thread::futex};
use servers::poll;

use super::{CAPACITY, Closed, MOST_UNREAD, Waiting};
use crate::tools::shared_memory::SharedMemory;

/// The length of the memory.
pub const BYTES: usize = STREAMS + 2 * CAPACITY;

/// Where slots begin, behind the page of words.
const SLOTS: usize = 4096;

/// Where the bytes of long messages begin.
const STREAMS: usize = SLOTS + 2 * MOST_UNREAD * SLOT;

/// A slot is two cache lines, as processors fetch them in pairs.
const SLOT: usize = 128;

/// Its mark.
const MARK: usize = size_of::<u64>();

/// Longest message that a slot carries.
pub const SHORT: usize = SLOT - MARK;

/// From one word to the next, in bytes: two cache lines, as processors fetch them in pairs.
const APART: usize = 128;

/// Looks at a count before anything else is looked at.
const LOOKS: u32 = 64;

/// A sleeper looks after its lifeline so often.
const LIFELINE: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// Whoever never sleeps looks after its lifeline once in so many times [`LOOKS`].
const ROUNDS: u32 = 1 << 14;

const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;

/// The words of one direction.
#[derive(Clone, Copy, Debug)]
pub enum Word {
    Written,
    Read,
    Taken,
    ReceiverSleeps,
    SenderSleeps,
}

/// One direction, from either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction(usize);

impl Direction {
    /// Of whoever made the ring, and of whoever opened it.
    pub const FROM_MAKER: Self = Self(0);
    pub const FROM_OPENER: Self = Self(1);

    pub const fn word(self, word: Word) -> usize {
        (self.0 * 5 + word as usize) * APART
    }

    /// The mark of the slot of a message, by how many were sent before it.
    pub fn mark(self, before: u64) -> usize {
        let slot = length(before % MOST_UNREAD as u64);
        SLOTS + (self.0 * MOST_UNREAD + slot) * SLOT
    }

    /// The bytes of a message, if it is short, behind its mark.
    pub fn short(self, before: u64) -> usize {
        self.mark(before) + MARK
    }

    const fn bytes(self) -> usize {
        STREAMS + self.0 * CAPACITY
    }
}

/// Whether either end is closed: behind the words of both directions.
const CLOSED: usize = 10 * APART;

/// There is never more in a direction than it holds.
pub fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// What both ends have, and how they wait. Places of words are in bytes from the beginning.
#[derive(Debug)]
pub struct Shared {
    pub memory: SharedMemory,
    pub lifeline: OwnedFd,
    pub waiting: Waiting,
}

impl Shared {
    /// The word at a place.
    pub fn at(&self, place: usize) -> &AtomicU64 {
        &self.memory.words()[place / size_of::<AtomicU64>()]
    }

    fn sleeper(&self, place: usize) -> &AtomicU32 {
        &self.memory.futexes()[place / size_of::<AtomicU32>()]
    }

    /// Let neither side wait for the other any more; `sleeping` are where the other may sleep.
    pub fn close(&self, sleeping: [usize; 2]) {
        self.at(CLOSED).store(1, Release);
        fence(SeqCst);
        for sleeps in sleeping {
            self.wake(sleeps);
        }
    }

    /// Store a count, and wake the other side if it sleeps until that.
    pub fn tell(&self, place: usize, count: u64, sleeps: usize) {
        self.at(place).store(count, Release);
        if self.waiting != Waiting::Spinning {
            fence(SeqCst);
            if self.sleeper(sleeps).load(Relaxed) == ASLEEP {
                self.wake(sleeps);
            }
        }
    }

    fn wake(&self, sleeps: usize) {
        if self.sleeper(sleeps).swap(AWAKE, Relaxed) == ASLEEP {
            // The word is there, so this is not refused.
            let _ = futex::wake(self.sleeper(sleeps), futex::Flags::empty(), 1);
        }
    }

    /// Wait until a count is no longer what was `seen` of it. What it then is.
    pub fn wait_beyond(&self, place: usize, seen: u64, sleeps: usize) -> Result<u64, Closed> {
        let count = self.at(place);
        let looks = match self.waiting {
            Waiting::Sleeping(Duration::ZERO) => 1,
            _ => LOOKS,
        };
        let mut began = None;
        let mut rounds = 0_u32;
        loop {
            for _ in 0..looks {
                let now = count.load(Acquire);
                if now != seen {
                    return Ok(now);
                }
                spin_loop();
            }
            if self.is_closed() {
                // It was closed after the last count was stored.
                let now = count.load(Acquire);
                return if now == seen { Err(Closed) } else { Ok(now) };
            }
            match self.waiting {
                Waiting::Spinning => {
                    rounds = rounds.wrapping_add(1);
                    if rounds.is_multiple_of(ROUNDS) {
                        self.look_after_lifeline();
                    }
                }
                Waiting::Sleeping(patience) => {
                    if began.get_or_insert_with(Instant::now).elapsed() >= patience {
                        self.sleep(count, seen, sleeps);
                    }
                }
            }
        }
    }

    fn sleep(&self, count: &AtomicU64, seen: u64, sleeps: usize) {
        let word = self.sleeper(sleeps);
        word.store(ASLEEP, Relaxed);
        fence(SeqCst);
        if count.load(Acquire) == seen && !self.is_closed() {
            let slept = futex::wait(word, futex::Flags::empty(), ASLEEP, Some(&LIFELINE));
            if slept == Err(Errno::TIMEDOUT) {
                self.look_after_lifeline();
            }
        }
        word.store(AWAKE, Relaxed);
    }

    fn is_closed(&self) -> bool {
        self.at(CLOSED).load(Acquire) != 0
    }

    /// Close the ring where the other side has ended without having done so.
    fn look_after_lifeline(&self) {
        // Nobody writes to it, so it is readable only where it is closed.
        let closed = poll::readable(&[self.lifeline.as_fd()], Some(Instant::now()));
        if closed.is_ok_and(|closed| closed == [true]) {
            self.at(CLOSED).store(1, Release);
        }
    }

    /// Copy the sender's bytes to where they belong from `count` on, a piece for which there is room.
    pub fn copy_in(&self, direction: Direction, count: u64, bytes: &[u8]) {
        let (offset, first) = parts(count, bytes.len());
        self.put(direction.bytes() + offset, &bytes[..first]);
        self.put(direction.bytes(), &bytes[first..]);
    }

    /// Copy the receiver's bytes from where they lie from `count` on. They were written.
    pub fn copy_out(&self, direction: Direction, count: u64, bytes: &mut [u8]) {
        let (offset, first) = parts(count, bytes.len());
        let (first, rest) = bytes.split_at_mut(first);
        self.get(direction.bytes() + offset, first);
        self.get(direction.bytes(), rest);
    }

    /// Copy the sender's bytes to a place that is the sender's now.
    #[allow(unsafe_code)]
    pub fn put(&self, place: usize, bytes: &[u8]) {
        assert!(place + bytes.len() <= BYTES, "{place} is outside of a ring");
        // SAFETY: the place lies within the mapping, which is as long as was seen to when it was opened. By the
        // invariants it is the sender's: the receiver does not touch it before it has seen a mark or a count
        // that is stored after this.
        unsafe {
            let to = self.memory.start().as_ptr().add(place);
            ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        }
    }

    /// Copy bytes from a place that is the receiver's now. They were written.
    #[allow(unsafe_code)]
    pub fn get(&self, place: usize, bytes: &mut [u8]) {
        assert!(place + bytes.len() <= BYTES, "{place} is outside of a ring");
        // SAFETY: as above, the other way round: it is the receiver's until it stores its count.
        unsafe {
            let from = self.memory.start().as_ptr().add(place);
            ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len());
        }
    }
}

/// Where `bytes` bytes from `count` on begin, and how many of them come before the ring's end.
fn parts(count: u64, bytes: usize) -> (usize, usize) {
    let offset = length(count % CAPACITY as u64);
    (offset, bytes.min(CAPACITY - offset))
}
