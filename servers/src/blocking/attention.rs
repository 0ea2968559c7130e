//! Whose orders a blocking worker obeys, and the signals that carry them.
//!
//! | who orders | drain | end at once |
//! |---|---|---|
//! | an operator | the first SIGTERM or SIGINT | the second |
//! | a primary | SIGTERM, however often (SIGUSR1 first where it is to retire) | SIGQUIT |
//! | the first thread of a pool | SIGUSR1, sent to the very thread | SIGUSR2, likewise |
//!
//! Signals of the first two come to a process with one thread. Those of the third count only where a
//! thread of the same process sent them to this one: anybody may send SIGUSR1 to a process, and the
//! kernel would then give it to whichever thread it likes.
//!
//! SIGALRM orders nothing. It interrupts a call that would otherwise find out by waiting that
//! there is nothing to wait for.

use std::{
    io,
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nix::{
    errno::Errno,
    libc::{self, c_int, c_void, siginfo_t},
    sys::{
        signal::{
            SaFlags, SigAction, SigEvent, SigHandler, SigSet, SigevNotify, Signal, sigaction,
        },
        timer::{Expiration, Timer, TimerSetTimeFlags},
    },
    time::ClockId,
    unistd::{Pid, getpid, gettid},
};
use socket2::{Domain, Socket, Type};

use super::standing::{self, Purpose};
use crate::orders::{Chain, FOR_PRIMARIES};

/// All signals that carry orders or interrupt. While the handler of one runs, the others wait.
const HEEDED: [Signal; 6] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
];

/// Between two knocks. A call that a knock came too early for is interrupted by the next.
const BETWEEN_KNOCKS: Duration = Duration::from_millis(5);

/// A worker could not be made to heed orders.
#[derive(Debug, thiserror::Error)]
pub enum AttentionError {
    /// No descriptors to put in place of those that orders sever.
    #[error(
        "cannot reserve the descriptors with which orders interrupt a worker: {0}; raise the limit \
         of open files (ulimit -n)"
    )]
    Descriptors(#[from] io::Error),
    /// No handler.
    #[error("cannot take the signals that carry orders: {0}; start the server by other means")]
    Signals(#[from] nix::Error),
}

/// The calling thread heeds orders as long as this lives. One at a time in each thread.
#[derive(Debug)]
pub struct Attention {
    // Held for its number, which handlers know.
    _void: OwnedFd,
    arrivals: OwnedFd,
    connection: OwnedFd,
    interrupter: Interrupter,
    /// It is about the thread that made it.
    of_this_thread: PhantomData<*const ()>,
}

impl Attention {
    /// Heed the signals of `chain`, in a process that has no other thread.
    ///
    /// The signal mask becomes the default one only after that, so in a worker, which begins with
    /// its primary's mask, a SIGTERM that came early has waited.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn to(chain: Chain) -> Result<Self, AttentionError> {
        use Signal::{SIGALRM, SIGINT, SIGQUIT, SIGTERM, SIGUSR1};
        let attention = Self::begin()?;
        let mut blocked = SigSet::empty();
        handle(SIGALRM, SigHandler::Handler(on_knock))?;
        match chain {
            Chain::Operator => {
                handle(SIGTERM, SigHandler::Handler(on_next))?;
                handle(SIGINT, SigHandler::Handler(on_next))?;
            }
            Chain::Primary => {
                handle(SIGUSR1, SigHandler::Handler(on_retire))?;
                handle(SIGTERM, SigHandler::Handler(on_drain))?;
                handle(SIGQUIT, SigHandler::Handler(on_hurry))?;
                blocked = FOR_PRIMARIES.iter().copied().collect();
            }
        }
        blocked.thread_set_mask()?;
        Ok(attention)
    }

    /// Heed what the first thread says through an [`Interrupter`]; other signals are its own.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn to_first_thread() -> Result<Self, AttentionError> {
        use Signal::{SIGALRM, SIGUSR1, SIGUSR2};
        let attention = Self::begin()?;
        handle(SIGALRM, SigHandler::Handler(on_knock))?;
        handle(SIGUSR1, SigHandler::SigAction(on_drain_from_within))?;
        handle(SIGUSR2, SigHandler::SigAction(on_hurry_from_within))?;
        let heeded: SigSet = [SIGALRM, SIGUSR1, SIGUSR2].into_iter().collect();
        heeded.thread_unblock()?;
        Ok(attention)
    }

    fn begin() -> Result<Self, AttentionError> {
        // Neither connected nor listening: accept, read and write fail at once, and so does waiting.
        let void = OwnedFd::from(Socket::new(Domain::UNIX, Type::STREAM, None)?);
        let arrivals = void.try_clone()?;
        let connection = void.try_clone()?;
        standing::begin(&void, &arrivals, &connection);
        Ok(Self {
            _void: void,
            arrivals,
            connection,
            interrupter: Interrupter(Arc::new(Mutex::new(Some(gettid())))),
            of_this_thread: PhantomData,
        })
    }

    /// How another thread of this process gives orders to this one.
    #[must_use]
    pub fn interrupter(&self) -> Interrupter {
        self.interrupter.clone()
    }

    /// Where an order moves what serves `purpose`.
    pub(super) fn spare(&self, purpose: Purpose) -> Option<BorrowedFd<'_>> {
        match purpose {
            Purpose::Arrivals => Some(self.arrivals.as_fd()),
            Purpose::Connection => Some(self.connection.as_fd()),
            Purpose::Lock => None,
        }
    }
}

