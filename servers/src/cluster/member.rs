//! One worker, as the primary knows it.

use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::seats::{Life, SHORT_LIFE};
use crate::{accept::handoff::lane::SocketLane, messages::PrimaryEnd};

/// How long a worker may take until it accepts connections.
pub const START_TIMEOUT: Duration = Duration::from_secs(10);

/// How far a worker has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It does not accept connections yet.
    Starting,
    /// It does.
    Listening,
    /// It was told to accept no more, as another has its place.
    Retiring,
    /// It was told to end.
    Draining,
}

/// A worker that has not been seen to end.
#[derive(Debug)]
pub struct Member {
    /// Where it belongs.
    pub seat: usize,
    /// Where it counts what it serves. Not its seat's number: a seat may have two workers for a while.
    pub desk: usize,
    /// How far it has come.
    pub stage: Stage,
    /// Its messages; closed once it has closed its own end.
    pub link: Option<PrimaryEnd>,
    /// The way by which connections reach it, where they are handed to it.
    pub lane: Option<SocketLane>,
    /// When it was made.
    pub born: Instant,
    /// When it is told to end, or killed, unless it has come further by then.
    pub deadline: Option<Instant>,
}

impl Member {
    /// Newly made.
    #[must_use]
    pub fn new(seat: usize, desk: usize, link: PrimaryEnd, lane: Option<SocketLane>) -> Self {
        let born = Instant::now();
        Self {
            seat,
            desk,
            stage: Stage::Starting,
            link: Some(link),
            lane,
            born,
            deadline: Some(born + START_TIMEOUT),
        }
    }

    /// What its life was worth, `answered` being the requests it answered and `by_order` whether a signal
    /// that no program sends to itself ended it.
    #[must_use]
    pub fn life(&self, answered: u64, by_order: bool) -> Life {
        let short = self.born.elapsed() < SHORT_LIFE && answered == 0 && !by_order;
        if self.stage == Stage::Starting || short {
            Life::FalseStart
        } else {
            Life::Lived
        }
    }
}

/// What a descriptor of the primary's is for, as a number that its reactor keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Signals.
    Signals,
    /// Something to accept.
    Listener,
    /// Messages of a worker.
    Messages(Pid),
    /// A worker's words about connections it was handed.
    Lane(Pid),
}

const KIND_SHIFT: u32 = 32;

impl From<Source> for u64 {
    fn from(source: Source) -> Self {
        let (kind, pid) = match source {
            Source::Signals => (0, 0),
            Source::Listener => (1, 0),
            Source::Messages(pid) => (2, pid.as_raw()),
            Source::Lane(pid) => (3, pid.as_raw()),
        };
        (kind << KIND_SHIFT) | Self::from(pid.cast_unsigned())
    }
}

impl From<u64> for Source {
    fn from(name: u64) -> Self {
        let pid = || {
            Pid::from_raw(
                u32::try_from(name & u64::from(u32::MAX))
                    .unwrap_or(0)
                    .cast_signed(),
            )
        };
        match name >> KIND_SHIFT {
            0 => Self::Signals,
            1 => Self::Listener,
            2 => Self::Messages(pid()),
            _ => Self::Lane(pid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_known_by_its_number() {
        let pid = Pid::from_raw(4_194_304);
        for source in [
            Source::Signals,
            Source::Listener,
            Source::Messages(pid),
            Source::Lane(pid),
        ] {
            assert_eq!(Source::from(u64::from(source)), source);
        }
    }
}
