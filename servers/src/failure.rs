//! Why a server could not serve.

use std::io;

use crate::{
    accept::gate::GateError,
    blocking::attention::AttentionError,
    cluster::{fork::ForkError, primary::PrimaryError},
    ledger::LedgerError,
    listener::ListenError,
    messages::ChannelError,
    options::AffinityError,
    slot::SlotError,
};

/// A failure at run time: one line on stderr, exit code 1.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The default number of workers is not known.
    #[error(transparent)]
    Affinity(#[from] AffinityError),
    /// No memory to count in.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No channel between a primary and a worker.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// No socket.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A worker is not where it was to run.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// A cluster's primary can make no workers.
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// A cluster's primary gave up.
    #[error(transparent)]
    Primary(#[from] PrimaryError),
    /// A thread could not be made.
    #[error(
        "cannot make a worker thread: {0}; use fewer with --workers, or raise the limit (ulimit -u)"
    )]
    Thread(io::Error),
    /// A worker thread panicked, which is a fault of this program.
    #[error("a worker thread ended by a panic; what it said is above: report it")]
    Panicked,
    /// A blocking worker would not hear orders.
    #[error(transparent)]
    Attention(#[from] AttentionError),
    /// Workers cannot take turns to accept.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// Too few open files are allowed.
    #[error("only {limit} files may be open and a server needs {fewest}; raise it (ulimit -n)")]
    OpenFiles {
        /// The soft limit.
        limit: u64,
        /// What there must be.
        fewest: u64,
    },
    /// Signals could not be taken.
    #[error("cannot take signals: {0}; raise the limit of open files (ulimit -n)")]
    Signals(#[from] nix::Error),
    /// The runtime, or its view of the listener, could not be made or failed.
    #[error(
        "cannot run an event loop: {0}; raise the limits of open files and processes \
         (ulimit -n, ulimit -u)"
    )]
    EventLoop(#[from] io::Error),
}
