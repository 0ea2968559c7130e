//! Readiness: one `epoll_wait` for as many answers as have come, one `recv` and one `send` for each.
//!
//! Sockets are registered once, edge-triggered, for everything; there is no further `epoll_ctl`.
//! With edges, all that an event stands for must be read. A read that did not fill the buffer
//! emptied the socket of bytes, and saves the read that would say so; but a close that came together
//! with the bytes was part of the same edge. The kernel says so in the event (`EPOLLRDHUP`), and
//! then reading goes on to the end.

use std::{collections::VecDeque, io, sync::Arc};

use rustix::{
    event::{
        EventfdFlags, Timespec,
        epoll::{self, CreateFlags, EventData, EventFlags},
        eventfd,
    },
    fd::OwnedFd,
    io::Errno,
    net::{RecvFlags, SendFlags, connect, recv, send, sockopt},
};

use super::{Event, Route, Transport, open};

const EVENTS_AT_ONCE: usize = 512;
/// The slot of the waker.
const WAKER: u32 = u32::MAX;

#[derive(Debug, Default)]
struct Socket {
    fd: Option<OwnedFd>,
    /// Told from earlier sockets of the slot by this.
    generation: u32,
    connecting: bool,
    /// Bytes of the request the kernel has not taken yet.
    unsent: usize,
}

/// The transport that is there on every Linux since 5.11 (`epoll_pwait2`).
pub struct Epoll {
    epoll: OwnedFd,
    waker: OwnedFd,
    request: Arc<[u8]>,
    sockets: Vec<Socket>,
    events: Vec<epoll::Event>,
    next: usize,
    /// A slot whose socket is to be read, and whether its peer closed.
    reading: Option<(u32, bool)>,
    /// Slots whose sockets may hold more than a buffer took: their turn comes after all others'.
    unread: VecDeque<(u32, bool)>,
}

impl Transport for Epoll {
    fn new(slots: usize, request: Arc<[u8]>) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let waker = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        // Never read: with edges every write to it counts.
        epoll::add(
            &epoll,
            &waker,
            EventData::new_u64(data(WAKER, 0)),
            EventFlags::IN | EventFlags::ET,
        )?;
        Ok(Self {
            epoll,
            waker,
            request,
            sockets: (0..slots).map(|_| Socket::default()).collect(),
            events: Vec::with_capacity(EVENTS_AT_ONCE),
            next: 0,
            reading: None,
            unread: VecDeque::new(),
        })
    }

    fn connect(&mut self, slot: u32, route: &Route) -> io::Result<()> {
        let fd = open(route)?;
        let socket = &mut self.sockets[slot as usize];
        socket.generation = socket.generation.wrapping_add(1);
        epoll::add(
            &self.epoll,
            &fd,
            EventData::new_u64(data(slot, socket.generation)),
            EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET,
        )?;
        match connect(&fd, &route.to) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(errno) => return Err(errno.into()),
        }
        socket.connecting = true;
        socket.unsent = 0;
        socket.fd = Some(fd);
        Ok(())
    }

    fn send(&mut self, slot: u32) -> io::Result<()> {
        let socket = &mut self.sockets[slot as usize];
        socket.unsent = self.request.len();
        go_on_sending(socket, &self.request)
    }

    fn close(&mut self, slot: u32) {
        self.sockets[slot as usize].fd = None;
        if self.reading.is_some_and(|(reading, _)| reading == slot) {
            self.reading = None;
        }
        self.unread.retain(|&(unread, _)| unread != slot);
    }

    fn wait(&mut self, timeout_ns: u64) -> io::Result<()> {
        // Edges that were not looked at yet would be lost.
        if self.next < self.events.len() || !self.unread.is_empty() {
            return Ok(());
        }
        self.next = 0;
        self.events.clear();
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout_ns / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(timeout_ns % 1_000_000_000).unwrap_or(0),
        };
        let events = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.epoll, events, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn next(&mut self, buffer: &mut [u8]) -> Option<Event> {
        loop {
            if let Some((slot, closing)) = self.reading.take()
                && let Some(event) = self.read(slot, closing, buffer)
            {
                return Some(event);
            }
            let Some(&event) = self.events.get(self.next) else {
                self.reading = Some(self.unread.pop_front()?);
                continue;
            };
            self.next += 1;
            if let Some(event) = self.look(event) {
                return Some(event);
            }
        }
    }

    fn waker(&self) -> io::Result<OwnedFd> {
        self.waker.try_clone()
    }
}

impl Epoll {
    /// What an event means beside that there may be something to read.
    fn look(&mut self, event: epoll::Event) -> Option<Event> {
        let (slot, generation) = slot_of(event.data.u64());
        let flags = event.flags;
        let socket = self.sockets.get_mut(slot as usize)?;
        let fd = socket.fd.as_ref()?;
        if socket.generation != generation {
            return None;
        }
        let broken = flags.intersects(EventFlags::ERR | EventFlags::HUP);
        let closing = broken || flags.contains(EventFlags::RDHUP);
        let readable = closing || flags.contains(EventFlags::IN);
        if socket.connecting {
            if !broken && !flags.contains(EventFlags::OUT) {
                return None;
            }
            socket.connecting = false;
            let outcome = match sockopt::socket_error(fd) {
                Ok(Ok(())) => Ok(()),
                Ok(Err(errno)) | Err(errno) => Err(errno.into()),
            };
            if outcome.is_ok() && readable {
                self.reading = Some((slot, closing));
            }
            return Some(Event::Connected(slot, outcome));
        }
        if readable {
            self.reading = Some((slot, closing));
        }
        if socket.unsent > 0
            && flags.contains(EventFlags::OUT)
            && let Err(error) = go_on_sending(socket, &self.request)
            && !readable
        {
            return Some(Event::Closed(slot, Some(error)));
        }
        None
    }

    fn read(&mut self, slot: u32, closing: bool, buffer: &mut [u8]) -> Option<Event> {
        let fd = self.sockets[slot as usize].fd.as_ref()?;
        loop {
            match recv(fd, &mut *buffer, RecvFlags::empty()) {
                Ok((0, _)) => return Some(Event::Closed(slot, None)),
                Ok((length, _)) => {
                    if length == buffer.len() {
                        self.unread.push_back((slot, closing));
                    } else if closing {
                        self.reading = Some((slot, closing));
                    }
                    return Some(Event::Bytes {
                        slot,
                        length,
                        closing,
                    });
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return None,
                Err(errno) => return Some(Event::Closed(slot, Some(errno.into()))),
            }
        }
    }
}

/// Sends what remains of the request, or as much of it as the kernel takes.
fn go_on_sending(socket: &mut Socket, request: &[u8]) -> io::Result<()> {
    let Some(fd) = &socket.fd else {
        return Ok(());
    };
    while socket.unsent > 0 {
        match send(
            fd,
            &request[request.len() - socket.unsent..],
            SendFlags::NOSIGNAL,
        ) {
            Ok(taken) => socket.unsent -= taken,
            Err(Errno::AGAIN) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

fn data(slot: u32, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(slot)
}

fn slot_of(data: u64) -> (u32, u32) {
    #[allow(clippy::cast_possible_truncation)]
    {
        (data as u32, (data >> 32) as u32)
    }
}
