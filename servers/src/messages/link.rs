//! What carries messages: one end of a channel that keeps them whole and in order, and never waits.
//!
//! There are two, [`super::packets`] between processes and [`super::lane`] between threads. What is
//! said over them, and what happens where one end does not listen, is the same for both and lies
//! above: in [`super::primary`], [`super::worker`] and [`super::evented`].

use std::{fmt::Debug, io, os::fd::OwnedFd, sync::Arc};

/// Why a message was not carried.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// There is no channel.
    #[error(
        "cannot open a channel between primary and worker: {0}; raise the limit of open files (ulimit -n)"
    )]
    Open(io::Error),
    /// The other end is closed: who had it has ended.
    #[error("the other end of the channel is closed; whoever had it has ended")]
    Closed,
    /// The other end leaves too many messages unread.
    #[error(
        "the other end of the channel leaves its messages unread; look at what it is busy with"
    )]
    Full,
    /// It would not fit into a packet.
    #[error(
        "a message of {bytes} bytes is too long for a channel, which takes {most}; use fewer workers"
    )]
    TooLong {
        /// Its length.
        bytes: usize,
        /// What the channel takes.
        most: usize,
    },
    /// What came is no message, or could not be made one.
    #[error("a packet of {bytes} bytes is no message ({error}); have both ends run the same build")]
    Garbled {
        /// Its length.
        bytes: usize,
        /// What is wrong with it.
        error: postcard::Error,
    },
    /// The kernel refused.
    #[error(
        "cannot use the channel between primary and worker: {0}; free memory or raise its limit"
    )]
    Refused(io::Error),
}

/// One end of a channel, which sends `Out` and receives `In`.
pub trait Link<Out, In>: Debug + Send {
    /// Readable when there may be something to [`take`](Self::take), the end of the channel included.
    fn descriptor(&self) -> &Arc<OwnedFd>;

    /// Whether `descriptor` becomes writable when there is room again for what was not taken. Where
    /// it does not, it becomes readable then.
    fn room_is_writable(&self) -> bool;

    /// Send a message, or have it back where the other end leaves too many unread.
    ///
    /// # Errors
    /// See [`ChannelError`]; the message is lost.
    fn offer(&mut self, message: Out) -> Result<Option<Out>, ChannelError>;

    /// The next message, if one is there.
    ///
    /// # Errors
    /// See [`ChannelError`]. [`ChannelError::Closed`] comes after the last message, and again with
    /// every further call.
    fn take(&mut self) -> Result<Option<In>, ChannelError>;
}
