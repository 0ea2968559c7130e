//! One process, one thread, one event loop: what everything else is compared with.
//!
//! It joins its [`slot`] before it listens: the kernel takes connections from then on, and the first
//! of them is to be served where all are.

use schema::{Accept, Model, Style, Worker};

use crate::{
    evented::{self, Job},
    failure::Failure,
    ledger::Ledger,
    listener::listen,
    options::SingleOptions,
    orders::{Carrier, Chain},
    say, slot, tally,
    worker::Intake,
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
    tally::begin(Ledger::alone(), 0);
    let (listener, address) = listen(options.server.socket_address())?;
    let job = Job {
        intake: Intake::Own(listener),
        orders: Carrier::Signals(Chain::Operator),
        link: None,
        spin: options.worker.spin,
        drain_timeout: options.server.drain_timeout,
    };
    let end = evented::run(job, || say::ready(address, MODEL, 1))?;
    end.report("single");
    Ok(())
}
