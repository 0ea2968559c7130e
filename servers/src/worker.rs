//! One worker, whether a process or a thread, in either style.

use std::net::TcpListener;

use crate::{
    accept::{
        gate::{Gate, SharedGate},
        handoff::{blocking::Waiting, lane::Line},
    },
    blocking::{self, Attention, Listening, Terms},
    end::End,
    failure::Failure,
    options::Wake,
};

/// How connections reach a worker.
#[derive(Debug)]
pub enum Intake {
    /// By a listener that is its own.
    Own(TcpListener),
    /// By a listener that others wait on, too.
    Shared {
        /// The listener.
        listener: TcpListener,
        /// What stands before accepting.
        gate: SharedGate,
        /// Whom a connection wakes, where workers are event loops.
        wake: Wake,
    },
    /// By an acceptor, which hands them over.
    Line(Line),
}

/// Serve in the blocking style what comes by `intake`, until told to end. `accepting` is called before
/// the first connection is waited for.
///
/// # Errors
/// See [`Failure`].
pub fn block(
    intake: Intake,
    attention: &Attention,
    terms: Terms,
    accepting: impl FnOnce(),
) -> Result<End, Failure> {
    match intake {
        Intake::Own(listener) => {
            let source = Listening::new(listener, Gate::None, attention);
            blocking::run(source, attention, terms, accepting)
        }
        Intake::Shared { listener, gate, .. } => {
            let source = Listening::new(listener, gate.for_worker()?, attention);
            blocking::run(source, attention, terms, accepting)
        }
        Intake::Line(line) => {
            let source = Waiting::new(line, attention)?;
            blocking::run(source, attention, terms, accepting)
        }
    }
}
