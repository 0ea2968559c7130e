//! Why load could not be driven at all.

use std::{io, net::SocketAddr};

use crate::transport::TransportKind;

/// The load did not come to a counted window, or was called off. The messages are whole: causes are
/// named in them, and not chained behind them.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The first connections could not be made.
    #[error(
        "cannot connect to {address}: {cause}; is a server listening there, and may this process open {connections} more sockets?"
    )]
    Connect {
        /// Where to.
        address: SocketAddr,
        /// How many connections were asked for.
        connections: u32,
        /// The kernel's answer.
        cause: io::Error,
    },
    /// Wrong answers during warm-up: nothing was counted.
    #[error("{count} of the answers during warm-up were wrong, the first: {first}")]
    WarmUp {
        /// Errors and timeouts.
        count: u64,
        /// The first of them.
        first: String,
    },
    /// [`crate::Running::stop`] was called before the window opened.
    #[error("the load was called off before its window opened")]
    Stopped,
    /// A generator thread could not be pinned.
    #[error(
        "cannot bind a generator thread to CPU {cpu}: {cause}; choose from the CPUs this process may use"
    )]
    Pin {
        /// The CPU.
        cpu: u32,
        /// The kernel's answer.
        cause: io::Error,
    },
    /// The transport that was asked for is not to be had.
    #[error(
        "this kernel does not let the generator use {}: {cause}; leave the choice to the generator", kind.name()
    )]
    Transport {
        /// The one asked for.
        kind: TransportKind,
        /// The kernel's answer.
        cause: io::Error,
    },
    /// The kernel refused what an event loop needs.
    #[error("the generator's event loop failed: {cause}")]
    EventLoop {
        /// The kernel's answer.
        cause: io::Error,
    },
    /// A generator thread panicked; what it said is on stderr.
    #[error("a generator thread panicked; this is an error in the generator")]
    Panicked,
    /// A specification that means nothing.
    #[error(
        "the load needs at least one connection and one CPU; {connections} and {cpus} were given"
    )]
    Empty {
        /// Connections asked for.
        connections: u32,
        /// CPUs given.
        cpus: usize,
    },
}

impl From<io::Error> for LoadError {
    fn from(cause: io::Error) -> Self {
        Self::EventLoop { cause }
    }
}
