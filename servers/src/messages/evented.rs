//! The worker's end of a channel to its primary, for a worker with an event loop: a [`Dispatcher`]
//! runs there as a task of its own, takes what comes, and wakes whoever asked.
//!
//! Several may ask at a time, from any thread of the runtime. Nobody holds the lock while waiting.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::oneshot,
    time::timeout,
};

use super::{
    link::{ChannelError, Link},
    message::{Announcement, Answer, Question, ToPrimary, ToWorker},
    worker::{AskError, PATIENCE, offer},
};

#[derive(Debug)]
struct State {
    link: Box<dyn Link<ToPrimary, ToWorker>>,
    last_id: u64,
    waiting: BTreeMap<u64, oneshot::Sender<Answer>>,
    colleagues: Vec<u32>,
}

/// The worker's end, shared by all that run on its event loop.
#[derive(Clone, Debug)]
pub struct EventedEnd(Arc<Mutex<State>>);

/// Takes what comes for an [`EventedEnd`].
#[derive(Debug)]
pub struct Dispatcher(EventedEnd);

/// A question under way; forgotten as soon as nobody waits any more.
struct Asked<'a> {
    end: &'a EventedEnd,
    id: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.end.state().waiting.remove(&self.id);
    }
}

impl EventedEnd {
    pub(super) fn new(
        link: Box<dyn Link<ToPrimary, ToWorker>>,
        colleagues: Vec<u32>,
    ) -> (Self, Dispatcher) {
        let end = Self(Arc::new(Mutex::new(State {
            link,
            last_id: 0,
            waiting: BTreeMap::new(),
            colleagues,
        })));
        (end.clone(), Dispatcher(end))
    }

    /// Say something without waiting.
    ///
    /// # Errors
    /// See [`ChannelError`].
    pub fn tell(&self, message: ToPrimary) -> Result<(), ChannelError> {
        offer(&mut *self.state().link, message)
    }

    /// Ask the primary, and wait for its answer no longer than [`PATIENCE`]. The [`Dispatcher`] has to
    /// run meanwhile, on a runtime with a timer.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn ask(&self, question: Question) -> Result<Answer, AskError> {
        let (sender, answer) = oneshot::channel();
        let asked = self.begin(question, sender)?;
        let answered = timeout(PATIENCE, answer).await;
        drop(asked);
        match answered {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(ChannelError::Closed.into()),
            Err(_) => Err(AskError::Silence),
        }
    }

    /// All workers, this one included, as far as it has heard.
    #[must_use]
    pub fn colleagues(&self) -> Vec<u32> {
        self.state().colleagues.clone()
    }

    fn begin(
        &self,
        question: Question,
        sender: oneshot::Sender<Answer>,
    ) -> Result<Asked<'_>, ChannelError> {
        let mut state = self.state();
        state.last_id += 1;
        let id = state.last_id;
        offer(&mut *state.link, ToPrimary::Ask { id, question })?;
        // The lock is still held, so the answer cannot be taken before this.
        state.waiting.insert(id, sender);
        Ok(Asked { end: self, id })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole after every statement, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Take all that has come.
    fn dispatch(&mut self) -> Result<(), ChannelError> {
        while let Some(message) = self.link.take()? {
            match message {
                ToWorker::Answer { id, answer } => {
                    if let Some(sender) = self.waiting.remove(&id) {
                        // Whoever asked may just have lost patience.
                        let _ = sender.send(answer);
                    }
                }
                ToWorker::Told(Announcement::Colleagues(ids)) => self.colleagues = ids,
            }
        }
        Ok(())
    }
}

impl Dispatcher {
    /// Take what comes, until the primary is gone; whoever waits for an answer then gets none.
    ///
    /// # Errors
    /// The channel cannot be registered with the runtime that this runs on, or failed otherwise than
    /// by being closed.
    pub async fn run(self) -> Result<(), ChannelError> {
        let Self(end) = self;
        let ended = dispatch_all(&end).await;
        end.state().waiting.clear();
        match ended {
            Err(ChannelError::Closed) => Ok(()),
            ended => ended,
        }
    }
}

#[allow(unsafe_code)]
async fn dispatch_all(end: &EventedEnd) -> Result<(), ChannelError> {
    let descriptor = Arc::clone(end.state().link.descriptor());
    // SAFETY: the descriptor is open, and the same, as long as anyone holds the `Arc`.
    let descriptor = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }
        .map_err(|error| ChannelError::Refused(error.into()))?;
    loop {
        let mut ready = descriptor.readable().await.map_err(ChannelError::Refused)?;
        match end.state().dispatch() {
            Ok(()) => ready.clear_ready(),
            // The next message may be one again.
            Err(ChannelError::Garbled { .. } | ChannelError::TooLong { .. }) => {}
            Err(error) => return Err(error),
        }
    }
}
