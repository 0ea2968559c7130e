//! What follows from the end of a worker: what it held is taken back, and its seat has a successor,
//! waits for one, or is left empty.

use std::time::Instant;

use nix::{
    sys::{signal::Signal, wait::WaitStatus},
    unistd::Pid,
};

use super::{Phase, Primary, PrimaryError, orders::say_reloaded};
use crate::{
    cluster::{
        events::Event,
        member::Member,
        seat::{Loss, MOST_FALSE_STARTS, Outlook},
    },
    ledger::SeatStats,
    say,
};

impl Primary {
    /// A worker has ended.
    pub(super) fn bury(&mut self, status: WaitStatus) -> Result<(), PrimaryError> {
        let Some(worker) = status.pid() else {
            return Ok(());
        };
        // What it said before it ended may not be heard yet: that it listened, or that it took a
        // connection, which another must not be given then.
        self.hear_out(worker)?;
        // A child from before the exec that made this process a primary is no worker.
        let Some(member) = self.crew.remove(worker) else {
            return Ok(());
        };
        self.let_go(worker, &member);
        let wanted = member.was_told() || (self.is_stopping() && !self.gave_up);
        if let Some((_, event)) = Event::exit(status, wanted) {
            self.tell(worker, member.seat, event);
        }
        let answered = self.answered(member.desk, worker);
        self.ledger.vacate(member.desk);
        if wanted {
            if let Some(done) = self.renewals.ended(worker) {
                say_reloaded(done);
            }
            self.close_empty_doors();
        } else if !self.is_stopping() {
            self.mourn(worker, &member, status, answered);
        }
        if !self.is_stopping() {
            self.is_crew_changed = true;
        }
        Ok(())
    }

    fn let_go(&mut self, worker: Pid, member: &Member) {
        self.doors.leave(worker);
        if let Some(link) = &member.link {
            self.reactor.forget(link.fd());
        }
        if let Some(lane) = &member.lane {
            self.reactor.forget(lane);
        }
    }

    fn answered(&self, desk: usize, worker: Pid) -> u64 {
        let worker = worker.as_raw().cast_unsigned();
        let seats = self.ledger.read();
        let own = |stats: &&SeatStats| stats.seat == desk && stats.worker == worker;
        seats.iter().find(own).map_or(0, |stats| stats.requests)
    }

    /// A worker has died, and nobody had told it to.
    fn mourn(&mut self, worker: Pid, member: &Member, status: WaitStatus, answered: u64) {
        let seat = member.seat;
        let life = member.life(answered, is_by_order(status));
        match self.seats.lose(seat, worker, life, Instant::now()) {
            // It was made for what was queued there, and another would fare no better.
            Loss::Nothing if seat >= self.seats.count() => self.doors.shut(self.seats.count()),
            Loss::Nothing => {}
            Loss::Heir => self.give_up_renewals(worker),
            // It was to be succeeded anyway.
            Loss::HolderWithHeir => {
                self.respawned(worker);
                self.skip_renewal(seat);
            }
            Loss::Holder(Outlook::Succession) => {
                self.respawned(worker);
                if self.renewals.seat() == Some(seat) {
                    self.skip_renewal(seat);
                }
            }
            Loss::Holder(Outlook::CrashLoop) => self.leave_empty(seat),
        }
    }

    fn respawned(&mut self, dead: Pid) {
        self.respawns += 1;
        say::line(format_args!("Worker {dead} died, starting a new one..."));
    }

    fn give_up_renewals(&mut self, heir: Pid) {
        let replaced = self.renewals.give_up().unwrap_or_default();
        say::trouble(
            "cluster",
            format_args!(
                "reload given up after {replaced} workers, for the next could not start (worker \
                 {heir}); the others go on as they were: cure what it said, then send SIGHUP again"
            ),
        );
    }

    /// No worker of that seat can start. Where none at all can, no cluster comes about and nobody
    /// stays.
    fn leave_empty(&mut self, seat: usize) {
        if self.phase == Phase::Beginning || self.crew.listening() == 0 {
            self.phase = Phase::Stopping;
            self.gave_up = true;
            return;
        }
        say::trouble(
            "cluster",
            format_args!(
                "seat {seat} is left empty, for {MOST_FALSE_STARTS} workers in a row died there \
                 before they were of use; cure what they said, then send SIGHUP"
            ),
        );
        self.skip_renewal(seat);
    }
}

/// Whether somebody ended that worker, or it ended as one does that was asked to: no program sends
/// these signals to itself by a fault.
const fn is_by_order(status: WaitStatus) -> bool {
    matches!(
        status,
        WaitStatus::Signaled(_, Signal::SIGKILL | Signal::SIGTERM | Signal::SIGQUIT, _)
            | WaitStatus::Exited(_, 0)
    )
}
