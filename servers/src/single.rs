//! One process, one thread, one worker: what everything else is compared with.
//!
//! It joins its [`slot`] before it listens: the kernel takes connections from then on, and the first
//! of them is to be served where all are. Its style is evented, or blocking: then it is the first of
//! Stevens' designs, the iterative server.

use std::net::TcpListener;

use schema::{Accept, Model, Style, Worker};

use crate::{
    accept::gate::Gate,
    blocking::{self, Attention, Listening},
    end::End,
    evented::{self, Job},
    failure::Failure,
    ledger::Ledger,
    listener::listen,
    options::SingleOptions,
    orders::{Carrier, Chain},
    say, slot, tally,
    worker::Intake,
};

/// Its cell of the grid, unless it is told to block.
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
    let style = options.style.style;
    let (listener, address) = listen(options.server.socket_address(), style)?;
    let ready = || say::ready(address, Model { style, ..MODEL }, 1);
    let end = match style {
        Style::Evented => {
            let job = Job {
                intake: Intake::Own(listener),
                orders: Carrier::Signals(Chain::Operator),
                link: None,
                spin: options.worker.spin,
                drain_timeout: options.server.drain_timeout,
            };
            evented::run(job, ready)
        }
        Style::Blocking => block(listener, options, ready),
    }?;
    end.report("single");
    Ok(())
}

fn block(
    listener: TcpListener,
    options: &SingleOptions,
    ready: impl FnOnce(),
) -> Result<End, Failure> {
    let attention = Attention::to(Chain::Operator)?;
    let terms = options.worker.terms(options.style, &options.server);
    let source = Listening::new(listener, Gate::None, &attention);
    blocking::run(source, &attention, terms, ready)
}
