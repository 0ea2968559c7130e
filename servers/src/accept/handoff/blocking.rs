//! A blocking worker that is handed its connections: it is free again once it is done with one.

use std::{io, net::TcpStream, thread};

use rustix::net::RecvFlags;

use super::lane::{Line, Word, receive};
use crate::{
    accept::{Complaint, PAUSE},
    blocking::{
        Attention, Source,
        standing::{Purpose, Severable, retiring},
    },
};

/// A line as the source of connections.
#[derive(Debug)]
pub struct Waiting<'a> {
    line: Line,
    /// Of a process: the descriptor that it blocks on, from which orders sever it. A thread waits for
    /// its channel, which is closed as orders are given.
    socket: Option<Severable<'a>>,
    serving: bool,
    complaint: Complaint,
}

impl<'a> Waiting<'a> {
    /// At the end of `line`, in the thread of `attention`.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new(line: Line, attention: &'a Attention) -> io::Result<Self> {
        let socket = match &line {
            Line::Socket(socket) => {
                let own = socket.try_clone()?;
                Some(Severable::new(Purpose::Arrivals, own, attention))
            }
            Line::Channel { .. } => None,
        };
        Ok(Self {
            line,
            socket,
            serving: false,
            complaint: Complaint::default(),
        })
    }

    /// The next packet; nothing once the acceptor is gone or the worker was told to take no more.
    fn next_packet(&mut self) -> Option<TcpStream> {
        let socket = self.socket.as_ref()?;
        while !retiring() {
            match receive(socket.to_block_on(), RecvFlags::empty()) {
                Ok(received) => return received,
                Err(_) if retiring() => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // No descriptor for it. Another worker may have one; if there is none, it comes back.
                Err(error) => {
                    self.complaint.make_of(&error);
                    thread::sleep(PAUSE);
                    self.line.say(Word::Free);
                }
            }
        }
        None
    }
}

impl Source for Waiting<'_> {
    fn next(&mut self) -> Option<TcpStream> {
        if std::mem::take(&mut self.serving) {
            self.line.say(Word::Free);
        }
        let next = match &mut self.line {
            Line::Socket(_) => self.next_packet(),
            Line::Channel { connections, .. } => connections.blocking_recv(),
        };
        if next.is_some() {
            self.serving = true;
            self.line.say(Word::Took);
        }
        next
    }

    fn left(&mut self) -> Option<TcpStream> {
        let left = self.line.left();
        if left.is_some() {
            self.line.say(Word::Took);
        }
        left
    }
}
