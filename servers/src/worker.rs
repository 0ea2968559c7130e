//! One worker, whether a process or a thread, in either style.

use std::net::TcpListener;

use crate::{accept::handoff::lane::Line, options::Wake};

/// How connections reach a worker.
#[derive(Debug)]
pub enum Intake {
    /// By a listener that is its own.
    Own(TcpListener),
    /// By a listener that others wait on, too.
    Shared {
        /// The listener.
        listener: TcpListener,
        /// Whom a connection wakes, where workers are event loops.
        wake: Wake,
    },
    /// By an acceptor, which hands them over.
    Line(Line),
}
