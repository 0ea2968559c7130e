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

use super::{CAPACITY, Closed, Waiting};
use crate::tools::shared_memory::SharedMemory;

/// The length of the memory.
pub const BYTES: usize = HEADER + 2 * CAPACITY;

/// The page of words.
const HEADER: usize = 4096;

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
        (self.0 * 4 + word as usize) * APART
    }

    const fn bytes(self) -> usize {
        HEADER + self.0 * CAPACITY
    }
}

/// Whether either end is closed: behind the words of both directions.
const CLOSED: usize = 8 * APART;

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
    fn at(&self, place: usize) -> &AtomicU64 {
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
    #[allow(unsafe_code)]
    pub fn copy_in(&self, direction: Direction, count: u64, bytes: &[u8]) {
        let (offset, first) = parts(count, bytes.len());
        // SAFETY: both parts lie within the direction's bytes, which lie within the mapping, and by the
        // invariants they are the sender's: the receiver does not touch them before it has seen a count
        // that is stored after this.
        unsafe {
            let start = self.start_of(direction);
            ptr::copy_nonoverlapping(bytes.as_ptr(), start.add(offset), first);
            ptr::copy_nonoverlapping(bytes[first..].as_ptr(), start, bytes.len() - first);
        }
    }

    /// Copy the receiver's bytes from where they lie from `count` on. They were written.
    #[allow(unsafe_code)]
    pub fn copy_out(&self, direction: Direction, count: u64, bytes: &mut [u8]) {
        let (offset, first) = parts(count, bytes.len());
        let length = bytes.len();
        // SAFETY: as above, the other way round: they are the receiver's until it stores its count.
        unsafe {
            let start = self.start_of(direction);
            ptr::copy_nonoverlapping(start.add(offset), bytes.as_mut_ptr(), first);
            ptr::copy_nonoverlapping(start, bytes[first..].as_mut_ptr(), length - first);
        }
    }

    #[allow(unsafe_code)]
    fn start_of(&self, direction: Direction) -> *mut u8 {
        // SAFETY: the mapping is as long as header and both directions, which was seen to as it was opened.
        unsafe { self.memory.start().as_ptr().add(direction.bytes()) }
    }
}

/// Where `bytes` bytes from `count` on begin, and how many of them come before the ring's end.
fn parts(count: u64, bytes: usize) -> (usize, usize) {
    let offset = length(count % CAPACITY as u64);
    (offset, bytes.min(CAPACITY - offset))
}
