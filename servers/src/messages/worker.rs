//! The worker's end of a channel to its primary, for a worker that blocks: it reads its channel only
//! while it waits for an answer, and takes what it is told on the way.

use std::time::{Duration, Instant};

use super::{
    evented::{Dispatcher, EventedEnd},
    link::{ChannelError, Link},
    message::{Announcement, Answer, Question, ToPrimary, ToWorker},
};
use crate::poll;

/// How long a worker waits for an answer of its primary: longer than a busy machine keeps a process from
/// its CPU.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A question that got no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The primary does not answer.
    #[error(
        "the primary gave no answer within {PATIENCE:?}; ask again, or look at what it is busy with"
    )]
    Silence,
    /// The question or its answer cannot be carried.
    #[error("the primary cannot be asked: {0}")]
    Channel(#[from] ChannelError),
    /// The kernel has no memory to wait.
    #[error("cannot wait for an answer of the primary: {0}; free memory or raise its limit")]
    Wait(#[from] nix::Error),
}

/// The worker's end.
#[derive(Debug)]
pub struct WorkerEnd {
    link: Box<dyn Link<ToPrimary, ToWorker>>,
    last_id: u64,
    colleagues: Vec<u32>,
}

impl WorkerEnd {
    /// Over a link of either kind; see [`super::between_processes`] and [`super::between_threads`].
    #[must_use]
    pub fn new(link: impl Link<ToPrimary, ToWorker> + 'static) -> Self {
        Self {
            link: Box::new(link),
            last_id: 0,
            colleagues: Vec::new(),
        }
    }

    /// The same end for a worker with an event loop, and what has to run on that loop.
    #[must_use]
    pub fn evented(self) -> (EventedEnd, Dispatcher) {
        EventedEnd::new(self.link, self.colleagues)
    }

    /// Say something without waiting.
    ///
    /// # Errors
    /// See [`ChannelError`].
    pub fn tell(&mut self, message: ToPrimary) -> Result<(), ChannelError> {
        offer(&mut *self.link, message)
    }

    /// Ask the primary, and wait for its answer no longer than [`PATIENCE`].
    ///
    /// # Errors
    /// See [`AskError`].
    pub fn ask(&mut self, question: Question) -> Result<Answer, AskError> {
        self.last_id += 1;
        let asked = self.last_id;
        self.tell(ToPrimary::Ask {
            id: asked,
            question,
        })?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.link.take()? {
                Some(ToWorker::Answer { id, answer }) if id == asked => return Ok(answer),
                // To a question that patience was lost with.
                Some(ToWorker::Answer { .. }) => {}
                Some(ToWorker::Told(Announcement::Colleagues(ids))) => self.colleagues = ids,
                None if Instant::now() >= deadline => return Err(AskError::Silence),
                None => {
                    let descriptor = self.link.descriptor();
                    poll::readable(&[std::os::fd::AsFd::as_fd(descriptor)], Some(deadline))?;
                }
            }
        }
    }

    /// All workers, this one included, as far as it has heard.
    #[must_use]
    pub fn colleagues(&self) -> &[u32] {
        &self.colleagues
    }
}

/// Send a message, or fail where there is no room: a primary that leaves so many unread would not
/// read this one in time.
pub(super) fn offer(
    link: &mut dyn Link<ToPrimary, ToWorker>,
    message: ToPrimary,
) -> Result<(), ChannelError> {
    match link.offer(message)? {
        None => Ok(()),
        Some(_) => Err(ChannelError::Full),
    }
}
