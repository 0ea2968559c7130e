//! Completion: receives that stay armed, sends that are queued, and one system call to hand over the
//! sends and wait for whatever has come.
//!
//! Each connected socket has one multishot receive, which takes a buffer from a common ring for each
//! arrival; the bytes are copied out and the buffer goes back at once. A send says something only if
//! it fails. Task work is deferred to the thread's own system calls, so nothing interrupts it.
//!
//! Sockets block: a request on one that does not would fail where it should wait. A descriptor is
//! closed only after what was queued for it has been submitted, as its number may be given out anew.
//!
//! Since Linux 6.0; where the kernel or a sandbox refuses, [`Uring::new`] fails.
// The kernel reads and writes memory that is named to it by address.
#![allow(unsafe_code)]

mod buffers;

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
    sync::Arc,
};

use io_uring::{IoUring, cqueue, opcode, squeue, types};
use rustix::{
    event::{EventfdFlags, eventfd},
    fd::OwnedFd,
    fs::{OFlags, fcntl_setfl},
    io::Errno,
    net::{connect, sockopt},
};

use self::buffers::{Buffers, GROUP};
use super::{Event, Route, Transport, open};

const QUEUE: u32 = 1024;
const COMPLETIONS: u32 = 8192;
/// poll(2)'s.
const POLLIN: u32 = 1;
const POLLOUT: u32 = 4;
/// send(2)'s.
const MSG_NOSIGNAL: i32 = 0x4000;
const MSG_WAITALL: i32 = 0x100;

/// What a completion is of: the bits of its number below the generation and above the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Waker,
    Connect,
    Receive,
    Send,
    Cancel,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Waker,
        Self::Connect,
        Self::Receive,
        Self::Send,
        Self::Cancel,
    ];
}

const SLOT_BITS: u32 = 28;

fn number(kind: Kind, slot: u32, generation: u32) -> u64 {
    u64::from(generation) << 32 | (kind as u64) << SLOT_BITS | u64::from(slot)
}

#[allow(clippy::cast_possible_truncation)]
fn meaning(number: u64) -> (Option<Kind>, u32, u32) {
    let kind = (number as u32) >> SLOT_BITS;
    let slot = number as u32 & ((1 << SLOT_BITS) - 1);
    (
        Kind::ALL.get(kind as usize).copied(),
        slot,
        (number >> 32) as u32,
    )
}

#[derive(Debug, Default)]
struct Socket {
    fd: Option<OwnedFd>,
    generation: u32,
    connecting: bool,
    /// Its end is among the completions at hand.
    ended: bool,
}

#[derive(Clone, Copy, Debug)]
struct Completion {
    number: u64,
    result: i32,
    flags: u32,
}

/// The transport for kernels that let it.
pub struct Uring {
    // Dropped before what the kernel was told of: the buffers, the request, the sockets.
    ring: IoUring,
    buffers: Buffers,
    request: Arc<[u8]>,
    sockets: Vec<Socket>,
    waker: OwnedFd,
    completions: Vec<Completion>,
    next: usize,
    /// Closed as soon as the queue has been submitted.
    leaving: Vec<OwnedFd>,
}

impl Transport for Uring {
    fn new(slots: usize, request: Arc<[u8]>) -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_cqsize(COMPLETIONS)
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .build(QUEUE)?;
        let buffers = Buffers::register(&ring)?;
        let waker = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let mut uring = Self {
            ring,
            buffers,
            request,
            sockets: (0..slots).map(|_| Socket::default()).collect(),
            waker,
            completions: Vec::with_capacity(QUEUE as usize),
            next: 0,
            leaving: Vec::new(),
        };
        uring.watch_waker()?;
        Ok(uring)
    }

    fn connect(&mut self, slot: u32, route: &Route) -> io::Result<()> {
        let fd = open(route)?;
        match connect(&fd, &route.to) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(errno) => return Err(errno.into()),
        }
        let socket = &mut self.sockets[slot as usize];
        socket.generation = socket.generation.wrapping_add(1);
        socket.connecting = true;
        socket.ended = false;
        let watch = opcode::PollAdd::new(types::Fd(fd.as_raw_fd()), POLLOUT)
            .build()
            .user_data(number(Kind::Connect, slot, socket.generation));
        socket.fd = Some(fd);
        self.push(&watch)
    }

    fn send(&mut self, slot: u32) -> io::Result<()> {
        let Some((fd, generation)) = self.socket(slot) else {
            return Ok(());
        };
        let length = u32::try_from(self.request.len()).unwrap_or(u32::MAX);
        let send = opcode::Send::new(types::Fd(fd), self.request.as_ptr(), length)
            .flags(MSG_NOSIGNAL | MSG_WAITALL)
            .build()
            .flags(squeue::Flags::SKIP_SUCCESS)
            .user_data(number(Kind::Send, slot, generation));
        self.push(&send)
    }

    fn close(&mut self, slot: u32) {
        let socket = &mut self.sockets[slot as usize];
        let Some(fd) = socket.fd.take() else { return };
        let kind = if socket.connecting {
            Kind::Connect
        } else {
            Kind::Receive
        };
        let armed = number(kind, slot, socket.generation);
        self.leaving.push(fd);
        let cancel =
            opcode::AsyncCancel::new(armed)
                .build()
                .user_data(number(Kind::Cancel, slot, 0));
        // A queue that cannot be submitted says so at the next wait; its sockets end with the ring.
        let _ = self.push(&cancel);
    }

    fn wait(&mut self, timeout_ns: u64) -> io::Result<()> {
        let unread = self.next < self.completions.len();
        let at_hand = unread || !self.ring.completion().is_empty();
        let submitted = if at_hand || timeout_ns == 0 {
            self.submit()
        } else {
            let timeout = types::Timespec::new()
                .sec(timeout_ns / 1_000_000_000)
                .nsec(u32::try_from(timeout_ns % 1_000_000_000).unwrap_or(0));
            let args = types::SubmitArgs::new().timespec(&timeout);
            self.ring.submitter().submit_with_args(1, &args).map(drop)
        };
        match submitted {
            Ok(()) => {}
            Err(error) if is_no_matter(&error) => {}
            Err(error) => return Err(error),
        }
        self.leaving.clear();
        if !unread {
            self.next = 0;
            self.completions.clear();
            self.gather();
        }
        Ok(())
    }

    fn next(&mut self, buffer: &mut [u8]) -> Option<Event> {
        loop {
            let completion = *self.completions.get(self.next)?;
            self.next += 1;
            if let Some(event) = self.complete(completion, buffer) {
                return Some(event);
            }
        }
    }

    fn waker(&self) -> io::Result<OwnedFd> {
        self.waker.try_clone()
    }
}

