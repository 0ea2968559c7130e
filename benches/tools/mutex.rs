//! A mutex that is one word of memory: of the bench's own memory, or of memory that processes share.
//!
//! The word is 0 while nobody has it. Taking and giving back a mutex that nobody else wants are one atomic
//! operation each; only who has to wait, and who has kept others waiting, asks the kernel. That is also how
//! the standard library's is made, which is for threads alone.
//!
//! It does not know who has it: where a holder is killed, the others wait for ever, and whoever began them
//! has to end them. The gate of the servers, which must survive that, has a mutex of its own.

use std::{
    hint::spin_loop,
    sync::atomic::{
        AtomicU32,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use rustix::thread::futex::{self, Flags};
use serde::{Deserialize, Serialize};

const FREE: u32 = 0;
const TAKEN: u32 = 1;
/// Taken, and others may be asleep.
const WAITED_FOR: u32 = 2;

/// How often a word is looked at before its taker sleeps: a short piece of work ends sooner than a sleep.
const LOOKS: u32 = 100;

/// Who shares a mutex. Its word is looked up more cheaply where one address space has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Among {
    /// Threads that know the word by the same address.
    Threads,
    /// Processes, each with a mapping of its own.
    Processes,
}

impl Among {
    const fn flags(self) -> Flags {
        match self {
            Self::Threads => Flags::PRIVATE,
            Self::Processes => Flags::empty(),
        }
    }
}

/// A word, used as a mutex by everybody who uses it.
#[derive(Clone, Copy, Debug)]
pub struct Mutex<'a> {
    word: &'a AtomicU32,
    among: Among,
}

impl<'a> Mutex<'a> {
    /// Of a word that was 0 at first.
    #[must_use]
    pub const fn new(word: &'a AtomicU32, among: Among) -> Self {
        Self { word, among }
    }

    /// Wait until it is nobody else's.
    #[must_use]
    pub fn take(self) -> Taken<'a> {
        let taken = self
            .word
            .compare_exchange(FREE, TAKEN, Acquire, Relaxed)
            .is_ok();
        if !taken {
            self.wait_and_take();
        }
        Taken(self)
    }

    #[cold]
    fn wait_and_take(self) {
        if self.look() == FREE
            && let Ok(_) = self.word.compare_exchange(FREE, TAKEN, Acquire, Relaxed)
        {
            return;
        }
        // Who sleeps cannot know that nobody else does, so it takes the word as one that is waited for.
        while self.word.swap(WAITED_FOR, Acquire) != FREE {
            // Woken, interrupted, or the word was another already: look again.
            let _ = futex::wait(self.word, self.among.flags(), WAITED_FOR, None);
            self.look();
        }
    }

    /// What the word is, after a while in which it might have become free.
    fn look(self) -> u32 {
        let mut seen = self.word.load(Relaxed);
        for _ in 0..LOOKS {
            // Where others sleep, the holder works for longer than a look takes.
            if seen != TAKEN {
                break;
            }
            spin_loop();
            seen = self.word.load(Relaxed);
        }
        seen
    }
}

/// A mutex that was taken, and is given back when this is dropped.
#[derive(Debug)]
pub struct Taken<'a>(Mutex<'a>);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let Mutex { word, among } = self.0;
        if word.swap(FREE, Release) == WAITED_FOR {
            // It cannot fail for a word that is there.
            let _ = futex::wake(word, among.flags(), 1);
        }
    }
}
