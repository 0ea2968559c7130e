//! One worker, as the primary knows it.

use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::seat::{Life, SHORT_LIFE};
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
    /// Some of them wait for room, of which the reactor is to tell.
    pub awaits_room: bool,
    /// The way by which connections reach it, where they are handed to it.
    pub lane: Option<SocketLane>,
    /// It has said that it accepts no more, whether or not it was told to.
    leaves: bool,
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
            awaits_room: false,
            lane,
            leaves: false,
            born,
            deadline: Some(born + START_TIMEOUT),
        }
    }

    /// Its messages, where they can still be told.
    pub fn link(&mut self) -> Option<&mut PrimaryEnd> {
        self.link.as_mut()
    }

    /// It accepts connections, which it says once. Whether it was waited for.
    pub fn listens(&mut self) -> bool {
        let was_waited_for = self.stage == Stage::Starting;
        if was_waited_for {
            self.stage = Stage::Listening;
            self.deadline = None;
        }
        was_waited_for
    }

    /// It accepts no more, which it says.
    pub const fn leaves(&mut self) {
        self.leaves = true;
    }

    /// Whether it accepts connections.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.stage == Stage::Listening && !self.leaves
    }

    /// It is told to accept no more, and told to end at `deadline`. Whether it was not told anything
    /// yet.
    pub fn retires(&mut self, deadline: Instant) -> bool {
        let was_free = !self.was_told();
        if was_free {
            self.stage = Stage::Retiring;
            self.deadline = Some(deadline);
        }
        was_free
    }

    /// It is told to end, and killed at `deadline`. Whether it was not told so yet.
    pub fn drains(&mut self, deadline: Instant) -> bool {
        let is_new = self.stage != Stage::Draining;
        if is_new {
            self.stage = Stage::Draining;
            self.deadline = Some(deadline);
        }
        is_new
    }

    /// Whether it was told to end, now or later: then its end is wanted.
    #[must_use]
    pub const fn was_told(&self) -> bool {
        matches!(self.stage, Stage::Retiring | Stage::Draining)
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
    use crate::messages::between_processes;

    fn member() -> Member {
        Member::new(0, 0, between_processes().unwrap().0, None)
    }

    #[test]
    fn a_worker_goes_from_stage_to_stage_and_never_back() {
        let (mut member, deadline) = (member(), Instant::now());
        assert!(member.listens());
        assert!(!member.listens(), "said twice");
        assert_eq!(member.deadline, None);
        assert!(member.is_listening());
        member.leaves();
        assert!(!member.is_listening() && !member.was_told());
        assert!(member.retires(deadline) && member.was_told());
        assert!(!member.listens() && !member.retires(deadline));
        assert_eq!(member.stage, Stage::Retiring);
        assert!(member.drains(deadline));
        assert!(!member.drains(deadline) && !member.retires(deadline));
        assert_eq!(member.stage, Stage::Draining);
    }

    #[test]
    fn a_life_is_a_false_start_if_it_was_short_and_of_no_use_to_anybody() {
        let mut member = member();
        assert_eq!(member.life(1, true), Life::FalseStart, "never listened");
        member.listens();
        assert_eq!(member.life(0, false), Life::FalseStart);
        assert_eq!(member.life(1, false), Life::Lived, "it answered");
        assert_eq!(member.life(0, true), Life::Lived, "somebody ended it");
        member.born -= SHORT_LIFE;
        assert_eq!(member.life(0, false), Life::Lived, "nobody asked it");
    }

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
