//! Messages through descriptors that carry bytes without ends, pipes and a pair of sockets; and over a ring.
//! All of these threads and processes have alike.

use std::{
    hint::spin_loop,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use anyhow::{Context, ensure};
use benches::tools::ring::{End, Waiting};
use rustix::{
    io::{Errno, ioctl_fionbio, read, write},
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    pipe::{PipeFlags, pipe_with},
};

use super::exchange::Way;

/// Two descriptors: bytes go out over one and come in over the other. One call for each message, where it can
/// be had with one.
#[derive(Debug)]
pub struct Stream {
    hears: OwnedFd,
    says: OwnedFd,
}

impl Stream {
    /// Both ends of two pipes. One that spins does not sleep until it can read, but tries again.
    ///
    /// # Errors
    /// No descriptors are left.
    pub fn pipes(spinning: bool) -> anyhow::Result<(Self, Self)> {
        let (hears, their_says) = pipe_with(PipeFlags::CLOEXEC)?;
        let (their_hears, says) = pipe_with(PipeFlags::CLOEXEC)?;
        if spinning {
            ioctl_fionbio(&hears, true)?;
            ioctl_fionbio(&their_hears, true)?;
        }
        let other = Self {
            hears: their_hears,
            says: their_says,
        };
        Ok((Self { hears, says }, other))
    }

    /// Both ends of a pair of Unix sockets.
    ///
    /// # Errors
    /// No descriptors are left.
    pub fn sockets() -> anyhow::Result<(Self, Self)> {
        let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
        let (one, other) = socketpair(family, kind, SocketFlags::CLOEXEC, None)?;
        Ok((Self::of_socket(one)?, Self::of_socket(other)?))
    }

    fn of_socket(socket: OwnedFd) -> anyhow::Result<Self> {
        Ok(Self {
            hears: socket.try_clone()?,
            says: socket,
        })
    }

    /// An end of what came as [`Self::descriptors`].
    pub fn of_descriptors([hears, says]: [OwnedFd; 2]) -> Self {
        Self { hears, says }
    }

    /// To send an end away.
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.hears.as_fd(), self.says.as_fd()]
    }
}

impl Way for Stream {
    fn send(&mut self, message: &mut Vec<u8>) -> anyhow::Result<()> {
        let mut left = message.as_slice();
        while !left.is_empty() {
            match write(&self.says, left) {
                Ok(written) => left = &left[written..],
                Err(Errno::INTR) => {}
                Err(error) => {
                    return Err(error).context("the other side of a pipe or socket has ended");
                }
            }
        }
        Ok(())
    }

    fn receive(&mut self, message: &mut Vec<u8>) -> anyhow::Result<bool> {
        let mut had = 0;
        while had < message.len() {
            match read(&self.hears, &mut message[had..]) {
                Ok(0) => {
                    ensure!(had == 0, "a message ended after {had} bytes");
                    return Ok(false);
                }
                Ok(more) => had += more,
                // It spins.
                Err(Errno::AGAIN) => spin_loop(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error).context("cannot read from a pipe or socket"),
            }
        }
        Ok(true)
    }
}

/// A ring's end that was opened from what came along with a job.
///
/// # Errors
/// That is no ring.
pub fn ring(parts: [OwnedFd; 2], waiting: Waiting) -> anyhow::Result<End> {
    End::open(parts, waiting).context("cannot open a ring")
}

impl Way for End {
    fn send(&mut self, message: &mut Vec<u8>) -> anyhow::Result<()> {
        Ok(Self::send(self, message)?)
    }

    fn receive(&mut self, message: &mut Vec<u8>) -> anyhow::Result<bool> {
        Ok(Self::receive(self, message).is_ok())
    }
}
