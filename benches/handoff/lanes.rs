//! The acceptor's end of what connections are passed on over.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::TcpStream,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use anyhow::{Context, ensure};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg, send, sendmsg,
        socketpair,
    },
};
use servers::accept::handoff::lane::{ChannelLane, Word, Words};

/// Most connections in one message.
pub const MOST: usize = 64;

/// Told once they were taken.
const TOOK: u8 = 1;

/// To a worker of either kind.
pub enum Lane {
    /// The servers' own, with the words that come back.
    Thread(ChannelLane, Words),
    /// As the servers' own, which takes one connection in a message.
    Process(OwnedFd),
}

impl Lane {
    /// Pass connections on. Those are given back of which copies were passed on.
    pub fn pass(&self, connections: Vec<TcpStream>) -> anyhow::Result<Passed> {
        let count = connections.len();
        match self {
            Self::Thread(lane, _) => {
                for connection in connections {
                    let passed = lane.pass(connection);
                    ensure!(passed.is_ok(), "the worker has ended; see what it said");
                }
                Ok(Passed {
                    count,
                    copies: Vec::new(),
                })
            }
            Self::Process(socket) => {
                let descriptors: Vec<BorrowedFd<'_>> =
                    connections.iter().map(AsFd::as_fd).collect();
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
                let mut ancillary = SendAncillaryBuffer::new(&mut space);
                let fits = ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
                ensure!(fits, "{count} descriptors do not fit into a message");
                // How many, as the kernel leaves those out that there is no place for.
                let message = [u8::try_from(count)?];
                let message = [IoSlice::new(&message)];
                sendmsg(socket, &message, &mut ancillary, SendFlags::NOSIGNAL)
                    .context("cannot pass descriptors on")?;
                Ok(Passed {
                    count,
                    copies: connections,
                })
            }
        }
    }

    /// Take the worker's words of a batch that was served, and let go what is left of it here.
    pub fn let_go(&self, passed: Passed) -> anyhow::Result<()> {
        let told = match self {
            Self::Thread(_, words) => {
                let words = words.take();
                let all_took = words.iter().all(|&(_, word)| word == Word::TookAndFree);
                all_took && words.len() == passed.count
            }
            Self::Process(socket) => {
                let mut word = [0];
                recv(socket, &mut word, RecvFlags::DONTWAIT).is_ok() && word == [TOOK]
            }
        };
        ensure!(told, "the worker did not say that it took what it served");
        drop(passed.copies);
        Ok(())
    }
}

/// What was passed on, and was not acknowledged.
pub struct Passed {
    count: usize,
    copies: Vec<TcpStream>,
}

/// Both ends of a lane to a process.
pub fn packets() -> io::Result<(OwnedFd, OwnedFd)> {
    let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
    Ok(socketpair(family, kind, SocketFlags::CLOEXEC, None)?)
}

/// The worker's side: wait for connections, and say that they were taken. None once the bench is done.
pub fn receive(socket: &OwnedFd, connections: &mut Vec<TcpStream>) -> anyhow::Result<()> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut message = [IoSliceMut::new(&mut byte)];
        match recvmsg(
            socket,
            &mut message,
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        ) {
            Err(Errno::INTR) => {}
            received => break received.context("cannot receive descriptors")?,
        }
    };
    if received.bytes == 0 {
        return Ok(());
    }
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            connections.extend(descriptors.map(TcpStream::from));
        }
    }
    ensure!(
        connections.len() == usize::from(byte[0]),
        "{} of {} connections came, for no descriptor is left; raise the limit of open files (ulimit -n)",
        connections.len(),
        byte[0]
    );
    send(socket, &[TOOK], SendFlags::NOSIGNAL).context("cannot say that connections were taken")?;
    Ok(())
}
