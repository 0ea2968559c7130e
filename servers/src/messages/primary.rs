//! The primary's end of a channel to one worker. Nothing here waits, and no worker can make it grow.
//!
//! What the channel does not take is kept until it does: of announcements only the last, and of
//! answers no more than [`MOST_ANSWERS`], the oldest of which is given up first: whoever asked for it
//! has lost patience by then.

use std::{
    collections::VecDeque,
    os::fd::{AsFd, BorrowedFd},
};

use super::{
    link::{ChannelError, Link},
    message::{Announcement, Answer, ToPrimary, ToWorker},
};

/// Answers kept for a worker that does not read.
pub const MOST_ANSWERS: usize = 16;

/// The primary's end.
#[derive(Debug)]
pub struct PrimaryEnd {
    link: Box<dyn Link<ToWorker, ToPrimary>>,
    announcement: Option<Announcement>,
    answers: VecDeque<(u64, Answer)>,
}

impl PrimaryEnd {
    /// Over a link of either kind; see [`super::between_processes`] and [`super::between_threads`].
    #[must_use]
    pub fn new(link: impl Link<ToWorker, ToPrimary> + 'static) -> Self {
        Self {
            link: Box::new(link),
            announcement: None,
            answers: VecDeque::new(),
        }
    }

    /// To wait on: readable when there may be something to [`receive`](Self::receive), and, where
    /// [`wants_to_write`](Self::wants_to_write) says so, writable when to [`flush`](Self::flush).
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.link.descriptor().as_fd()
    }

    /// The next message of the worker, if there is one. Call it until there is none. What was kept for
    /// the worker is sent on the way, as far as there is room.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] where the worker has ended or closed its end: from then on `fd` stays
    /// readable, so drop this. After any other error a message is lost and the next one may be read.
    pub fn receive(&mut self) -> Result<Option<ToPrimary>, ChannelError> {
        if let Some(message) = self.link.take()? {
            return Ok(Some(message));
        }
        // For a channel whose descriptor becomes readable, not writable, when there is room. A worker
        // that has closed its end is told of by the next reading.
        match self.flush() {
            Ok(()) | Err(ChannelError::Closed) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Send, or keep until there is room.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] where the worker's end is closed, [`ChannelError::TooLong`] where the
    /// message does not fit, [`ChannelError::Refused`] where the kernel has no memory; then the
    /// message is lost.
    pub fn send(&mut self, message: ToWorker) -> Result<(), ChannelError> {
        // Where something is kept already, the kernel need not be asked again.
        let has_room = self.is_empty();
        match message {
            ToWorker::Answer { id, answer } => {
                if self.answers.len() == MOST_ANSWERS {
                    self.answers.pop_front();
                }
                self.answers.push_back((id, answer));
            }
            ToWorker::Told(announcement) => self.announcement = Some(announcement),
        }
        if has_room { self.flush() } else { Ok(()) }
    }

    /// Whether to wait until `fd` is writable, too, and then to [`flush`](Self::flush).
    #[must_use]
    pub fn wants_to_write(&self) -> bool {
        self.link.room_is_writable() && !self.is_empty()
    }

    /// Send what was kept, as far as there is room.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn flush(&mut self) -> Result<(), ChannelError> {
        // Announcements first: a worker that reads up to its answer has then read them.
        while let Some(message) = self.next_kept() {
            match self.link.offer(message) {
                Ok(None) => {}
                Ok(Some(message)) => {
                    self.keep_first(message);
                    return Ok(());
                }
                Err(error) => {
                    if matches!(error, ChannelError::Closed) {
                        self.announcement = None;
                        self.answers.clear();
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.announcement.is_none() && self.answers.is_empty()
    }

    fn next_kept(&mut self) -> Option<ToWorker> {
        let announcement = self.announcement.take().map(ToWorker::Told);
        announcement.or_else(|| {
            let (id, answer) = self.answers.pop_front()?;
            Some(ToWorker::Answer { id, answer })
        })
    }

    fn keep_first(&mut self, message: ToWorker) {
        match message {
            ToWorker::Answer { id, answer } => self.answers.push_front((id, answer)),
            ToWorker::Told(announcement) => self.announcement = Some(announcement),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{
        lane::{self, MOST_UNREAD},
        message::ClusterStats,
    };

    #[test]
    fn of_what_there_is_no_room_for_the_last_announcement_and_the_last_answers_are_kept() {
        let (link, mut worker) = lane::pair().unwrap();
        let mut primary = PrimaryEnd::new(link);
        let unread = MOST_UNREAD as u64;
        let kept = MOST_ANSWERS as u64;
        for id in 0..200 {
            let answer = Answer::ClusterStats(ClusterStats::default());
            primary.send(ToWorker::Answer { id, answer }).unwrap();
        }
        for id in 0..3 {
            let news = Announcement::Colleagues(vec![id]);
            primary.send(ToWorker::Told(news)).unwrap();
        }
        let mut ids = || -> Vec<Option<u64>> {
            std::iter::from_fn(|| worker.take().unwrap())
                .map(|message| match message {
                    ToWorker::Answer { id, .. } => Some(id),
                    ToWorker::Told(news) => {
                        assert_eq!(news, Announcement::Colleagues(vec![2]));
                        None
                    }
                })
                .collect()
        };
        let carried: Vec<_> = (0..unread).map(Some).collect();
        assert_eq!(ids(), carried);
        assert_eq!(primary.receive().unwrap(), None);
        let after: Vec<_> = [None]
            .into_iter()
            .chain((200 - kept..200).map(Some))
            .collect();
        assert_eq!(ids(), after);
    }
}
