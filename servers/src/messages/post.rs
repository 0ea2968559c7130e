//! The calling worker's own end, found by its thread: the handler runs in many tasks, and none of
//! them is handed an end.

use std::cell::RefCell;

use super::{
    evented::EventedEnd,
    link::ChannelError,
    message::{Answer, ClusterStats, Question, ToPrimary},
    worker::{AskError, WorkerEnd},
};
use crate::tally;

/// How a worker reaches its primary.
#[derive(Debug, Default)]
pub enum Post {
    /// It has none.
    #[default]
    Alone,
    /// By waiting.
    Blocking(WorkerEnd),
    /// By its event loop.
    Evented(EventedEnd),
}

impl From<WorkerEnd> for Post {
    fn from(end: WorkerEnd) -> Self {
        Self::Blocking(end)
    }
}

impl From<EventedEnd> for Post {
    fn from(end: EventedEnd) -> Self {
        Self::Evented(end)
    }
}

/// How far a question came without waiting in an event loop.
enum Asked {
    Answered(Result<Answer, AskError>),
    Awaiting(EventedEnd),
}

thread_local! {
    static POST: RefCell<Post> = const { RefCell::new(Post::Alone) };
}

/// From now on the calling thread's worker reaches its primary this way. The end is closed with the
/// thread.
pub fn install(post: impl Into<Post>) {
    POST.set(post.into());
}

/// Ask the primary of the calling worker; a worker that has none answers itself.
///
/// In a worker that blocks, this is ready with the first poll.
///
/// # Errors
/// See [`AskError`].
pub async fn ask(question: Question) -> Result<Answer, AskError> {
    match begin(question) {
        Asked::Answered(answer) => answer,
        Asked::Awaiting(end) => end.ask(question).await,
    }
}

fn begin(question: Question) -> Asked {
    POST.with_borrow_mut(|post| match post {
        Post::Alone => Asked::Answered(Ok(answer_alone(question))),
        Post::Blocking(end) => Asked::Answered(end.ask(question)),
        Post::Evented(end) => Asked::Awaiting(end.clone()),
    })
}

fn answer_alone(question: Question) -> Answer {
    match question {
        Question::ClusterStats => Answer::ClusterStats(ClusterStats::new(&tally::ledger(), 0, 0)),
    }
}

/// Tell the primary of the calling worker, if it has one, without waiting.
///
/// # Errors
/// See [`ChannelError`].
pub fn tell(message: ToPrimary) -> Result<(), ChannelError> {
    POST.with_borrow_mut(|post| match post {
        Post::Alone => Ok(()),
        Post::Blocking(end) => end.tell(message),
        Post::Evented(end) => end.tell(message),
    })
}

/// All workers as far as the calling one has heard. One that has no primary knows itself.
#[must_use]
pub fn colleagues() -> Vec<u32> {
    POST.with_borrow(|post| match post {
        Post::Alone => vec![tally::stats().worker],
        Post::Blocking(end) => end.colleagues().to_vec(),
        Post::Evented(end) => end.colleagues(),
    })
}
