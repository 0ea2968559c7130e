//! What the primary holds so that connections find workers: by accept policy, listeners or an acceptor.
//!
//! All of it is made before there is a worker and outlives every one of them, so nothing that waits in
//! the kernel is lost when workers come and go.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    time::Instant,
};

use nix::unistd::Pid;
use schema::{Accept, Model, Style};

use crate::{
    accept::{
        entrance::Entrance,
        gate::SharedGate,
        handoff::{
            acceptor::{Acceptor, Passed},
            lane::{self, SocketLane, Word},
        },
        reuseport::Group,
    },
    failure::Failure,
    listener::listen,
    options::Wake,
    reactor::Reactor,
    worker::Intake,
};

use super::member::Source;

/// By policy.
#[derive(Debug)]
pub enum Doors {
    /// One listener for all, behind a lock or not.
    Shared {
        /// That of all workers.
        listener: Option<TcpListener>,
        /// What stands before accepting.
        gate: SharedGate,
        /// Whom a connection wakes.
        wake: Wake,
    },
    /// A listener for each seat.
    Reuseport(Group),
    /// One acceptor.
    Handoff {
        /// Accepts and deals.
        acceptor: Acceptor<Pid, TcpStream>,
        /// How workers wait for theirs.
        style: Style,
    },
}

/// What a worker about to be made gets of the doors, and what stays.
#[derive(Debug)]
pub struct Key {
    /// The worker's.
    pub intake: Intake,
    /// The primary's, where connections are handed to the worker.
    pub lane: Option<SocketLane>,
}

impl Doors {
    /// For so many workers of this model; the result names the real address.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn open(
        model: Model,
        wake: Wake,
        address: SocketAddr,
        workers: usize,
    ) -> Result<(Self, SocketAddr), Failure> {
        let style = model.style;
        Ok(match model.accept {
            Accept::Reuseport => {
                let group = Group::listen(address, workers, style)?;
                let address = group.address();
                (Self::Reuseport(group), address)
            }
            Accept::Handoff => {
                let (listener, address) = listen(address, Style::Evented)?;
                let entrance = Entrance::new(listener, style, Source::Listener.into());
                let acceptor = Acceptor::new(entrance);
                (Self::Handoff { acceptor, style }, address)
            }
            policy => {
                let (listener, address) = listen(address, style)?;
                let shared = Self::Shared {
                    listener: Some(listener),
                    gate: SharedGate::of(policy)?,
                    wake,
                };
                (shared, address)
            }
        })
    }

    /// For the next worker of `seat`.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn key(&self, seat: usize) -> io::Result<Key> {
        let (intake, lane) = match self {
            Self::Shared {
                listener,
                gate,
                wake,
            } => {
                let intake = Intake::Shared {
                    listener: listener
                        .as_ref()
                        .ok_or(io::ErrorKind::NotFound)?
                        .try_clone()?,
                    gate: gate.clone(),
                    wake: *wake,
                };
                (intake, None)
            }
            Self::Reuseport(group) => (Intake::Own(group.of_seat(seat)?), None),
            Self::Handoff { style, .. } => {
                let (lane, end) = lane::to_process(*style)?;
                (Intake::Line(end), Some(lane))
            }
        };
        Ok(Key { intake, lane })
    }

    /// There is one seat more, `seats` now.
    ///
    /// # Errors
    /// There can be no listener for it.
    pub fn grow(&mut self, seats: usize) -> Result<(), Failure> {
        if let Self::Reuseport(group) = self {
            while group.len() < seats {
                group.grow()?;
            }
            group.steer(seats)?;
        }
        Ok(())
    }

    /// There are only `seats` left: no new connections for the others.
    ///
    /// # Errors
    /// The kernel takes no such orders; connections may then be lost as a listener is closed.
    pub fn narrow(&self, seats: usize) -> io::Result<()> {
        match self {
            Self::Reuseport(group) => group.steer(seats),
            Self::Shared { .. } | Self::Handoff { .. } => Ok(()),
        }
    }

    /// Nobody is left in the seats from `seats` on: their listeners are closed. If connections are
    /// queued for one it stays, and a worker for that seat must see to them first.
    pub fn shrink(&mut self, seats: usize) -> Option<usize> {
        let Self::Reuseport(group) = self else {
            return None;
        };
        let queued = (seats..group.len()).find(|&seat| group.has_arrivals(seat));
        if queued.is_none() {
            self.shut(seats);
        }
        queued
    }

    /// Close the listeners of the seats from `seats` on, whatever is queued for them.
    pub fn shut(&mut self, seats: usize) {
        if let Self::Reuseport(group) = self
            && group.len() > seats
        {
            while group.len() > seats {
                group.shrink();
            }
            // The kernel's own hash again; where that fails, shares stay as they were drawn.
            let _ = group.steer(seats);
        }
    }

    /// A worker accepts connections.
    pub fn join(&mut self, worker: Pid) {
        if let Self::Handoff { acceptor, .. } = self {
            acceptor.join(worker);
        }
    }

    /// A worker is to accept no more.
    pub fn retire(&mut self, worker: Pid) {
        if let Self::Handoff { acceptor, .. } = self {
            acceptor.retire(worker);
        }
    }

    /// A worker has ended; what it held is free.
    pub fn leave(&mut self, worker: Pid) {
        match self {
            Self::Handoff { acceptor, .. } => acceptor.leave(worker),
            Self::Shared { gate, .. } => gate.free_of(worker),
            Self::Reuseport(_) => {}
        }
    }

    /// Have the reactor tell of connections where the primary accepts, as long as somebody could have
    /// them.
    ///
    /// # Errors
    /// No memory is left.
    pub fn watch(&mut self, reactor: &Reactor) -> io::Result<()> {
        match self {
            Self::Handoff { acceptor, .. } => acceptor.watch(reactor),
            Self::Shared { .. } | Self::Reuseport(_) => Ok(()),
        }
    }

    /// When to accept again at a listener that gave no connections.
    #[must_use]
    pub fn retry_at(&self) -> Option<Instant> {
        match self {
            Self::Handoff { acceptor, .. } => acceptor.retry_at(),
            Self::Shared { .. } | Self::Reuseport(_) => None,
        }
    }

    /// Take what has arrived at the primary's listener.
    pub fn accept(&mut self) {
        if let Self::Handoff { acceptor, .. } = self {
            acceptor.accept();
        }
    }

    /// A worker spoke of what it was handed.
    pub fn heard(&mut self, worker: Pid, word: Word) {
        if let Self::Handoff { acceptor, .. } = self {
            acceptor.heard(worker, word);
        }
    }

    /// Hand what waits to whom is free.
    pub fn deal(&mut self, pass: impl FnMut(Pid, &mut TcpStream) -> Passed) {
        if let Self::Handoff { acceptor, .. } = self {
            acceptor.deal(pass);
        }
    }

    /// Accept nothing more: the kernel takes connections for a listener as long as anyone holds it.
    /// What an acceptor holds is passed to `workers` in turn, whatever they have.
    pub fn close(
        &mut self,
        reactor: &Reactor,
        workers: &[Pid],
        pass: impl FnMut(Pid, &mut TcpStream) -> Passed,
    ) {
        match self {
            Self::Shared { listener, .. } => *listener = None,
            Self::Reuseport(group) => group.close(),
            Self::Handoff { acceptor, .. } => acceptor.close(reactor, workers, pass),
        }
    }
}
