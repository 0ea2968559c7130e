//! Why a primary gave up.

use std::io;

use crate::{
    cluster::{fork::ForkError, seat::MOST_FALSE_STARTS},
    messages::ChannelError,
};

/// Why a primary gave up.
#[derive(Debug, thiserror::Error)]
pub enum PrimaryError {
    /// No worker can be made.
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// No channel to a worker.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// No listener or lane for a worker.
    #[error("cannot give a worker its connections: {0}; raise the limit of open files (ulimit -n)")]
    Doors(io::Error),
    /// Waiting failed.
    #[error("cannot wait for workers and signals: {0}; free memory or raise its limit")]
    Wait(#[from] io::Error),
    /// Signals or children could not be read.
    #[error("cannot read signals: {0}; raise the limit of open files (ulimit -n)")]
    Signals(#[from] nix::Error),
    /// Workers die before they can serve.
    #[error(
        "{MOST_FALSE_STARTS} workers in a row died before they accepted connections; cure what \
         they said on stderr (with no word, look for a memory limit), then start again"
    )]
    FalseStarts,
}

impl PrimaryError {
    /// Whether a worker could not be made for want of something that may come back: descriptors,
    /// processes, memory.
    pub(super) const fn is_for_now(&self) -> bool {
        matches!(
            self,
            Self::Fork(ForkError::Refused(_))
                | Self::Channel(ChannelError::Open(_))
                | Self::Doors(_)
        )
    }
}
