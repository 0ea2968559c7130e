//! A mutex in shared memory: a futex that knows who holds it.
//!
//! The word is 0 while nobody holds it, else the holder's kernel task id, with a bit beside it that
//! says that others may be asleep. Taking and giving back a mutex nobody else wants are one atomic
//! operation each and no system call, which is what it has over a lock on a file.
//!
//! # Waiting without missing an order
//! A worker asleep waits on two words at once (`futex_waitv`): the mutex, and its own word of
//! orders. A signal handler only stores there. The kernel compares both words as the wait begins, so
//! an order that came before it keeps it from sleeping, and one that comes later interrupts it.
//!
//! # Death
//! A holder that is killed leaves its id in the word, and one that was woken but killed before it
//! took the mutex leaves the others asleep. Whoever sees workers die says so ([`Mutex::free_of`]),
//! and the word is cleared and the next one woken. Nobody can have the id again before that, for a
//! process keeps its id until it is reaped.

use std::{
    io,
    ptr::from_ref,
    sync::{
        Arc,
        atomic::{
            AtomicU32,
            Ordering::{Acquire, Relaxed, SeqCst},
        },
    },
};

use nix::unistd::{Pid, gettid};
use rustix::{
    io::Errno,
    thread::{
        ClockId,
        futex::{self, Flags, Wait, WaitFlags, WaitPtr, WaitvFlags},
    },
};

use super::shared_words::SharedWords;

const FREE: u32 = 0;

/// Others may be asleep. Task ids leave this bit alone.
const WAITED_FOR: u32 = 1 << 31;

/// Whether this kernel can wait on two words.
///
/// # Errors
/// It cannot; Linux has been able to since 5.16.
pub fn check() -> io::Result<()> {
    match futex::waitv(&[], WaitvFlags::empty(), None, ClockId::Monotonic) {
        // Waiting on nothing is refused by a kernel that knows the call.
        Err(Errno::INVAL) | Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// One worker's handle of the mutex.
#[derive(Debug)]
pub struct Mutex {
    words: Arc<SharedWords>,
    worker: u32,
}

impl Mutex {
    /// For the calling thread, and no other.
    #[must_use]
    pub fn of_this_thread(words: Arc<SharedWords>) -> Self {
        Self {
            words,
            worker: gettid().as_raw().cast_unsigned(),
        }
    }

    /// Take the mutex if nobody has it.
    #[must_use]
    pub fn try_take(&self) -> bool {
        self.try_take_as(self.worker)
    }

    fn try_take_as(&self, holder: u32) -> bool {
        let word = &self.words.lock;
        word.compare_exchange(FREE, holder, SeqCst, Relaxed).is_ok()
    }

    /// Wait for the mutex as long as `orders` is 0. Whether it was taken.
    #[must_use]
    pub fn take_unless(&self, orders: &AtomicU32) -> bool {
        if self.try_take() {
            return true;
        }
        // Who has slept cannot know that nobody else does.
        let as_one_of_many = self.worker | WAITED_FOR;
        while orders.load(Acquire) == 0 {
            if self.try_take_as(as_one_of_many) {
                return true;
            }
            let seen = self.words.lock.load(Relaxed);
            if seen != FREE && self.mark(seen) {
                self.sleep(seen | WAITED_FOR, orders);
            }
        }
        // The one that gave the mutex back may have woken this worker and nobody else.
        wake_one(&self.words);
        false
    }

    /// Have the holder know that it must wake others. Fails where the word is no longer as `seen`.
    fn mark(&self, seen: u32) -> bool {
        let word = &self.words.lock;
        let marked = seen | WAITED_FOR;
        seen == marked || word.compare_exchange(seen, marked, SeqCst, Relaxed).is_ok()
    }

    fn sleep(&self, expected: u32, orders: &AtomicU32) {
        let on = |word: &AtomicU32, value: u32, flags: WaitFlags| {
            let mut wait = Wait::new();
            wait.val = value.into();
            wait.uaddr = WaitPtr::new(from_ref(word).cast_mut().cast());
            wait.flags = flags | WaitFlags::SIZE_U32;
            wait
        };
        let words = [
            on(&self.words.lock, expected, WaitFlags::empty()),
            on(orders, 0, WaitFlags::PRIVATE),
        ];
        // Woken, interrupted, or a word was another already: the caller looks again.
        let _ = futex::waitv(&words, WaitvFlags::empty(), None, ClockId::Monotonic);
    }

    /// Give it back. The caller has it.
    pub fn give_back(&self) {
        if self.words.lock.swap(FREE, SeqCst) & WAITED_FOR != 0 {
            wake_one(&self.words);
        }
    }

    /// `dead` will not give it back, nor take it though it was woken for it.
    pub fn free_of(words: &SharedWords, dead: Pid) {
        let dead = dead.as_raw().cast_unsigned();
        let _ = words.lock.fetch_update(SeqCst, Relaxed, |word| {
            (word & !WAITED_FOR == dead).then_some(FREE)
        });
        wake_one(words);
    }
}

fn wake_one(words: &SharedWords) {
    // Shared between processes, so not one of the private kind. It cannot fail for such a word.
    let _ = futex::wake(&words.lock, Flags::empty(), 1);
}
