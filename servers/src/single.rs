//! One process, one thread, one event loop: what everything else is compared with.
//!
//! It joins its [`slot`] before it listens: the kernel takes connections from then on, and the first
//! of them is to be served where all are.

use schema::{Accept, Model, Style, Worker};

use crate::{
    accept::Sharing, evented, failure::Failure, listener::listen, options::SingleOptions,
    orders::Chain, say, slot,
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
    slot::join(&options.worker.slots, 0)?;
    let (listener, address) = listen(options.server.socket_address(), MODEL.style)?;
    let end = evented::run(
        listener,
        Sharing::Sole,
        Chain::Operator,
        options.worker.spin,
        options.server.drain_timeout,
        || {
            say::ready(address, MODEL, 1);
        },
    )?;
    end.report("single");
    Ok(())
}
