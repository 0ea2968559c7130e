//! One process, one thread, one event loop: what everything else is compared with.

use schema::{Accept, Model, Style, Worker};

use crate::{
    accept::Sharing, evented, failure::Failure, listener::listen, options::SingleOptions,
    orders::Chain, say,
};

/// Its cell of the grid.
pub const MODEL: Model = Model {
    worker: Worker::Process,
    style: Style::Evented,
    accept: Accept::Shared,
};

/// Serve until told to stop.
///
/// # Errors
/// See [`Failure`].
pub fn run(options: &SingleOptions) -> Result<(), Failure> {
    let (listener, address) = listen(options.server.socket_address())?;
    let end = evented::run(
        listener,
        Sharing::Sole,
        Chain::Operator,
        options.server.drain_timeout,
        || {
            say::ready(address, MODEL, 1);
        },
    )?;
    end.report("single");
    Ok(())
}
