//! How a thread that blocks is interrupted, without a moment at which that is missed.
//!
//! A signal alone is not enough. One that comes just before a blocking call finds nothing to
//! interrupt, and the call then sleeps as if nothing had been said. So the handler does more than to
//! leave word: it replaces what the call would wait on. A thread publishes the numbers of the
//! descriptors it blocks on, and the handler, which runs in that thread, puts *void* in their place,
//! a socket on which accept, read and write fail at once. Whether the signal comes before the call
//! (it fails), within (EINTR, for handlers are installed without `SA_RESTART`) or after it (the
//! thread looks for orders before it blocks again), the thread goes on.
//!
//! # Order of events
//! An order to drain moves each published descriptor to a *spare* number, reserved before, and void
//! to its own number. An order to retire does so with what connections come by, and leaves the one being
//! served alone. The thread sees the order and goes on with the spare, never blocking again. An
//! order to hurry puts void in place of both, so that whatever is tried fails.
//!
//! # Invariants
//! - A handler touches the state of the thread it interrupts and no other, so plain loads and stores
//!   do; fences keep the compiler from moving them across one another.
//! - The state is made at compile time and is never dropped: a handler may look at it at any moment.
//! - A published number stays open until it is withdrawn.

use std::{
    cell::Cell,
    marker::PhantomData,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    sync::atomic::{
        AtomicBool, AtomicI32, AtomicU32,
        Ordering::{Relaxed, SeqCst},
        compiler_fence,
    },
};

use nix::{errno::Errno, libc};

use super::attention::Attention;

const NONE: RawFd = -1;

/// Values of the word of orders. Each is more than the one before.
const SERVE: u32 = 0;
const RETIRE: u32 = 1;
const DRAIN: u32 = 2;
const HURRY: u32 = 3;

/// What a descriptor is for. A thread publishes at most one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Where connections come from.
    Arrivals,
    /// The connection being served.
    Connection,
    /// What is waited for before accepting. An order severs it for good: closed, it is given up.
    Lock,
}

struct Post {
    /// The published number.
    number: AtomicI32,
    /// Where an order moves what the number stood for.
    spare: AtomicI32,
    /// Whether an order has.
    severed: AtomicBool,
}

impl Post {
    const fn vacant() -> Self {
        Self {
            number: AtomicI32::new(NONE),
            spare: AtomicI32::new(NONE),
            severed: AtomicBool::new(false),
        }
    }
}

struct Standing {
    /// Also waited on as a futex, so that a thread in line for a lock misses no order.
    orders: AtomicU32,
    void: AtomicI32,
    posts: [Post; 3],
}

thread_local! {
    static STANDING: Standing = const {
        Standing {
            orders: AtomicU32::new(SERVE),
            void: AtomicI32::new(NONE),
            posts: [Post::vacant(), Post::vacant(), Post::vacant()],
        }
    };
}

/// Whether this thread was told to retire, to drain, or to hurry.
#[must_use]
pub fn retiring() -> bool {
    orders() >= RETIRE
}

/// Whether this thread was told to drain, or to hurry.
#[must_use]
pub fn draining() -> bool {
    orders() >= DRAIN
}

/// Whether this thread was told to end at once.
#[must_use]
pub fn hurried() -> bool {
    orders() == HURRY
}

fn orders() -> u32 {
    compiler_fence(SeqCst);
    let orders = STANDING.with(|standing| standing.orders.load(Relaxed));
    compiler_fence(SeqCst);
    orders
}

/// Lend the word that is 0 until the first order comes to this thread.
pub(super) fn with_orders<T>(borrow: impl FnOnce(&AtomicU32) -> T) -> T {
    STANDING.with(|standing| borrow(&standing.orders))
}

/// Forget orders and numbers, as those a forked process has from its parent, and name the
/// descriptors that orders use.
pub(super) fn begin(void: &OwnedFd, arrivals: &OwnedFd, connection: &OwnedFd) {
    end();
    STANDING.with(|standing| {
        standing.orders.store(SERVE, Relaxed);
        standing.void.store(void.as_raw_fd(), Relaxed);
        let [to_arrivals, to_connection, _] = &standing.posts;
        to_arrivals.spare.store(arrivals.as_raw_fd(), Relaxed);
        to_connection.spare.store(connection.as_raw_fd(), Relaxed);
    });
    compiler_fence(SeqCst);
}

/// Let later orders leave word and touch no descriptor.
pub(super) fn end() {
    STANDING.with(|standing| {
        standing.void.store(NONE, Relaxed);
        for post in &standing.posts {
            post.number.store(NONE, Relaxed);
            post.spare.store(NONE, Relaxed);
            post.severed.store(false, Relaxed);
        }
    });
    compiler_fence(SeqCst);
}

