//! The channel between two processes: a pair of Unix sockets that carry packets (`SOCK_SEQPACKET`),
//! one message in each, in the compact form of postcard.
//!
//! The kernel keeps packets whole and in order, as a stream of bytes would not, and tells of the end
//! of the other process, as datagrams would not. It holds unread packets up to the sender's buffer,
//! some 200 KiB; then the socket takes no more and becomes writable when some were read.
//!
//! What comes next is looked at before it is read, so that memory is taken as it is needed: a worker
//! without news has no buffer.

use std::{io, marker::PhantomData, os::fd::OwnedFd, sync::Arc};

use rustix::{
    buffer::spare_capacity,
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    link::{ChannelError, Link},
    message::Message,
};

/// One end.
#[derive(Debug)]
pub struct Packets<Out, In> {
    socket: Arc<OwnedFd>,
    says: PhantomData<fn(Out) -> In>,
}

/// Both ends of one channel: what one says, the other hears.
pub type Ends<A, B> = (Packets<A, B>, Packets<B, A>);

/// Both ends of a new channel. Neither survives an exec; a fork copies both, so each side has to drop
/// the one that it does not use, or the other side never sees its end.
///
/// # Errors
/// No descriptors are left.
pub fn pair<A, B>() -> Result<Ends<A, B>, ChannelError> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (one, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        .map_err(|error| ChannelError::Open(error.into()))?;
    Ok((Packets::new(one), Packets::new(other)))
}

impl<Out, In> Packets<Out, In> {
    fn new(socket: OwnedFd) -> Self {
        Self {
            socket: Arc::new(socket),
            says: PhantomData,
        }
    }

    /// How long the next packet is, if there is one.
    fn next_length(&self) -> Result<Option<usize>, ChannelError> {
        let flags = RecvFlags::PEEK | RecvFlags::TRUNC;
        loop {
            match recv(&self.socket, &mut [0_u8; 0], flags) {
                // No message is empty.
                Ok((_, 0)) => return Err(ChannelError::Closed),
                Ok((_, length)) => return Ok(Some(length)),
                Err(Errno::AGAIN) => return Ok(None),
                // Said once, where the other end was closed with packets unread. What it had sent
                // before is still there.
                Err(Errno::INTR | Errno::CONNRESET) => {}
                Err(error) => return Err(refused(error)),
            }
        }
    }
}

impl<Out, In> Link<Out, In> for Packets<Out, In>
where
    Out: Message + Serialize,
    In: Message + DeserializeOwned,
{
    fn descriptor(&self) -> &Arc<OwnedFd> {
        &self.socket
    }

    fn room_is_writable(&self) -> bool {
        true
    }

    fn offer(&mut self, message: Out) -> Result<Option<Out>, ChannelError> {
        let packet = packed(&message)?;
        loop {
            // Without the flag, a closed channel would be a signal as well.
            return match send(&self.socket, &packet, SendFlags::NOSIGNAL) {
                Ok(_) => Ok(None),
                Err(Errno::AGAIN) => Ok(Some(message)),
                Err(Errno::INTR) => continue,
                Err(Errno::PIPE | Errno::CONNRESET | Errno::CONNREFUSED) => {
                    Err(ChannelError::Closed)
                }
                Err(Errno::MSGSIZE) => Err(ChannelError::TooLong {
                    bytes: packet.len(),
                    most: packet.len() - 1,
                }),
                Err(error) => Err(refused(error)),
            };
        }
    }

    fn take(&mut self) -> Result<Option<In>, ChannelError> {
        let Some(length) = self.next_length()? else {
            return Ok(None);
        };
        let mut packet = Vec::with_capacity(length.min(In::MOST_BYTES));
        // Taken even where it is too long, to have the next one next.
        match recv(
            &self.socket,
            spare_capacity(&mut packet),
            RecvFlags::empty(),
        ) {
            Ok(_) => {}
            Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
            Err(error) => return Err(refused(error)),
        }
        if length > In::MOST_BYTES {
            return Err(ChannelError::TooLong {
                bytes: length,
                most: In::MOST_BYTES,
            });
        }
        unpacked(&packet).map(Some)
    }
}

/// A message's compact form.
///
/// # Errors
/// It is longer than such a message may be.
pub fn packed<M: Message + Serialize>(message: &M) -> Result<Vec<u8>, ChannelError> {
    let packet =
        postcard::to_stdvec(message).map_err(|error| ChannelError::Garbled { bytes: 0, error })?;
    if packet.len() > M::MOST_BYTES {
        return Err(ChannelError::TooLong {
            bytes: packet.len(),
            most: M::MOST_BYTES,
        });
    }
    Ok(packet)
}

/// The message that this is the compact form of, all of it.
///
/// # Errors
/// It is none.
pub fn unpacked<M: Message + DeserializeOwned>(packet: &[u8]) -> Result<M, ChannelError> {
    let garbled = |error| ChannelError::Garbled {
        bytes: packet.len(),
        error,
    };
    match postcard::take_from_bytes(packet).map_err(garbled)? {
        (message, []) => Ok(message),
        _ => Err(garbled(postcard::Error::DeserializeBadEncoding)),
    }
}

fn refused(error: Errno) -> ChannelError {
    ChannelError::Refused(io::Error::from(error))
}
