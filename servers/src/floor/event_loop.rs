//! The loop: wait, give turns, accept, obey.
//!
//! # One round
//! Wait for events; read the clock; give every connection that an event names its turn; accept what
//! has arrived, each with a first turn at once; give another turn to those that asked for one; look
//! whether the server was told to stop.
//!
//! # The drain
//! When told to stop, it accepts what the kernel has connected already, closes the listener, and
//! gives every connection a turn: what was asked before is answered, with word that the connection
//! ends, and connections on which no request has begun are closed. A request of which a part has come
//! is waited for, and so is a client that has yet to take its answers, until the drain timeout or
//! a second signal.
//!
//! # Names of connections
//! An event carries a connection's place in the table. Places are given anew only after the events
//! of a round are dealt with, so no event finds a stranger. A wish for another turn may; the
//! stranger gets a turn that it did not need.

use std::{
    collections::VecDeque,
    io, mem,
    net::TcpListener,
    process,
    time::{Duration, Instant},
};

use nix::time::{ClockId, clock_gettime};
use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, Event, EventData, EventFlags},
    },
    fd::{AsFd, OwnedFd},
    io::Errno,
};
use slab::Slab;

use super::{
    arrivals::Arrivals,
    connection::{Connection, Desk, Next},
    responder::Responder,
};
use crate::{end::End, failure::Failure, listener::BACKLOG, signals::Signals};

/// Events taken in one round.
const MOST_EVENTS: usize = 1024;

/// Connections accepted in one round, so that those already there are not forgotten over them.
const MOST_ACCEPTED: usize = 256;

const LISTENER: u64 = u64::MAX;
const SIGNALS: u64 = u64::MAX - 1;

/// Bytes to read, or the end of them.
const READING: EventFlags = EventFlags::IN
    .union(EventFlags::RDHUP)
    .union(EventFlags::ET);
const READING_AND_ROOM: EventFlags = READING.union(EventFlags::OUT);
const CLIENT_ENDED: EventFlags = EventFlags::RDHUP
    .union(EventFlags::HUP)
    .union(EventFlags::ERR);

/// A connection in the table.
#[derive(Debug)]
struct Seated {
    connection: Connection,
    /// Whether the kernel tells when there is room to send. It is asked to only once a client was
    /// found not to read, and stays asked.
    watched_for_room: bool,
    /// Whether it is in the list of those that asked for another turn.
    listed: bool,
}

/// One event loop and all its connections.
pub struct EventLoop {
    epoll: OwnedFd,
    events: Vec<Event>,
    signals: Signals,
    /// Gone once the drain has begun.
    arrivals: Option<Arrivals>,
    /// Whether more may have arrived than were accepted.
    more_arrived: bool,
    connections: Slab<Seated>,
    /// Who asked for another turn.
    again: VecDeque<usize>,
    desk: Desk,
    told_to_stop: bool,
}

impl EventLoop {
    /// A loop that serves what arrives at `listener`, which must not block, and obeys `signals`.
    ///
    /// # Errors
    /// No descriptor or memory is left.
    pub fn new(listener: TcpListener, signals: Signals) -> Result<Self, Failure> {
        let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(io::Error::from)?;
        let watch = |source: &dyn AsFd, name, flags| {
            epoll::add(&epoll, source.as_fd(), EventData::new_u64(name), flags)
        };
        watch(&listener, LISTENER, READING).map_err(io::Error::from)?;
        watch(&signals, SIGNALS, EventFlags::IN).map_err(io::Error::from)?;
        Ok(Self {
            epoll,
            events: Vec::with_capacity(MOST_EVENTS),
            signals,
            arrivals: Some(Arrivals::new(listener)),
            more_arrived: false,
            connections: Slab::new(),
            again: VecDeque::new(),
            desk: Desk::new(Responder::new(process::id(), now_s())),
            told_to_stop: false,
        })
    }

    /// Serve until told to stop and drained.
    ///
    /// # Errors
    /// The kernel does not let it wait.
    pub fn run(mut self, drain_timeout: Duration) -> Result<End, Failure> {
        while !mem::take(&mut self.told_to_stop) {
            let retry_at = self.arrivals.as_ref().and_then(Arrivals::retry_at);
            self.round(retry_at)?;
        }
        let deadline = Instant::now() + drain_timeout;
        self.begin_drain();
        loop {
            let open = self.connections.len();
            if open == 0 {
                return Ok(End::Drained);
            }
            if self.told_to_stop {
                return Ok(End::Hurried(open));
            }
            if Instant::now() >= deadline {
                return Ok(End::TimedOut(open));
            }
            self.round(Some(deadline))?;
        }
    }

