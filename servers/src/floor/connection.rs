//! One connection: a socket, and the bytes of it that are not dealt with.
//!
//! A connection gets a *turn* whenever something may have changed: one `recv`, one `send`, and then
//! it is another's turn. Whether there was anything to do is found out by doing it, so a turn too
//! many costs one system call and does no harm.
//!
//! # Why no turn is missed
//! The kernel tells of a change once (edge-triggered). A turn therefore either leaves nothing to be
//! done, which a `recv` says by not filling its buffer, or asks for another turn ([`Next::Again`]),
//! or sees to it that the kernel tells again: a `send` that was cut short makes it tell when there
//! is room. One exception: bytes and the end of the stream may be one change, and a `recv` that
//! gives the bytes does not tell of the end. The event does, and from then on every turn that reads
//! anything asks for another.
//!
//! # Clients that do not read, and such as do not stop writing
//! While an answer is not sent, nothing is received, so the client's own writes come to a stop, and
//! what is held for it is bounded. After an answer that ends the connection, what the client goes
//! on sending is read and dropped: closing a socket with unread bytes would reset the connection,
//! and the answer could be lost with it (RFC 9112, 9.6).

use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    io::Errno,
    net::{self, RecvFlags, SendFlags, Shutdown},
};

use super::{
    head,
    responder::{Course, Responder},
};

/// Room to receive into: a longest head, and as much again.
const INPUT: usize = 2 * head::LONGEST;

/// Most bytes that are dropped after the last answer before the connection is, too.
const MOST_DROPPED: usize = 1 << 20;

/// What all connections use, one after the other.
#[derive(Debug)]
pub struct Desk {
    /// Answers requests.
    pub responder: Responder,
    /// Whether every connection is to end with what was already asked.
    pub draining: bool,
    input: Box<[u8]>,
    output: Vec<u8>,
}

impl Desk {
    /// An empty one.
    #[must_use]
    pub fn new(responder: Responder) -> Self {
        Self {
            responder,
            draining: false,
            input: vec![0; INPUT].into(),
            output: Vec::new(),
        }
    }
}

/// What a connection needs after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another turn when the kernel tells of a change.
    Wait,
    /// Another turn in any case, after the others had theirs.
    Again,
    /// Nothing: to be closed.
    Close,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Requests are answered.
    Open,
    /// The last answer is being sent; whether the client may go on sending.
    Ending { unheard: bool },
    /// All is said, and what comes is dropped, so many bytes more.
    Dropping { left: usize },
}

/// What a `recv` gave.
enum Received {
    Bytes(usize),
    Nothing,
    End,
}

/// The client has gone, or the connection broke: there is nobody to tell.
struct Broken;

/// One connection.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
    stage: Stage,
    /// Received and not answered: the beginning of a request, or requests that wait behind answers
    /// the client does not take.
    unanswered: Vec<u8>,
    unsent: Vec<u8>,
    client_ended: bool,
}

