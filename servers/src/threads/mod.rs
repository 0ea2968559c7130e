//! One process whose workers are threads.
//!
//! The first thread serves nothing, like the primary of a cluster: it waits for orders, outside any
//! event loop of a worker, so that it is heard even while every worker is blocked.
//!
//! - [`pool`]: so many threads, each a worker by itself, as the processes of a cluster are. Where
//!   the first thread accepts for them it does so at its [`desk`].
//! - [`stealing`]: so many threads that share one runtime and take work from one another.
//!   Only the kernel's word that there may be so many of them ([`enough`]) is asked for beforehand.
//! - With a thread for each connection: [`crate::accept::per_connection`].

use schema::{Accept, Worker};

use crate::{accept::per_connection, failure::Failure, limits, options::ThreadsOptions};

pub mod desk;
pub mod enough;
pub mod front_desk;
pub mod pool;
pub mod stealing;

/// Serve until told to stop.
///
/// # Errors
/// See [`Failure`].
pub fn run(options: &ThreadsOptions) -> Result<(), Failure> {
    limits::check()?;
    let model = options.model.model(Worker::Thread);
    match model.accept {
        Accept::Stealing => stealing::run(options, model),
        Accept::PerConnection => per_connection::threads::run(options, model),
        _ => pool::run(options, model),
    }
}