/// In a handler: the thread is to accept no more, and to wait for its client's next request.
pub(super) fn order_retire() {
    raise(RETIRE, &[Purpose::Arrivals, Purpose::Lock]);
}

/// In a handler: the thread is to drain. A repeated order changes nothing.
pub(super) fn order_drain() {
    raise(
        DRAIN,
        &[Purpose::Arrivals, Purpose::Connection, Purpose::Lock],
    );
}

fn raise(order: u32, severed: &[Purpose]) {
    STANDING.with(|standing| {
        if standing.orders.load(Relaxed) >= order {
            return;
        }
        standing.orders.store(order, Relaxed);
        let void = standing.void.load(Relaxed);
        for &purpose in severed {
            let post = &standing.posts[purpose as usize];
            // Void must not take the place of what an earlier order saved.
            if post.severed.load(Relaxed) {
                continue;
            }
            let number = post.number.load(Relaxed);
            let spare = post.spare.load(Relaxed);
            if number != NONE && spare != NONE {
                replace(spare, number);
                post.severed.store(true, Relaxed);
            }
            replace(number, void);
        }
    });
}

/// In a handler: the thread is to end at once.
pub(super) fn order_hurry() {
    STANDING.with(|standing| {
        standing.orders.store(HURRY, Relaxed);
        let void = standing.void.load(Relaxed);
        for post in &standing.posts {
            replace(post.number.load(Relaxed), void);
            if post.severed.load(Relaxed) {
                replace(post.spare.load(Relaxed), void);
            }
        }
    });
}

/// In a handler: an operator's first order drains, the next one hurries.
pub(super) fn order_next() {
    if draining() {
        order_hurry();
    } else {
        order_drain();
    }
}

/// Have `number` stand for what `source` stands for, where both are numbers.
#[allow(unsafe_code)]
fn replace(number: RawFd, source: RawFd) {
    if number == NONE || source == NONE {
        return;
    }
    let errno = Errno::last_raw();
    // SAFETY: dup3 may be called in a handler. Both numbers are open and belong to this thread's
    // worker, which withdraws them before it closes them; nothing else relies on what they are.
    // It fails only for numbers that are not open or equal.
    unsafe { libc::dup3(source, number, libc::O_CLOEXEC) };
    Errno::set_raw(errno);
}

/// A descriptor on which this thread blocks, and from which an order severs it.
#[derive(Debug)]
pub struct Severable<'a> {
    purpose: Purpose,
    number: OwnedFd,
    attention: &'a Attention,
    /// The number is published in the thread that made it.
    of_this_thread: PhantomData<Cell<()>>,
}

impl<'a> Severable<'a> {
    /// Publish `number`, which nobody else may use.
    ///
    /// # Panics
    /// This thread has published another for the same purpose.
    #[must_use]
    pub fn new(purpose: Purpose, number: OwnedFd, attention: &'a Attention) -> Self {
        Self::with_post(purpose, |post| {
            assert_eq!(post.number.load(Relaxed), NONE, "{purpose:?} is taken");
            post.number.store(number.as_raw_fd(), Relaxed);
        });
        compiler_fence(SeqCst);
        Self {
            purpose,
            number,
            attention,
            of_this_thread: PhantomData,
        }
    }

    /// To block on, as long as [`draining`] was false after this was made: an order makes the call
    /// fail.
    #[must_use]
    pub fn to_block_on(&self) -> BorrowedFd<'_> {
        self.number.as_fd()
    }

    /// What it stood for from the start, wherever an order has moved that. Not to block on without a
    /// deadline, and void once [`hurried`].
    #[must_use]
    pub fn kept(&self) -> BorrowedFd<'_> {
        compiler_fence(SeqCst);
        let severed = Self::with_post(self.purpose, |post| post.severed.load(Relaxed));
        if severed && let Some(spare) = self.attention.spare(self.purpose) {
            spare
        } else {
            self.number.as_fd()
        }
    }

    fn with_post<T>(purpose: Purpose, look: impl FnOnce(&Post) -> T) -> T {
        STANDING.with(|standing| look(&standing.posts[purpose as usize]))
    }
}

impl Drop for Severable<'_> {
    fn drop(&mut self) {
        // Withdrawn before it is closed: by then the number may be a stranger's.
        let void = STANDING.with(|standing| standing.void.load(Relaxed));
        Self::with_post(self.purpose, |post| {
            post.number.store(NONE, Relaxed);
            compiler_fence(SeqCst);
            if post.severed.load(Relaxed) {
                replace(post.spare.load(Relaxed), void);
                post.severed.store(false, Relaxed);
            }
        });
        compiler_fence(SeqCst);
    }
}
