//! One connection's socket, as hyper reads and writes it: by calls that block.
//!
//! hyper believes that a read which has nothing yet will wake it later. Here a read waits in the
//! kernel instead, but only one each time hyper is polled, and first of all: the next would wait
//! for a client that itself waits for the answer hyper is about to write.
//!
//! # When the drain has begun
//! Nothing waits without a deadline any more. A read that finds nothing says so
//! ([`Wire::ran_dry`]) and lets the worker decide what that means; a client that does not take its
//! answer is waited for until the deadline. Past the deadline, or once told to hurry, whatever is
//! tried fails and the connection counts as cut.

use std::{
    cell::{Cell, RefCell},
    io,
    net::TcpStream,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown},
};

use super::{
    attention::Attention,
    standing::{Purpose, Severable, draining, hurried},
};

/// As much as hyper has room for when a connection begins.
const MOST_READ: usize = 8192;

/// When the drain has to end. Its clock starts when it is first looked at.
#[derive(Debug)]
pub struct Deadline {
    timeout: Duration,
    at: Cell<Option<Instant>>,
}

impl Deadline {
    /// `timeout` after the drain was noticed.
    #[must_use]
    pub const fn after(timeout: Duration) -> Self {
        Self {
            timeout,
            at: Cell::new(None),
        }
    }

    /// The drain was noticed, if not before.
    pub fn start(&self) -> Instant {
        let at = self
            .at
            .get()
            .unwrap_or_else(|| Instant::now() + self.timeout);
        self.at.set(Some(at));
        at
    }

    /// What is left of it.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.start().saturating_duration_since(Instant::now())
    }
}

/// What reads go through, made once for each worker.
pub type Buffer = RefCell<Box<[u8]>>;

/// A [`Buffer`].
#[must_use]
pub fn buffer() -> Buffer {
    RefCell::new(vec![0; MOST_READ].into())
}

/// A connection's socket.
#[derive(Debug)]
pub struct Wire<'a> {
    socket: Severable<'a>,
    buffer: &'a Buffer,
    deadline: &'a Deadline,
    may_read: Cell<bool>,
    ran_dry: Cell<bool>,
    asked: Cell<bool>,
    cut: Cell<bool>,
}

impl<'a> Wire<'a> {
    /// Serve `stream`, which must block, in the thread of `attention`.
    #[must_use]
    pub fn new(
        stream: TcpStream,
        buffer: &'a Buffer,
        deadline: &'a Deadline,
        attention: &'a Attention,
    ) -> Self {
        Self {
            socket: Severable::new(Purpose::Connection, stream.into(), attention),
            buffer,
            deadline,
            may_read: Cell::new(false),
            ran_dry: Cell::new(false),
            asked: Cell::new(false),
            cut: Cell::new(false),
        }
    }

    /// Let one read wait for the client.
    pub fn allow_read(&self) {
        self.may_read.set(true);
    }

    /// Whether the read that was allowed has not been made.
    #[must_use]
    pub fn read_is_left(&self) -> bool {
        self.may_read.get()
    }

    /// Whether the last read found nothing, which is possible only when the drain has begun.
    #[must_use]
    pub fn ran_dry(&self) -> bool {
        self.ran_dry.get()
    }

    /// A request was answered.
    pub fn answered(&self) {
        self.asked.set(false);
    }

    /// Whether bytes came since the last answer, so a request may have begun.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.asked.get()
    }

    /// Whether the deadline passed or the worker was told to hurry before the connection was done.
    #[must_use]
    pub fn was_cut(&self) -> bool {
        self.cut.get()
    }

    /// Wait until there is something to read, until the deadline.
    ///
    /// # Errors
    /// The connection is cut.
    pub fn wait_for_more(&self) -> io::Result<()> {
        self.wait(PollFlags::POLLIN)
    }

    /// Absent where nothing is there and waiting is over.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        while !draining() {
            match recv(self.socket.to_block_on(), &mut *buffer, RecvFlags::empty()) {
                Ok((length, _)) => return Ok(Some(length)),
                Err(Errno::INTR) => {}
                Err(_) if draining() => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.check()?;
        loop {
            match recv(self.socket.kept(), &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((length, _)) => return Ok(Some(length)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        while !draining() {
            match send(self.socket.to_block_on(), bytes, SendFlags::NOSIGNAL) {
                Ok(length) => return Ok(length),
                Err(Errno::INTR) => {}
                Err(_) if draining() => {}
                Err(error) => return Err(error.into()),
            }
        }
        loop {
            let at_once = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            match send(self.socket.kept(), bytes, at_once) {
                Ok(length) => return Ok(length),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.wait(PollFlags::POLLOUT)?,
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    fn wait(&self, events: PollFlags) -> io::Result<()> {
        loop {
            self.check()?;
            let left = self.deadline.left();
            if left.is_zero() {
                self.cut.set(true);
                return Err(io::ErrorKind::TimedOut.into());
            }
            let mut watched = [PollFd::new(self.socket.kept(), events)];
            match ppoll(&mut watched, Some(TimeSpec::from(left)), None) {
                Ok(0) | Err(nix::Error::EINTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The deadline starts to run with the first look after the order.
    fn check(&self) -> io::Result<()> {
        self.deadline.start();
        if hurried() {
            self.cut.set(true);
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    fn failed(&self, error: Errno) -> io::Error {
        // Void fails, too, and then it is not the client who broke the connection.
        self.cut.set(hurried());
        error.into()
    }
}

impl Read for &Wire<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut room: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.may_read.replace(false) {
            return Poll::Pending;
        }
        let mut buffer = self.buffer.borrow_mut();
        let most = room.remaining().min(MOST_READ);
        let received = self.receive(&mut buffer[..most])?;
        self.ran_dry.set(received.is_none());
        let Some(length) = received else {
            return Poll::Pending;
        };
        self.asked.set(true);
        room.put_slice(&buffer[..length]);
        Poll::Ready(Ok(()))
    }
}

impl Write for &Wire<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.send(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // An order that comes in between has void shut down in its place; the connection is closed
        // next, which tells the client the same.
        Poll::Ready(shutdown(self.socket.kept(), Shutdown::Write).map_err(Into::into))
    }
}
