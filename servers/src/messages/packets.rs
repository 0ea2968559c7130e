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

/// An end whose socket came from elsewhere, as with a message to a process that was forked before.
impl<Out, In> From<OwnedFd> for Packets<Out, In> {
    /// Of one end of a [`pair`].
    fn from(socket: OwnedFd) -> Self {
        Self::new(socket)
    }
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
        loop {
            let buffer = spare_capacity(&mut packet);
            match recv(&self.socket, buffer, RecvFlags::empty()) {
                Ok(_) => break,
                // The other end may have been closed since.
                Err(Errno::INTR | Errno::CONNRESET) => {}
                Err(error) => return Err(refused(error)),
            }
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

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        ledger::SeatStats,
        messages::message::{Announcement, Answer, ClusterStats, Question, ToPrimary, ToWorker},
    };

    fn to_primary() -> impl Strategy<Value = ToPrimary> {
        prop_oneof![
            Just(ToPrimary::Online),
            Just(ToPrimary::Listening),
            Just(ToPrimary::Leaving),
            any::<u64>().prop_map(|id| ToPrimary::Ask {
                id,
                question: Question::ClusterStats,
            }),
        ]
    }

    prop_compose! {
        fn seat_stats()(
            seat in any::<usize>(),
            (worker, pid) in any::<(u32, u32)>(),
            (generation, requests, connections) in any::<(u64, u64, u64)>(),
            started_unix_ns in any::<u64>(),
        ) -> SeatStats {
            SeatStats { seat, generation, worker, pid, requests, connections, started_unix_ns }
        }
    }

    prop_compose! {
        fn cluster_stats()(
            workers in prop::collection::vec(seat_stats(), 0..1024),
            (requests, connections, respawns, reloads) in any::<(u64, u64, u64, u64)>(),
        ) -> ClusterStats {
            ClusterStats { workers, requests, connections, respawns, reloads }
        }
    }

    fn to_worker() -> impl Strategy<Value = ToWorker> {
        let colleagues = prop::collection::vec(any::<u32>(), 0..1024);
        prop_oneof![
            colleagues.prop_map(|ids| ToWorker::Told(Announcement::Colleagues(ids))),
            (any::<u64>(), cluster_stats()).prop_map(|(id, stats)| ToWorker::Answer {
                id,
                answer: Answer::ClusterStats(stats),
            }),
        ]
    }

    fn arrives<M>(message: M)
    where
        M: Message + Serialize + DeserializeOwned + Clone + PartialEq + Debug,
    {
        let (mut one, mut other) = pair::<M, M>().unwrap();
        assert_eq!(one.offer(message.clone()).unwrap(), None);
        assert_eq!(other.take().unwrap(), Some(message));
        assert_eq!(other.take().unwrap(), None);
    }

    proptest! {
        #[test]
        fn whatever_a_worker_says_arrives_as_it_was_said(message in to_primary()) {
            arrives(message);
        }

        #[test]
        fn whatever_a_primary_says_arrives_as_it_was_said(message in to_worker()) {
            arrives(message);
        }

        #[test]
        fn bytes_that_are_no_message_are_refused_without_harm(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            if let Ok(message) = unpacked::<ToWorker>(&bytes) {
                assert_eq!(unpacked::<ToWorker>(&packed(&message).unwrap()).unwrap(), message);
            }
        }
    }

    #[test]
    fn a_message_with_something_behind_it_is_none() {
        let mut packet = packed(&ToPrimary::Leaving).unwrap();
        packet.push(0);
        let error = unpacked::<ToPrimary>(&packet).unwrap_err().to_string();
        assert!(
            error.starts_with("a packet of 2 bytes is no message"),
            "{error}"
        );
    }

    #[test]
    fn a_packet_too_long_to_be_a_message_is_refused_and_the_next_one_is_taken() {
        // A build that sends more than this one takes.
        let (mut one, other) = pair::<ToWorker, ToWorker>().unwrap();
        let mut other = Packets::<ToPrimary, ToPrimary> {
            socket: other.socket,
            says: PhantomData,
        };
        let news = |count| ToWorker::Told(Announcement::Colleagues(vec![1; count]));
        one.offer(news(ToPrimary::MOST_BYTES)).unwrap();
        let error = other.take().unwrap_err();
        assert!(
            matches!(
                error,
                ChannelError::TooLong {
                    bytes: 67,
                    most: 64
                }
            ),
            "{error}"
        );
        assert_eq!(other.take().unwrap(), None);
    }
}
