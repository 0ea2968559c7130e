//! The channel between two threads: a std channel each way, and a bell each way (an eventfd), so that
//! an event loop can wait for messages as it waits for sockets.
//!
//! # Invariants
//! - Whoever sent a message, or closed its end, rings after it. Whoever finds nothing silences its
//!   bell and looks once more. So a message is never there with the bell silent and nobody looking.
//! - A sender that found no room says so and tries once more; a receiver that has made room looks
//!   whether someone said so, and rings. Between the two steps of each is a full fence, so at least
//!   one of the two sees the other.

use std::{
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst, fence},
        mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel},
    },
};

use rustix::{
    event::{EventfdFlags, eventfd},
    io::{read, write},
};

use super::{
    link::{ChannelError, Link},
    message::Message,
};

/// Messages that may be unread.
pub const MOST_UNREAD: usize = 64;

/// One direction's two facts beside its messages.
#[derive(Clone, Debug)]
struct Bell {
    /// Rung for who receives.
    rings: Arc<OwnedFd>,
    /// Whether who sends waits for room.
    sender_waits: Arc<AtomicBool>,
}

impl Bell {
    fn new() -> Result<Self, ChannelError> {
        let rings = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| ChannelError::Open(error.into()))?;
        Ok(Self {
            rings: Arc::new(rings),
            sender_waits: Arc::default(),
        })
    }

    fn ring(&self) {
        // Refused only where it has been rung 2^64 times since it was silenced.
        let _ = write(&self.rings, &1_u64.to_ne_bytes());
    }

    fn silence(&self) {
        // Refused where it is silent.
        let _ = read(&self.rings, &mut [0_u8; 8]);
    }
}

/// One end.
#[derive(Debug)]
pub struct Lane<Out, In> {
    /// Absent only while this end is dropped.
    sender: Option<SyncSender<Out>>,
    receiver: Receiver<In>,
    /// The other end's.
    theirs: Bell,
    own: Bell,
}

/// Both ends of one channel: what one says, the other hears.
pub type Ends<A, B> = (Lane<A, B>, Lane<B, A>);

/// Both ends of a new channel.
///
/// # Errors
/// No descriptors are left.
pub fn pair<A, B>() -> Result<Ends<A, B>, ChannelError> {
    let (to_one, by_one) = sync_channel(MOST_UNREAD);
    let (to_other, by_other) = sync_channel(MOST_UNREAD);
    let (bell_of_one, bell_of_other) = (Bell::new()?, Bell::new()?);
    let one = Lane {
        sender: Some(to_other),
        receiver: by_one,
        theirs: bell_of_other.clone(),
        own: bell_of_one.clone(),
    };
    let other = Lane {
        sender: Some(to_one),
        receiver: by_other,
        theirs: bell_of_one,
        own: bell_of_other,
    };
    Ok((one, other))
}

impl<Out, In> Lane<Out, In> {
    fn try_offer(&self, message: Out) -> Result<Option<Out>, ChannelError> {
        let Some(sender) = &self.sender else {
            return Err(ChannelError::Closed);
        };
        match sender.try_send(message) {
            Ok(()) => {
                self.theirs.ring();
                Ok(None)
            }
            Err(TrySendError::Full(message)) => Ok(Some(message)),
            Err(TrySendError::Disconnected(_)) => Err(ChannelError::Closed),
        }
    }

    fn try_take(&self) -> Result<Option<In>, ChannelError> {
        match self.receiver.try_recv() {
            Ok(message) => {
                fence(SeqCst);
                if self.own.sender_waits.swap(false, SeqCst) {
                    self.theirs.ring();
                }
                Ok(Some(message))
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(ChannelError::Closed),
        }
    }
}

impl<Out: Message, In: Message> Link<Out, In> for Lane<Out, In> {
    fn descriptor(&self) -> &Arc<OwnedFd> {
        &self.own.rings
    }

    fn room_is_writable(&self) -> bool {
        false
    }

    fn offer(&mut self, message: Out) -> Result<Option<Out>, ChannelError> {
        let Some(message) = self.try_offer(message)? else {
            return Ok(None);
        };
        self.theirs.sender_waits.store(true, SeqCst);
        fence(SeqCst);
        self.try_offer(message)
    }

    fn take(&mut self) -> Result<Option<In>, ChannelError> {
        if let Some(message) = self.try_take()? {
            return Ok(Some(message));
        }
        self.own.silence();
        self.try_take()
    }
}

impl<Out, In> Drop for Lane<Out, In> {
    fn drop(&mut self) {
        // Closed first: who is woken has to see it.
        drop(self.sender.take());
        self.theirs.ring();
    }
}
