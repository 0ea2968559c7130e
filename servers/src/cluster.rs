//! A primary process and its workers, each a process with an event loop of its own.
//!
//! All workers wait on the one listener that the primary bound ([`crate::accept`]).
//!
//! A worker joins the [`slot`] of its seat before anything else, the successor of one that died as
//! well. One that cannot ends without having been ready, so the primary gives up after some.

use schema::{Accept, Model, Style, Worker};

use crate::{
    accept::Sharing,
    evented,
    failure::Failure,
    limits,
    listener::listen,
    options::ClusterOptions,
    orders::Chain,
    say, slot,
    supervision::{Role, supervise},
};

/// Its cell of the grid.
pub const MODEL: Model = Model {
    worker: Worker::Process,
    style: Style::Evented,
    accept: Accept::Shared,
};

/// Serve until told to stop. Returns in the primary, and in each worker when that worker's time
/// has come.
///
/// # Errors
/// See [`Failure`].
pub fn run(options: &ClusterOptions) -> Result<(), Failure> {
    limits::check()?;
    let workers = options.pool.workers()?;
    let drain_timeout = options.server.drain_timeout;
    let (listener, address) = listen(options.server.socket_address(), MODEL.style)?;
    let ready = || say::ready(address, MODEL, workers);

    match supervise(listener, workers, drain_timeout, ready)? {
        Role::Primary => {}
        Role::Worker(seat) => {
            slot::join(&options.worker.slots, seat.number)?;
            let accepting = || seat.readiness.announce();
            let end = evented::run(
                seat.listener,
                Sharing::WithOthers,
                Chain::Primary,
                options.worker.spin,
                drain_timeout,
                accepting,
            )?;
            end.report(&format!("worker {}", std::process::id()));
        }
    }
    Ok(())
}