impl Uring {
    fn watch_waker(&mut self) -> io::Result<()> {
        let watch = opcode::PollAdd::new(types::Fd(self.waker.as_raw_fd()), POLLIN)
            .multi(true)
            .build()
            .user_data(number(Kind::Waker, 0, 0));
        self.push(&watch)
    }

    fn socket(&self, slot: u32) -> Option<(RawFd, u32)> {
        let socket = &self.sockets[slot as usize];
        Some((socket.fd.as_ref()?.as_raw_fd(), socket.generation))
    }

    /// Queues an operation, submitting what is queued if there is no room.
    fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        loop {
            // SAFETY: what entries point to (the request, the buffers) lives as long as the ring, and
            // their descriptors are open until they have been submitted.
            if unsafe { self.ring.submission().push(entry) }.is_ok() {
                return Ok(());
            }
            self.submit()?;
        }
    }

    /// Submits what is queued, and lets the kernel do what it has deferred; no system call where
    /// there is neither.
    fn submit(&mut self) -> io::Result<()> {
        let queue = self.ring.submission();
        let idle = queue.is_empty() && !queue.taskrun() && !queue.cq_overflow();
        drop(queue);
        if idle {
            return Ok(());
        }
        let args = types::SubmitArgs::new();
        self.ring.submitter().submit_with_args(0, &args).map(drop)
    }

    /// Takes the completions that have come.
    fn gather(&mut self) {
        for entry in self.ring.completion() {
            let completion = Completion {
                number: entry.user_data(),
                result: entry.result(),
                flags: entry.flags(),
            };
            let (kind, slot, generation) = meaning(completion.number);
            if kind == Some(Kind::Receive) && completion.result == 0 {
                let socket = &mut self.sockets[slot as usize];
                socket.ended |= socket.generation == generation;
            }
            self.completions.push(completion);
        }
    }

    /// What a completion means, if its socket is still there.
    fn complete(&mut self, completion: Completion, buffer: &mut [u8]) -> Option<Event> {
        let Completion {
            number,
            result,
            flags,
        } = completion;
        let (kind, slot, generation) = meaning(number);
        let filled = cqueue::buffer_select(flags);
        let length = usize::try_from(result).unwrap_or(0);
        if let Some(id) = filled {
            self.buffers.take(id, length, buffer);
        }
        if kind == Some(Kind::Waker) && !cqueue::more(flags) {
            // A queue that cannot be submitted says so at the next wait.
            let _ = self.watch_waker();
        }
        let socket = self.sockets.get(slot as usize)?;
        if socket.fd.is_none() || socket.generation != generation {
            return None;
        }
        let closing = socket.ended;
        match kind? {
            Kind::Waker | Kind::Cancel => None,
            Kind::Connect => Some(Event::Connected(slot, self.connected(slot, result))),
            Kind::Send => Some(Event::Closed(slot, Some(error(result)))),
            Kind::Receive => {
                let ran_out = result == -Errno::NOBUFS.raw_os_error();
                if !cqueue::more(flags)
                    && (result > 0 || ran_out)
                    && let Err(error) = self.receive(slot)
                {
                    return Some(Event::Closed(slot, Some(error)));
                }
                match result {
                    1.. => Some(Event::Bytes {
                        slot,
                        length,
                        closing,
                    }),
                    0 => Some(Event::Closed(slot, None)),
                    _ if ran_out => None,
                    _ => Some(Event::Closed(slot, Some(error(result)))),
                }
            }
        }
    }

    fn connected(&mut self, slot: u32, result: i32) -> io::Result<()> {
        let socket = &mut self.sockets[slot as usize];
        socket.connecting = false;
        if result < 0 {
            return Err(error(result));
        }
        if let Some(fd) = &socket.fd {
            sockopt::socket_error(fd)??;
            fcntl_setfl(fd, OFlags::empty())?;
        }
        self.receive(slot)
    }

    /// Arms a slot's receive.
    fn receive(&mut self, slot: u32) -> io::Result<()> {
        let Some((fd, generation)) = self.socket(slot) else {
            return Ok(());
        };
        let receive = opcode::RecvMulti::new(types::Fd(fd), GROUP)
            .build()
            .user_data(number(Kind::Receive, slot, generation));
        self.push(&receive)
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        for slot in 0..self.sockets.len() {
            self.close(u32::try_from(slot).unwrap_or(u32::MAX));
        }
        // Nothing more can be done about it where this fails.
        let _ = self.submit();
    }
}

/// Nothing came in time, a signal did, or there are completions to be taken first.
fn is_no_matter(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::TIME | Errno::INTR | Errno::BUSY | Errno::AGAIN)
    )
}

fn error(result: i32) -> io::Error {
    io::Error::from_raw_os_error(-result)
}