impl Drop for Attention {
    fn drop(&mut self) {
        *self.interrupter.thread() = None;
        // Before the descriptors are closed, which is after this.
        standing::end();
    }
}

/// Gives orders to a worker thread. Once the worker has ended they mean nothing.
#[derive(Clone, Debug)]
pub struct Interrupter(Arc<Mutex<Option<Pid>>>);

impl Interrupter {
    /// Finish what was begun, and end.
    pub fn drain(&self) {
        self.send(Signal::SIGUSR1);
    }

    /// End at once. A worker in the middle of a handler ends after that.
    pub fn hurry(&self) {
        self.send(Signal::SIGUSR2);
    }

    #[allow(unsafe_code)]
    fn send(&self, signal: Signal) {
        // Locked meanwhile: the thread cannot end, and its id cannot become another's.
        let thread = self.thread();
        if let Some(thread) = *thread {
            // SAFETY: tgkill takes numbers only, and fails where they name no thread.
            unsafe {
                libc::syscall(
                    libc::SYS_tgkill,
                    getpid().as_raw(),
                    thread.as_raw(),
                    signal as c_int,
                )
            };
        }
    }

    fn thread(&self) -> std::sync::MutexGuard<'_, Option<Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Interrupt whatever call this thread is in, soon and again and again, until the result is dropped:
/// for a call that may find that there is nothing to wait for only by waiting.
///
/// # Errors
/// The kernel has no memory for a timer.
pub(super) fn knocks() -> nix::Result<Timer> {
    let mut timer = Timer::new(
        ClockId::CLOCK_MONOTONIC,
        SigEvent::new(SigevNotify::SigevThreadId {
            signal: Signal::SIGALRM,
            thread_id: gettid().as_raw(),
            si_value: 0,
        }),
    )?;
    let knocks = Expiration::Interval(BETWEEN_KNOCKS.into());
    timer.set(knocks, TimerSetTimeFlags::empty())?;
    Ok(timer)
}

/// Without `SA_RESTART`: blocking calls are to end.
#[allow(unsafe_code)]
fn handle(signal: Signal, handler: SigHandler) -> nix::Result<()> {
    let meanwhile = HEEDED.into_iter().collect();
    let action = SigAction::new(handler, SaFlags::empty(), meanwhile);
    // SAFETY: the handlers here call nothing but what may be called in a handler: they load and
    // store atomics of their thread, which exist from its start to its end, call dup3, and leave
    // errno as it was.
    unsafe { sigaction(signal, &action) }.map(drop)
}

extern "C" fn on_knock(_: c_int) {}

extern "C" fn on_next(_: c_int) {
    standing::order_next();
}

extern "C" fn on_retire(_: c_int) {
    standing::order_retire();
}

extern "C" fn on_drain(_: c_int) {
    standing::order_drain();
}

extern "C" fn on_hurry(_: c_int) {
    standing::order_hurry();
}

extern "C" fn on_drain_from_within(_: c_int, info: *mut siginfo_t, _: *mut c_void) {
    if from_within(info) {
        standing::order_drain();
    }
}

extern "C" fn on_hurry_from_within(_: c_int, info: *mut siginfo_t, _: *mut c_void) {
    if from_within(info) {
        standing::order_hurry();
    }
}

/// Whether a thread of this process sent the signal to the very thread that has it.
#[allow(unsafe_code)]
fn from_within(info: *mut siginfo_t) -> bool {
    let errno = Errno::last_raw();
    // SAFETY: the kernel gives every handler installed with `SA_SIGINFO` (which nix sets for this
    // kind) a valid account, and one of a signal sent by tgkill names its sender.
    let own = unsafe { (*info).si_code == libc::SI_TKILL && (*info).si_pid() == libc::getpid() };
    Errno::set_raw(errno);
    own
}
