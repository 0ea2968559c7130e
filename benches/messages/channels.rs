//! Messages through channels: the cluster's own, and two that carry vectors between threads without copying them.

use std::{mem, os::fd::AsFd, sync::mpsc};

use anyhow::{Context, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};
use servers::{
    messages::{ChannelError, link::Link, message::Message},
    poll::readable,
};

use super::exchange::Way;

/// The longest message that the cluster's own channel is to carry.
pub const MOST_BYTES: usize = 64 << 10;

/// A message of bytes for the cluster's own channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes(#[serde(with = "serde_bytes")] Vec<u8>);

impl Message for Bytes {
    /// With its length before it.
    const MOST_BYTES: usize = MOST_BYTES + 8;
}

/// A cluster's own channel, waited for as its workers that block do: ask for a message, sleep in `ppoll` where
/// none is there.
#[derive(Debug)]
pub struct Own<L>(pub L);

impl<L: Link<Bytes, Bytes>> Own<L> {
    fn wait_for_room(&mut self) -> anyhow::Result<()> {
        if self.0.room_is_writable() {
            let mut room = [PollFd::new(self.0.descriptor().as_fd(), PollFlags::POLLOUT)];
            poll(&mut room, PollTimeout::NONE)?;
            return Ok(());
        }
        readable(&[self.0.descriptor().as_fd()], None)?;
        // Silences the bell.
        let spoken = self.0.take()?;
        ensure!(spoken.is_none(), "the other side spoke out of turn");
        Ok(())
    }
}

impl<L: Link<Bytes, Bytes>> Way for Own<L> {
    fn send(&mut self, message: &mut Vec<u8>) -> anyhow::Result<()> {
        let mut message = Bytes(mem::take(message));
        while let Some(back) = self.0.offer(message)? {
            message = back;
            self.wait_for_room()?;
        }
        Ok(())
    }

    fn receive(&mut self, message: &mut Vec<u8>) -> anyhow::Result<bool> {
        loop {
            match self.0.take() {
                Ok(Some(Bytes(received))) => {
                    *message = received;
                    return Ok(true);
                }
                Ok(None) => {
                    readable(&[self.0.descriptor().as_fd()], None)?;
                }
                Err(ChannelError::Closed) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// One end of two channels of some kind, one each way.
#[derive(Debug)]
pub struct Both<S, R> {
    says: S,
    hears: R,
}

/// Both ends over two channels.
fn both<S, R>((one, at_other): (S, R), (other, at_one): (S, R)) -> (Both<S, R>, Both<S, R>) {
    let here = Both {
        says: one,
        hears: at_one,
    };
    let there = Both {
        says: other,
        hears: at_other,
    };
    (here, there)
}

type Std = Both<mpsc::Sender<Vec<u8>>, mpsc::Receiver<Vec<u8>>>;
type Crossbeam = Both<crossbeam_channel::Sender<Vec<u8>>, crossbeam_channel::Receiver<Vec<u8>>>;

/// Both ends over channels of the standard library.
pub fn std_channels() -> (Std, Std) {
    both(mpsc::channel(), mpsc::channel())
}

/// Both ends over channels of crossbeam's.
pub fn crossbeam_channels() -> (Crossbeam, Crossbeam) {
    both(
        crossbeam_channel::unbounded(),
        crossbeam_channel::unbounded(),
    )
}

impl Way for Std {
    fn send(&mut self, message: &mut Vec<u8>) -> anyhow::Result<()> {
        let sent = self.says.send(mem::take(message));
        sent.context("the other side of a channel has ended")
    }

    fn receive(&mut self, message: &mut Vec<u8>) -> anyhow::Result<bool> {
        Ok(self
            .hears
            .recv()
            .map(|received| *message = received)
            .is_ok())
    }
}

impl Way for Crossbeam {
    fn send(&mut self, message: &mut Vec<u8>) -> anyhow::Result<()> {
        let sent = self.says.send(mem::take(message));
        sent.context("the other side of a channel has ended")
    }

    fn receive(&mut self, message: &mut Vec<u8>) -> anyhow::Result<bool> {
        Ok(self
            .hears
            .recv()
            .map(|received| *message = received)
            .is_ok())
    }
}
