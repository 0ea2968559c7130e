//! An event loop that is handed its connections.

use std::{
    io,
    net::TcpStream,
    os::fd::{AsFd, OwnedFd},
};

use rustix::net::RecvFlags;
use tokio::io::unix::AsyncFd;

use super::lane::{Line, Word, receive};
use crate::{
    accept::{Complaint, adopt},
    drain::DrainWatch,
    spin::Spin,
    watched::watched,
};

/// Take what comes along the line and serve each as a task of its own, until the drain begins; then
/// what was passed on before that. An event loop is free again at once.
pub async fn run(mut line: Watched, spin: Spin, mut drain: DrainWatch) {
    let mut complaint = Complaint::default();
    loop {
        let next = tokio::select! {
            biased;
            () = drain.begun() => break,
            next = line.next() => next,
        };
        match next {
            Ok(Some(stream)) => {
                line.line.say(Word::TookAndFree);
                adopt(stream, spin, &drain);
            }
            // Nothing more will come: all that is left to wait for is the order to drain.
            Ok(None) => drain.begun().await,
            // No descriptor for it. Another worker may have one; if there is none, it comes back.
            Err(error) => {
                complaint.make_of_and_pause(&error).await;
                line.line.say(Word::Free);
            }
        }
    }
    while let Some(stream) = line.line.left() {
        line.line.say(Word::Took);
        adopt(stream, spin, &drain);
    }
}

/// A line, and for a socket its registration with the event loop.
#[derive(Debug)]
pub struct Watched {
    line: Line,
    socket: Option<AsyncFd<OwnedFd>>,
}

impl Watched {
    /// Register `line` with the event loop of the calling thread. To be done before the worker says
    /// that it listens, for one that cannot must not be given connections.
    ///
    /// # Errors
    /// No descriptor or memory is left.
    pub fn new(line: Line) -> io::Result<Self> {
        let socket = match &line {
            Line::Socket(socket) => Some(watched(socket.try_clone()?)?),
            Line::Channel { .. } => None,
        };
        Ok(Self { line, socket })
    }

    async fn next(&mut self) -> io::Result<Option<TcpStream>> {
        match (&self.socket, &mut self.line) {
            (Some(socket), _) => next_packet(socket).await,
            (None, Line::Channel { connections, .. }) => Ok(connections.recv().await),
            (None, Line::Socket(_)) => Ok(None),
        }
    }
}

async fn next_packet(socket: &AsyncFd<OwnedFd>) -> io::Result<Option<TcpStream>> {
    loop {
        let mut ready = socket.readable().await?;
        let received = ready.try_io(|socket| receive(socket.as_fd(), RecvFlags::DONTWAIT));
        if let Ok(received) = received {
            return received;
        }
    }
}
