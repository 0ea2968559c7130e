//! Making workers: each gets its way to connections and its channel before there is a process for it.

use std::time::Instant;

use super::{Primary, PrimaryError, Start};
use crate::{
    cluster::{
        doors::Key,
        events::Event,
        fork::{Forked, fork_worker},
        member::{Member, Source},
    },
    messages::between_processes,
};

impl Primary {
    /// In a new worker, and only there, the result is what it has.
    pub(super) fn make_those_due(&mut self) -> Result<Option<Start>, PrimaryError> {
        let now = Instant::now();
        while !self.is_stopping()
            && let Some(seat) = self.take_due(now)
        {
            if let Some(start) = self.make(seat)? {
                return Ok(Some(start));
            }
        }
        Ok(None)
    }

    fn take_due(&mut self, now: Instant) -> Option<usize> {
        let due = self.seats.take_due(now);
        // A seat that is there again has a worker, or is to have one.
        let is_no_more = |seat: &usize| *seat >= self.seats.count();
        due.or_else(|| self.leftover.take().filter(is_no_more))
    }

    fn make(&mut self, seat: usize) -> Result<Option<Start>, PrimaryError> {
        let desk = self.crew.free_desk(self.ledger.seats());
        let Key { intake, lane } = self.doors.key(seat).map_err(PrimaryError::Doors)?;
        let (ours, theirs) = between_processes()?;
        match fork_worker(&self.sole)? {
            // Everything of the primary's is closed with `self`.
            Forked::Worker => Ok(Some(Start {
                seat,
                desk,
                intake,
                link: theirs,
            })),
            Forked::Primary(worker) => {
                self.reactor
                    .watch(ours.fd(), Source::Messages(worker).into())?;
                if let Some(lane) = &lane {
                    self.reactor.watch(lane, Source::Lane(worker).into())?;
                }
                self.crew.add(worker, Member::new(seat, desk, ours, lane));
                self.seats.settle(seat, worker);
                self.tell(worker, seat, Event::Fork);
                Ok(None)
            }
        }
    }
}
