//! A listener at which a loop accepts that has no runtime and other things to do: the primary of a
//! cluster or the first thread of a pool, where they hand connections on or make a worker for each.
//!
//! It is watched only while there is a use for what arrives and a hope to get it. Where the kernel gives
//! no connections for want of descriptors or memory, it is left alone for `PAUSE`.

use std::{
    fmt::Display,
    io,
    net::{TcpListener, TcpStream},
    os::fd::{AsFd, BorrowedFd},
    time::Instant,
};

use rustix::{
    io::Errno,
    net::{SocketFlags, accept_with},
};
use schema::Style;

use super::{Complaint, FOR_EVENT_LOOPS, PAUSE};
use crate::{
    listener::BACKLOG,
    reactor::{Interest, Reactor},
};

/// A listener, until nothing more is to be accepted.
#[derive(Debug)]
pub struct Entrance {
    listener: Option<TcpListener>,
    /// What connections are made with: event loops want them not to block.
    flags: SocketFlags,
    interest: Interest,
    paused_until: Option<Instant>,
    complaint: Complaint,
}

impl Entrance {
    /// At `listener`, which must not block, for workers of this style; the reactor tells of it by `name`.
    #[must_use]
    pub fn new(listener: TcpListener, style: Style, name: u64) -> Self {
        Self {
            listener: Some(listener),
            flags: match style {
                Style::Blocking => SocketFlags::CLOEXEC,
                Style::Evented => FOR_EVENT_LOOPS,
            },
            interest: Interest::named(name),
            paused_until: None,
            complaint: Complaint::default(),
        }
    }

    /// Whether nothing more is accepted.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.listener.is_none()
    }

    /// Watch the listener where connections are `wanted`, and not otherwise.
    ///
    /// # Errors
    /// No memory is left.
    pub fn watch(&mut self, reactor: &Reactor, wanted: bool) -> io::Result<()> {
        // First, for a pause that is over must not be a deadline any more.
        let wanted = !self.is_paused() && wanted;
        match &self.listener {
            Some(listener) => self.interest.set(reactor, listener, wanted),
            None => Ok(()),
        }
    }

    /// The next connection; nothing where none has arrived or none can be had now.
    pub fn accept(&mut self) -> Option<TcpStream> {
        if self.is_paused() {
            return None;
        }
        let accepted = accept(self.listener.as_ref()?.as_fd(), self.flags);
        accepted.unwrap_or_else(|error| {
            self.paused_until = Some(Instant::now() + PAUSE);
            self.complaint.make_of(&error);
            None
        })
    }

    /// Leave the listener alone for a while, for what is accepted could not be served.
    pub fn pause(&mut self, why: impl Display) {
        self.paused_until = Some(Instant::now() + PAUSE);
        self.complaint.make(why);
    }

    /// Whether the listener is still left alone.
    pub fn is_paused(&mut self) -> bool {
        let is_over = |until| until <= Instant::now();
        if self.paused_until.is_some_and(is_over) {
            self.paused_until = None;
        }
        self.paused_until.is_some()
    }

    /// When to accept again, although the kernel tells of nothing.
    #[must_use]
    pub const fn retry_at(&self) -> Option<Instant> {
        self.paused_until
    }

    /// Accept nothing more. What the kernel has connected already comes back; closing the listener would
    /// reset it. No more than the queue can hold, for while it is emptied it may fill.
    pub fn close(&mut self, reactor: &Reactor) -> Vec<TcpStream> {
        self.paused_until = None;
        let left = (0..BACKLOG).map_while(|_| self.accept()).collect();
        if let Some(listener) = self.listener.take() {
            reactor.forget(&listener);
        }
        self.paused_until = None;
        left
    }
}

/// Nothing where none has arrived.
fn accept(listener: BorrowedFd<'_>, flags: SocketFlags) -> io::Result<Option<TcpStream>> {
    loop {
        match accept_with(listener, flags) {
            Ok(socket) => return Ok(Some(socket.into())),
            Err(Errno::AGAIN) => return Ok(None),
            // The client gave up before it was accepted: no reason to wait before the next one.
            Err(Errno::CONNABORTED | Errno::CONNRESET | Errno::PROTO | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;
    use crate::listener::listen;

    fn entrance() -> (Entrance, SocketAddr) {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (listener, address) = listen(anywhere, Style::Evented).unwrap();
        (Entrance::new(listener, Style::Blocking, 1), address)
    }

    #[test]
    fn an_entrance_is_watched_while_connections_are_wanted_and_can_be_had() {
        let (mut entrance, address) = entrance();
        let mut reactor = Reactor::new().unwrap();
        let _client = TcpStream::connect(address).unwrap();
        let mut told = |entrance: &mut Entrance, wanted| {
            entrance.watch(&reactor, wanted).unwrap();
            reactor.wait(Some(Instant::now())).unwrap().len()
        };
        assert_eq!(told(&mut entrance, false), 0);
        assert_eq!(told(&mut entrance, true), 1);
        entrance.pause("a test wants it so");
        assert!(entrance.accept().is_none());
        assert_eq!(told(&mut entrance, true), 0);
        entrance.paused_until = Some(Instant::now());
        assert!(entrance.accept().is_some());
        assert_eq!(entrance.retry_at(), None);
    }

    #[test]
    fn what_has_arrived_when_an_entrance_closes_is_not_lost() {
        let (mut entrance, address) = entrance();
        let reactor = Reactor::new().unwrap();
        let _clients: Vec<_> = (0..3)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        entrance.pause("a test wants it so");
        assert_eq!(entrance.close(&reactor).len(), 3);
        assert!(entrance.is_closed() && entrance.accept().is_none());
        assert!(TcpStream::connect(address).is_err());
    }
}
