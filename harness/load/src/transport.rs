//! Sockets and waiting for them: what a load asks of the kernel, and what the kernel says.
//!
//! A transport knows slots, each with a socket or without, and the one request that is sent over
//! them all; it knows nothing of answers. Everything that happens to a socket after it was closed is
//! passed over, so that an event always belongs to the slot's present socket.

mod epoll;
mod uring;

use std::{io, net::SocketAddr, sync::Arc};

use rustix::{
    fd::OwnedFd,
    net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt},
};

pub use self::{epoll::Epoll, uring::Uring};

/// How to speak to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportKind {
    /// Readiness: epoll, then a system call for each read and write.
    Epoll,
    /// Completion: reads and writes are queued and done in batches.
    IoUring,
}

impl TransportKind {
    /// The name used on the command line and on disk.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Epoll => "epoll",
            Self::IoUring => "io-uring",
        }
    }
}

/// What happened to a slot.
#[derive(Debug)]
pub enum Event {
    /// Its connection stands, or could not be made.
    Connected(u32, io::Result<()>),
    /// So many bytes came and are in the buffer. `closing` where the peer closed after them.
    Bytes {
        slot: u32,
        length: usize,
        closing: bool,
    },
    /// The peer closed, or the connection broke.
    Closed(u32, Option<io::Error>),
}

/// Where a connection comes from, and how it ends.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The local address; the kernel's choice where absent.
    pub from: Option<SocketAddr>,
    /// Where to.
    pub to: SocketAddr,
    /// End it by a reset, which leaves nothing in `TIME_WAIT`.
    pub reset: bool,
}

/// A way of speaking to the kernel.
pub trait Transport: Sized {
    /// For so many slots, all without a socket.
    fn new(slots: usize, request: Arc<[u8]>) -> io::Result<Self>;

    /// Begins a connection for a slot without a socket. [`Event::Connected`] follows.
    fn connect(&mut self, slot: u32, route: &Route) -> io::Result<()>;

    /// Sends the request over a connected slot, now or as soon as the kernel takes it.
    fn send(&mut self, slot: u32) -> io::Result<()>;

    /// Drops a slot's socket.
    fn close(&mut self, slot: u32);

    /// Waits for events until `timeout_ns` from now; not at all where it is zero.
    fn wait(&mut self, timeout_ns: u64) -> io::Result<()>;

    /// The next of the events that have come.
    fn next(&mut self, buffer: &mut [u8]) -> Option<Event>;

    /// A descriptor that ends a [`Transport::wait`] when an eventfd's count is written to it.
    fn waker(&self) -> io::Result<OwnedFd>;
}

/// A socket that does not block, bound where the route says so.
fn open(route: &Route) -> io::Result<OwnedFd> {
    let family = if route.to.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    // A request is one segment, so congestion control has nothing to decide; the simplest costs the
    // least. BBR, where it is the system's, paces with a timer. Where it is refused, the system's stays.
    let _ = sockopt::set_tcp_congestion(&socket, "reno");
    if let Some(from) = route.from {
        bind(&socket, &from)?;
    }
    if route.reset {
        sockopt::set_socket_linger(&socket, Some(std::time::Duration::ZERO))?;
    }
    Ok(socket)
}
