//! Messages over memory that two sides share, a ring of bytes each way: the kernel is asked only to sleep and
//! to wake.
//!
//! # Layout
//! A page of words, each on cache lines of its own, then the bytes of one direction, then of the other. Of each
//! direction: how many bytes were written in all, how many were read, and for either side whether it sleeps.
//! Counts only grow; a byte's place is its count modulo the ring's length.
//!
//! # Invariants
//! - Bytes between "read" and "written" are the receiver's, all others the sender's. Either count is stored with
//!   Release after the bytes were copied and loaded with Acquire before the other side touches them.
//! - Whoever goes to sleep says so, and looks once more before it does. Whoever stores a count looks after that
//!   whether the other side said so. Between the two steps of each is a full fence, so at least one sees the
//!   other, and no wake-up is lost.
//! - Each side remembers the other's count and looks at it only when that is used up: as long as there are
//!   bytes or room, the cache line stays where it is.
//!
//! A message is its length (4 bytes) and its bytes. A longer one than the ring goes through it in pieces, and
//! the receiver reads the first while the sender writes the next.
//!
//! # What fails
//! An end that is dropped says so in the memory, and wakes the other, which gets [`Closed`] after the last byte.
//! A process that is killed can say nothing: each side holds one of a pair of sockets (the lifeline), and the other
//! looks now and then, while it waits, whether the kernel has closed it.

use std::{
    hint::spin_loop,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr,
    sync::atomic::{
        AtomicU32, AtomicU64,
        Ordering::{Acquire, Relaxed, Release, SeqCst},
        fence,
    },
    time::{Duration, Instant},
};

use rustix::{
    event::Timespec,
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    thread::futex,
};
use serde::{Deserialize, Serialize};
use servers::poll;

use super::shared_memory::SharedMemory;

/// Bytes a direction holds: as many as a pipe does.
pub const CAPACITY: usize = 64 << 10;

/// Of a long message the other side is told after so many bytes.
const PIECE: usize = CAPACITY / 4;

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

/// The words of one direction.
#[derive(Clone, Copy, Debug)]
enum Word {
    Written,
    Read,
    ReceiverSleeps,
    SenderSleeps,
}

/// One direction, from either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Direction(usize);

impl Direction {
    /// Of whoever made the ring, and of whoever opened it.
    const FROM_MAKER: Self = Self(0);
    const FROM_OPENER: Self = Self(1);

    const fn word(self, word: Word) -> usize {
        (self.0 * 4 + word as usize) * APART
    }

    const fn bytes(self) -> usize {
        HEADER + self.0 * CAPACITY
    }
}

/// Whether either end is closed: behind the words of both directions.
const CLOSED: usize = 8 * APART;

/// One end.
#[derive(Debug)]
pub struct End {
    shared: Shared,
    out: Direction,
    into: Direction,
    /// Bytes this side has written, and told the other of.
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
        let memory = SharedMemory::new(HEADER + 2 * CAPACITY)?;
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
        if memory.bytes() != HEADER + 2 * CAPACITY {
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
        self.put(&length.to_ne_bytes())?;
        self.put(message)?;
        self.tell_written();
        Ok(())
    }