    fn round(&mut self, until: Option<Instant>) -> Result<(), Failure> {
        self.wait(until)?;
        self.desk.responder.set_date(now_s());

        let mut events = mem::take(&mut self.events);
        let wishes = self.again.len();
        for event in events.drain(..) {
            match event.data.u64() {
                LISTENER => self.more_arrived = true,
                SIGNALS => self.told_to_stop |= self.signals.pending()?.stop,
                name => self.tell(name, event.flags),
            }
        }
        self.events = events;
        self.accept();
        for _ in 0..wishes {
            self.give_another_turn();
        }
        Ok(())
    }

    fn wait(&mut self, until: Option<Instant>) -> Result<(), Failure> {
        let at_most = if self.more_arrived || !self.again.is_empty() {
            Some(Duration::ZERO)
        } else {
            until.map(|until| until.saturating_duration_since(Instant::now()))
        };
        let at_most = at_most.map(|time| Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        });
        let room = spare_capacity(&mut self.events);
        match epoll::wait(&self.epoll, room, at_most.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    fn tell(&mut self, name: u64, flags: EventFlags) {
        let Ok(key) = usize::try_from(name) else {
            return;
        };
        if flags.intersects(CLIENT_ENDED)
            && let Some(seated) = self.connections.get_mut(key)
        {
            seated.connection.client_ended();
        }
        self.turn(key);
    }

    fn give_another_turn(&mut self) {
        let Some(key) = self.again.pop_front() else {
            return;
        };
        if let Some(seated) = self.connections.get_mut(key) {
            seated.listed = false;
        }
        self.turn(key);
    }

    fn turn(&mut self, key: usize) {
        let Some(seated) = self.connections.get_mut(key) else {
            return;
        };
        match seated.connection.turn(&mut self.desk) {
            Next::Wait => {}
            Next::Again => {
                if !mem::replace(&mut seated.listed, true) {
                    self.again.push_back(key);
                }
            }
            Next::Close => {
                self.connections.remove(key);
                return;
            }
        }
        if seated.connection.needs_room() && !seated.watched_for_room {
            seated.watched_for_room = true;
            let data = EventData::new_u64(key as u64);
            let source = &seated.connection;
            if epoll::modify(&self.epoll, source, data, READING_AND_ROOM).is_err() {
                self.connections.remove(key);
            }
        }
    }

    /// Accept what has arrived, if anything has.
    fn accept(&mut self) {
        let Some(mut arrivals) = self.arrivals.take() else {
            return;
        };
        let due = arrivals.retry_at().is_some_and(|at| at <= Instant::now());
        if self.more_arrived || due {
            self.more_arrived = self.accept_up_to(MOST_ACCEPTED, &mut arrivals);
        }
        self.arrivals = Some(arrivals);
    }

    /// Whether there may be more.
    fn accept_up_to(&mut self, most: usize, arrivals: &mut Arrivals) -> bool {
        for _ in 0..most {
            let Some(socket) = arrivals.accept() else {
                return false;
            };
            self.adopt(Connection::new(socket));
        }
        true
    }

    /// A request is often there as soon as its connection is. One that is alone on its connection
    /// is answered here, and the connection is closed before it was ever registered.
    fn adopt(&mut self, mut connection: Connection) {
        let next = connection.turn(&mut self.desk);
        if next == Next::Close {
            return;
        }
        let watched_for_room = connection.needs_room();
        let flags = if watched_for_room {
            READING_AND_ROOM
        } else {
            READING
        };
        let entry = self.connections.vacant_entry();
        let key = entry.key();
        // Registering tells at once of whatever is already there. Where the kernel has no memory to
        // register anything, the connection is lost, as it is where it has none to accept it.
        if epoll::add(
            &self.epoll,
            &connection,
            EventData::new_u64(key as u64),
            flags,
        )
        .is_ok()
        {
            entry.insert(Seated {
                connection,
                watched_for_room,
                listed: next == Next::Again,
            });
            if next == Next::Again {
                self.again.push_back(key);
            }
        }
    }

    fn begin_drain(&mut self) {
        self.desk.draining = true;
        // Clients in the kernel's queue are connected as far as they know, and closing the listener
        // would reset them. No more than the queue can hold, for while it is emptied it may fill.
        if let Some(mut arrivals) = self.arrivals.take() {
            let most = usize::try_from(BACKLOG).unwrap_or_default();
            self.accept_up_to(most, &mut arrivals);
        }
        self.more_arrived = false;
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.turn(key);
        }
    }
}

/// Seconds since the epoch, by a clock that is read without a system call and no more often than
/// the kernel's timer sets it.
fn now_s() -> u64 {
    clock_gettime(ClockId::CLOCK_REALTIME_COARSE)
        .ok()
        .and_then(|now| u64::try_from(now.tv_sec()).ok())
        .unwrap_or_default()
}
