//! The way from the acceptor to one worker, and the worker's words back.
//!
//! To a process it is a Unix socket pair: one packet for each connection, which travels as a
//! descriptor (`SCM_RIGHTS`), and one packet for each word. To a thread it is a channel, and one more for the
//! words of all, with an eventfd beside it that the acceptor can wait on.
//!
//! The acceptor never waits for a lane: a worker has at most one connection that it has not taken,
//! so there is always room.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::TcpStream,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
};

use rustix::{
    event::{EventfdFlags, eventfd},
    io::{Errno, read, write},
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, send, sendmsg,
        socketpair,
    },
};
use schema::Style;
use tokio::sync::mpsc;

use super::acceptor::Passed;

/// What a worker says of the connection it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It has it, and whoever passed it on may let it go.
    Took,
    /// It may be given the next.
    Free,
    /// Both at once.
    TookAndFree,
}

impl Word {
    const fn byte(self) -> u8 {
        match self {
            Self::Took => 1,
            Self::Free => 2,
            Self::TookAndFree => 3,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Took),
            2 => Some(Self::Free),
            3 => Some(Self::TookAndFree),
            _ => None,
        }
    }
}

/// The acceptor's end of a lane to a process.
#[derive(Debug)]
pub struct SocketLane(OwnedFd);

/// A lane to a process; its worker's end waits as the style does.
///
/// # Errors
/// No descriptor is left.
pub fn to_process(style: Style) -> io::Result<(SocketLane, Line)> {
    let flags = SocketFlags::CLOEXEC;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    if style == Style::Evented {
        rustix::io::ioctl_fionbio(&theirs, true)?;
    }
    Ok((SocketLane(ours), Line::Socket(theirs)))
}

impl SocketLane {
    /// Pass a connection on; a copy stays with the caller.
    #[must_use]
    pub fn pass(&self, connection: BorrowedFd<'_>) -> Passed {
        let descriptors = [connection];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match sendmsg(&self.0, &[IoSlice::new(&[0])], &mut ancillary, flags) {
            Ok(_) => Passed::On,
            Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => Passed::ToNobody,
            // Descriptors on their way are limited as open ones are, for all processes of a user.
            Err(error) => Passed::NotNow(error.into()),
        }
    }

    /// The worker's next word, if there is one.
    ///
    /// # Errors
    /// The worker is gone.
    pub fn word(&self) -> io::Result<Option<Word>> {
        let mut byte = [0];
        match rustix::net::recv(&self.0, &mut byte, RecvFlags::DONTWAIT) {
            Ok((1, _)) => Ok(Word::from_byte(byte[0])),
            Ok(_) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for SocketLane {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The words of all threads, and what wakes the acceptor for them.
#[derive(Clone, Debug)]
pub struct Words(Arc<Spoken>);

#[derive(Debug)]
struct Spoken {
    words: Mutex<Vec<(usize, Word)>>,
    bell: OwnedFd,
}

impl Words {
    /// None yet.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new() -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let words = Mutex::default();
        Ok(Self(Arc::new(Spoken { words, bell })))
    }

    fn say(&self, worker: usize, word: Word) {
        let mut words = self.0.words.lock().unwrap_or_else(PoisonError::into_inner);
        words.push((worker, word));
        // Whoever finds the list empty rings; the acceptor takes all at once.
        if words.len() == 1 {
            let _ = write(&self.0.bell, &1_u64.to_ne_bytes());
        }
    }

    /// All that was said since the last call, in order.
    #[must_use]
    pub fn take(&self) -> Vec<(usize, Word)> {
        // The bell first: what is said after that rings again.
        let _ = read(&self.0.bell, &mut [0; 8]);
        let mut words = self.0.words.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *words)
    }
}

impl AsFd for Words {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.bell.as_fd()
    }
}

/// The acceptor's end of a lane to a thread.
#[derive(Debug)]
pub struct ChannelLane(mpsc::UnboundedSender<TcpStream>);

/// A lane to thread `worker`, whose words are said among those of the others.
#[must_use]
pub fn to_thread(worker: usize, words: Words) -> (ChannelLane, Line) {
    let (sender, connections) = mpsc::unbounded_channel();
    let line = Line::Channel {
        connections,
        words,
        worker,
    };
    (ChannelLane(sender), line)
}

impl ChannelLane {
    /// Pass a connection on.
    ///
    /// # Errors
    /// The worker is gone; the connection comes back.
    pub fn pass(&self, connection: TcpStream) -> Result<(), TcpStream> {
        self.0.send(connection).map_err(|refused| refused.0)
    }
}

/// The worker's end.
#[derive(Debug)]
pub enum Line {
    /// Of a process.
    Socket(OwnedFd),
    /// Of a thread.
    Channel {
        /// What it is given. Closed once nothing more will come.
        connections: mpsc::UnboundedReceiver<TcpStream>,
        /// Where it speaks.
        words: Words,
        /// Its name there.
        worker: usize,
    },
}

impl Line {
    /// Tell the acceptor. One that is gone takes this worker with it, so failure means nothing.
    pub fn say(&self, word: Word) {
        match self {
            Self::Socket(socket) => {
                let _ = send(socket, &[word.byte()], SendFlags::NOSIGNAL);
            }
            Self::Channel { words, worker, .. } => words.say(*worker, word),
        }
    }

    /// What was passed on already, without waiting; nothing where nothing is there, or nothing more
    /// will come.
    pub fn left(&mut self) -> Option<TcpStream> {
        match self {
            Self::Socket(socket) => receive(socket.as_fd(), RecvFlags::DONTWAIT).ok().flatten(),
            Self::Channel { connections, .. } => connections.try_recv().ok(),
        }
    }
}

/// A connection from a socket; nothing where the acceptor is gone.
///
/// # Errors
/// Nothing is there (`WouldBlock`), or a signal came (`Interrupted`), or no descriptor is left for it.
pub fn receive(socket: BorrowedFd<'_>, flags: RecvFlags) -> io::Result<Option<TcpStream>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut byte)],
        &mut ancillary,
        flags | RecvFlags::CMSG_CLOEXEC,
    )?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let mut descriptors = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    // The kernel drops a descriptor that there is no place for.
    let connection = descriptors.next().and_then(|mut all| all.next());
    connection.map_or(Err(Errno::MFILE.into()), |connection| {
        Ok(Some(TcpStream::from(connection)))
    })
}
