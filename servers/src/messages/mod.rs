//! Messages between a primary and each of its workers.
//!
//! A worker says how far it has come ([`ToPrimary::Online`] and so on) and asks; the primary answers,
//! and announces to all of them who their colleagues are. Each pair has a channel of its own, made by
//! the primary before the worker: [`between_processes`] or [`between_threads`], which differ in what
//! carries messages ([`link`], [`packets`], [`lane`]) and in nothing else.
//!
//! # The two ends
//! - [`PrimaryEnd`] never waits and does not grow, whatever its worker does.
//! - [`WorkerEnd`] waits for answers in the kernel. [`WorkerEnd::evented`] turns it into an
//!   [`EventedEnd`], which waits in an event loop. Either is [`install`]ed in the thread that serves
//!   (on a runtime with several threads, a clone in each), where the endpoint finds it ([`ask`]).
//!
//! # Order of events
//! The primary polls [`PrimaryEnd::fd`] of every worker (for writing as well where
//! [`PrimaryEnd::wants_to_write`]), flushes what can be written, and calls [`PrimaryEnd::receive`]
//! until there is nothing. Then, if any worker came or went, it announces once to all who is there:
//! announcing at each of a thousand beginnings would be a thousand times as much.
//!
//! # What fails
//! An end whose other end was closed says so after the last message. A worker whose primary does not
//! answer gives up after [`PATIENCE`]. A primary whose worker does not read keeps the last
//! announcement and a few answers for it, and drops the rest.

pub mod evented;
pub mod lane;
pub mod link;
pub mod message;
pub mod packets;
pub mod post;
pub mod primary;
pub mod worker;

pub use evented::{Dispatcher, EventedEnd};
pub use link::ChannelError;
pub use message::{Announcement, Answer, ClusterStats, Question, ToPrimary, ToWorker};
pub use post::{Post, ask, colleagues, install, tell};
pub use primary::PrimaryEnd;
pub use worker::{AskError, PATIENCE, WorkerEnd};

/// A channel between a primary and a worker that it will fork. After the fork each drops the end that
/// is not its own.
///
/// # Errors
/// No descriptors are left.
pub fn between_processes() -> Result<(PrimaryEnd, WorkerEnd), ChannelError> {
    let (primary, worker) = packets::pair()?;
    Ok((PrimaryEnd::new(primary), WorkerEnd::new(worker)))
}

/// A channel between a primary and a worker in another thread.
///
/// # Errors
/// No descriptors are left.
pub fn between_threads() -> Result<(PrimaryEnd, WorkerEnd), ChannelError> {
    let (primary, worker) = lane::pair()?;
    Ok((PrimaryEnd::new(primary), WorkerEnd::new(worker)))
}