impl Connection {
    /// Takes a socket that does not block.
    #[must_use]
    pub const fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            stage: Stage::Open,
            unanswered: Vec::new(),
            unsent: Vec::new(),
            client_ended: false,
        }
    }

    /// Whether it waits for its client to make room.
    #[must_use]
    pub const fn needs_room(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// The kernel told that no more bytes will come than are there.
    pub const fn client_ended(&mut self) {
        self.client_ended = true;
    }

    /// Do what can be done without waiting.
    pub fn turn(&mut self, desk: &mut Desk) -> Next {
        self.try_turn(desk).unwrap_or(Next::Close)
    }

    fn try_turn(&mut self, desk: &mut Desk) -> Result<Next, Broken> {
        if self.needs_room() {
            let unsent = std::mem::take(&mut self.unsent);
            self.send(&unsent)?;
            if self.needs_room() {
                return Ok(Next::Wait);
            }
        }
        match self.stage {
            Stage::Open => self.serve(desk),
            Stage::Ending { unheard } => self.end(unheard),
            Stage::Dropping { left } => self.drop_input(left, desk),
        }
    }

    fn serve(&mut self, desk: &mut Desk) -> Result<Next, Broken> {
        let held = self.unanswered.len();
        desk.input[..held].copy_from_slice(&self.unanswered);
        self.unanswered = Vec::new();
        let received = self.receive(&mut desk.input[held..])?;
        let filled = match received {
            Received::Bytes(count) => held + count,
            Received::Nothing | Received::End => held,
        };
        let more = self.may_have_more(&received, filled == INPUT);

        desk.output.clear();
        let last = desk.draining && !more;
        let input = &desk.input[..filled];
        let responded = desk.responder.respond(input, last, &mut desk.output);
        if !desk.output.is_empty() {
            self.send(&desk.output)?;
        }

        match responded.course {
            Course::End => self.stage = Stage::Ending { unheard: more },
            Course::EndUnheard => self.stage = Stage::Ending { unheard: true },
            Course::Listen | Course::Full => {
                self.unanswered.extend_from_slice(&input[responded.used..]);
            }
        }
        if self.needs_room() {
            // The next turn, which room will bring, begins by receiving, whatever is known now.
            return Ok(Next::Wait);
        }
        if let Stage::Ending { unheard } = self.stage {
            return self.end(unheard);
        }
        Ok(if more || responded.course == Course::Full {
            Next::Again
        } else if matches!(received, Received::End) || desk.draining && self.is_idle() {
            Next::Close
        } else {
            Next::Wait
        })
    }

    /// Whether the socket may have something that no event will tell of.
    const fn may_have_more(&self, received: &Received, full: bool) -> bool {
        match received {
            Received::Bytes(_) => full || self.client_ended,
            // Where there was no room to receive into, nothing is known.
            Received::Nothing => full,
            Received::End => false,
        }
    }

    /// Whether no request has begun. Empty lines before a request are none of it.
    fn is_idle(&self) -> bool {
        self.unanswered
            .iter()
            .all(|byte| matches!(byte, b'\r' | b'\n'))
    }

    /// The last answer is sent.
    fn end(&mut self, unheard: bool) -> Result<Next, Broken> {
        if !unheard {
            return Ok(Next::Close);
        }
        net::shutdown(&self.socket, Shutdown::Write).map_err(|_| Broken)?;
        self.stage = Stage::Dropping { left: MOST_DROPPED };
        Ok(Next::Again)
    }

    fn drop_input(&mut self, left: usize, desk: &mut Desk) -> Result<Next, Broken> {
        let received = self.receive(&mut desk.input)?;
        let count = match received {
            Received::Bytes(count) => count,
            Received::Nothing => 0,
            Received::End => return Ok(Next::Close),
        };
        let Some(left) = left.checked_sub(count) else {
            return Ok(Next::Close);
        };
        self.stage = Stage::Dropping { left };
        Ok(if self.may_have_more(&received, count == INPUT) {
            Next::Again
        } else if desk.draining {
            // The client has its answer and knows that it was the last.
            Next::Close
        } else {
            Next::Wait
        })
    }

    fn receive(&self, room: &mut [u8]) -> Result<Received, Broken> {
        if room.is_empty() {
            return Ok(Received::Nothing);
        }
        match net::recv(&self.socket, room, RecvFlags::empty()) {
            Ok((_, 0)) => Ok(Received::End),
            Ok((_, count)) => Ok(Received::Bytes(count)),
            Err(Errno::AGAIN) => Ok(Received::Nothing),
            Err(_) => Err(Broken),
        }
    }

    /// Send what the kernel takes of `bytes`, and keep the rest.
    fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let sent = match net::send(&self.socket, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) => sent,
            Err(Errno::AGAIN) => 0,
            Err(_) => return Err(Broken),
        };
        if sent < bytes.len() {
            self.unsent = bytes[sent..].to_vec();
        }
        Ok(())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
