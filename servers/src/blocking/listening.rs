//! Connections from a listener that blocks, which other workers may wait on as well.
//!
//! # What the kernel does
//! Workers asleep in `accept` are in one line, and a new connection wakes the first of them only:
//! there is no race that all but one lose, and who waits longest is next.
//!
//! Behind a gate the line is the lock's, and one worker at a time is in `accept`. The drain ignores
//! the gate.
//!
//! # The drain
//! The listener goes on blocking, for the flag that says so belongs to the open socket and to all
//! who have it. So taking what is left without waiting needs help: a worker that saw a connection
//! may find that another took it, and would sleep. It has itself interrupted then, and knows that
//! nothing is left.

use std::{
    io,
    net::{TcpListener, TcpStream},
    os::fd::BorrowedFd,
    thread,
    time::Instant,
};

use rustix::net::{SocketFlags, accept_with};

use super::{
    Source,
    attention::{Attention, knocks},
    standing::{Purpose, Severable, retiring},
    turn::Turn,
};
use crate::{
    accept::{Complaint, PAUSE, concerns_one_connection, gate::Gate},
    listener::BACKLOG,
    poll,
};

/// A listener as the source of connections.
#[derive(Debug)]
pub struct Listening<'a> {
    listener: Severable<'a>,
    turn: Turn<'a>,
    complaint: Complaint,
    /// How many the queue may have held when the drain began. While it is emptied it may fill.
    may_be_left: i32,
}

impl<'a> Listening<'a> {
    /// Accept from `listener`, which must block, behind `gate`. Threads each need a number of their own for it, as
    /// [`TcpListener::try_clone`] gives.
    #[must_use]
    pub fn new(listener: TcpListener, gate: Gate, attention: &'a Attention) -> Self {
        Self {
            listener: Severable::new(Purpose::Arrivals, listener.into(), attention),
            turn: Turn::behind(gate, attention),
            complaint: Complaint::default(),
            may_be_left: BACKLOG,
        }
    }
}

impl Source for Listening<'_> {
    fn next(&mut self) -> Option<TcpStream> {
        while !retiring() {
            if !self.turn.wait() {
                continue;
            }
            let accepted = accept(self.listener.to_block_on());
            self.turn.end();
            match accepted {
                Ok(stream) => return Some(stream),
                Err(_) if retiring() => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    self.complaint.make_of(&error);
                    thread::sleep(PAUSE);
                }
            }
        }
        None
    }

    fn left(&mut self) -> Option<TcpStream> {
        while self.may_be_left > 0 {
            let listener = self.listener.kept();
            let readable = poll::readable(&[listener], Some(Instant::now())).ok()?;
            if !readable[0] {
                return None;
            }
            let _knocks = knocks().ok()?;
            self.may_be_left -= 1;
            match accept(listener) {
                Ok(stream) => return Some(stream),
                Err(error) if concerns_one_connection(&error) => {}
                Err(_) => return None,
            }
        }
        None
    }
}

fn accept(listener: BorrowedFd<'_>) -> io::Result<TcpStream> {
    Ok(accept_with(listener, SocketFlags::CLOEXEC)?.into())
}