    /// Wait for a message, which replaces what is in `message`.
    ///
    /// # Errors
    /// [`Closed`] after the last one.
    pub fn receive(&mut self, message: &mut Vec<u8>) -> Result<(), Closed> {
        let mut length = [0; 4];
        self.take(&mut length)?;
        message.resize(u32::from_ne_bytes(length) as usize, 0);
        self.take(message)?;
        self.tell_read();
        Ok(())
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

impl Drop for End {
    fn drop(&mut self) {
        self.shared.at(CLOSED).store(1, Release);
        fence(SeqCst);
        self.shared.wake(self.out.word(Word::ReceiverSleeps));
        self.shared.wake(self.into.word(Word::SenderSleeps));
    }
}

/// There is never more in a direction than it holds.
fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// What both ends have, and how they wait. Places of words are in bytes from the beginning.
#[derive(Debug)]
struct Shared {
    memory: SharedMemory,
    lifeline: OwnedFd,
    waiting: Waiting,
}

impl Shared {
    fn at(&self, place: usize) -> &AtomicU64 {
        &self.memory.words()[place / size_of::<AtomicU64>()]
    }

    fn sleeper(&self, place: usize) -> &AtomicU32 {
        &self.memory.futexes()[place / size_of::<AtomicU32>()]
    }

    fn tell(&self, place: usize, count: u64, sleeps: usize) {
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
    fn wait_beyond(&self, place: usize, seen: u64, sleeps: usize) -> Result<u64, Closed> {
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

    #[allow(unsafe_code)]
    fn copy_in(&self, direction: Direction, count: u64, bytes: &[u8]) {
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

    #[allow(unsafe_code)]
    fn copy_out(&self, direction: Direction, count: u64, bytes: &mut [u8]) {
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

impl AsFd for End {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.memory.as_fd()
    }
}

/// Where `bytes` bytes from `count` on begin, and how many of them come before the ring's end.
fn parts(count: u64, bytes: usize) -> (usize, usize) {
    let offset = length(count % CAPACITY as u64);
    (offset, bytes.min(CAPACITY - offset))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    const SLEEPING: Waiting = Waiting::Sleeping(Duration::ZERO);
    const SPINNING_FIRST: Waiting = Waiting::Sleeping(Duration::from_micros(20));

    fn pair(waiting: Waiting) -> (End, End) {
        let (one, parts) = End::new(waiting).unwrap();
        (one, End::open(parts, waiting).unwrap())
    }

    fn message(number: usize, length: usize) -> Vec<u8> {
        (0..length)
            .map(|place| (number * 31 + place * 7 + place / 251).to_le_bytes()[0])
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn messages_of_any_length_arrive_in_order_while_others_go_the_other_way(
            lengths in prop::collection::vec(
                prop_oneof![4 => 0..200_usize, 2 => 0..CAPACITY + 10, 1 => 0..3 * CAPACITY],
                1..40,
            ),
            waiting in prop_oneof![Just(SLEEPING), Just(SPINNING_FIRST)],
        ) {
            let (mut one, mut other) = pair(waiting);
            let expected = lengths.clone();
            let echoing = thread::spawn(move || {
                let mut received = Vec::new();
                for (number, length) in expected.into_iter().enumerate() {
                    other.receive(&mut received).unwrap();
                    assert!(received == message(number, length), "message {number} differs");
                    other.send(&message(number + 1, length / 2)).unwrap();
                }
                assert_eq!(other.receive(&mut received), Err(Closed));
            });
            // Answers are left unread as long as they fit, so that both rings are full at times.
            let (mut unread, mut read) = (0, 0);
            let mut answer = Vec::new();
            let mut check = |one: &mut End, read: usize| {
                one.receive(&mut answer).unwrap();
                assert!(answer == message(read + 1, lengths[read] / 2), "answer {read} differs");
            };
            for (number, &length) in lengths.iter().enumerate() {
                while unread + length / 2 + 4 > CAPACITY / 2 && read < number {
                    check(&mut one, read);
                    unread -= lengths[read] / 2 + 4;
                    read += 1;
                }
                one.send(&message(number, length)).unwrap();
                unread += length / 2 + 4;
            }
            for read in read..lengths.len() {
                check(&mut one, read);
            }
            drop(one);
            echoing.join().unwrap();
        }
    }

    #[test]
    fn many_short_messages_by_turns_lose_no_wake_up() {
        for waiting in [SLEEPING, SPINNING_FIRST] {
            let (mut one, mut other) = pair(waiting);
            let echoing = thread::spawn(move || {
                let mut message = Vec::new();
                while other.receive(&mut message).is_ok() {
                    other.send(&message).unwrap();
                }
            });
            let mut answer = Vec::new();
            for number in 0..20_000_u64 {
                one.send(&number.to_ne_bytes()).unwrap();
                one.receive(&mut answer).unwrap();
                assert_eq!(answer, number.to_ne_bytes());
            }
            drop(one);
            echoing.join().unwrap();
        }
    }

    #[test]
    fn what_was_sent_before_an_end_was_dropped_arrives_and_then_it_is_closed() {
        let (mut one, mut other) = pair(SLEEPING);
        one.send(b"last").unwrap();
        drop(one);
        let mut message = Vec::new();
        assert_eq!(other.receive(&mut message), Ok(()));
        assert_eq!(message, b"last");
        assert_eq!(other.receive(&mut message), Err(Closed));
    }

    #[test]
    fn a_sender_that_waits_for_room_is_told_that_nobody_reads_any_more() {
        let (mut one, other) = pair(SLEEPING);
        let sending = thread::spawn(move || one.send(&vec![1; 2 * CAPACITY]));
        drop(other);
        assert_eq!(sending.join().unwrap(), Err(Closed));
    }

    #[test]
    fn an_end_whose_other_process_ended_without_a_word_is_closed() {
        for waiting in [SLEEPING, Waiting::Spinning] {
            let (mut one, parts) = End::new(waiting).unwrap();
            // As the kernel does it: the descriptors are closed, and nothing is written anywhere.
            drop(parts);
            assert_eq!(one.receive(&mut Vec::new()), Err(Closed));
        }
    }

    #[test]
    fn memory_that_is_no_ring_is_refused() {
        let (_, [_, lifeline]) = End::new(SLEEPING).unwrap();
        let memory = SharedMemory::new(4096).unwrap();
        let memory = memory.as_fd().try_clone_to_owned().unwrap();
        let error = End::open([memory, lifeline], SLEEPING).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
