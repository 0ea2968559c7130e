//! What the operator wants: a reload, one worker more or less, the end; and how workers are told.

use std::time::Instant;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{Phase, Primary};
use crate::{
    cluster::{member::Member, renewal::Done},
    end::GRACE,
    options::MOST_WORKERS,
    say,
};

impl Primary {
    pub(super) fn reload(&mut self) {
        let seats = self.seats.count();
        if !self.renewals.reload(seats) {
            say::line("Already reloading");
            return;
        }
        self.reloads += 1;
        say::line(format_args!("Reloading {seats} workers, one after another"));
    }

    /// Have the heir made whose turn it is.
    pub(super) fn call_heirs(&mut self) {
        while !self.is_stopping()
            && let Some(seat) = self.renewals.begin_next()
        {
            // One that was left empty, or is about to be filled, has nobody to succeed.
            if !self.seats.call(seat) {
                self.skip_renewal(seat);
            }
        }
    }

    pub(super) fn skip_renewal(&mut self, seat: usize) {
        if let Some(done) = self.renewals.skip(seat) {
            say_reloaded(done);
        }
    }

    pub(super) fn scale_up(&mut self) {
        let seats = self.seats.count() + 1;
        if seats > MOST_WORKERS as usize {
            say::line(format_args!("Already at the most workers: {MOST_WORKERS}"));
            return;
        }
        if let Err(failure) = self.doors.grow(seats) {
            say::trouble("cluster", format_args!("cannot add a worker: {failure}"));
            return;
        }
        self.seats.add();
        say::line(format_args!("Scaling up to {seats} workers"));
    }

    pub(super) fn scale_down(&mut self) {
        let seats = self.seats.count() - 1;
        if seats == 0 {
            say::line("Already at the least workers: 1");
            return;
        }
        say::line(format_args!("Scaling down to {seats} workers"));
        if let Err(error) = self.doors.narrow(seats) {
            say::trouble(
                "cluster",
                format_args!(
                    "cannot keep new connections from the worker that leaves: {error}; some may \
                     be reset, unless net.ipv4.tcp_migrate_req is 1"
                ),
            );
        }
        for worker in self.seats.remove() {
            self.retire(worker);
        }
        self.skip_renewal(seats);
        self.close_empty_doors();
    }

    /// Close the listeners of seats that are no more, once their workers are gone and nothing is queued
    /// there. Else one worker more is due for such a seat, which retires as soon as it listens.
    pub(super) fn close_empty_doors(&mut self) {
        let seats = self.seats.count();
        if !self.crew.has_anybody_beyond(seats) && !self.is_stopping() {
            self.leftover = self.doors.shrink(seats);
        }
    }

    /// Have all workers drain where the phase was another `before` there was a reason to stop; the
    /// second time, end.
    pub(super) fn carry_out_stop(&mut self, before: Phase) {
        match (before, self.phase) {
            (Phase::Beginning | Phase::Serving, Phase::Stopping) => self.drain_everybody(),
            (Phase::Stopping, Phase::Hurrying) => self.hurry_everybody(),
            _ => {}
        }
    }

    fn drain_everybody(&mut self) {
        self.scales = None;
        let everybody = self.crew.everybody();
        let crew = &self.crew;
        self.doors
            .close(&self.reactor, &everybody, |worker, connection| {
                crew.pass(worker, connection)
            });
        for worker in everybody {
            self.drain(worker);
        }
    }

    fn hurry_everybody(&mut self) {
        let deadline = Instant::now() + GRACE;
        for worker in self.crew.everybody() {
            if let Some(member) = self.crew.get_mut(worker) {
                member.deadline = Some(deadline);
                signal(worker, Signal::SIGQUIT);
            }
        }
    }

    /// Tell a worker that others succeed to accept no more, and to end once each of its connections
    /// has carried one more request.
    pub(super) fn retire(&mut self, worker: Pid) {
        let deadline = Instant::now() + self.drain_timeout;
        let retires = |member: &mut Member| member.retires(deadline);
        if self.crew.get_mut(worker).is_some_and(retires) {
            self.is_crew_changed = true;
            self.doors.retire(worker);
            signal(worker, Signal::SIGUSR1);
        }
    }

    /// Tell a worker to finish the requests in flight and end.
    pub(super) fn drain(&mut self, worker: Pid) {
        let deadline = Instant::now() + self.drain_timeout + GRACE;
        let drains = |member: &mut Member| member.drains(deadline);
        if self.crew.get_mut(worker).is_some_and(drains) {
            self.doors.retire(worker);
            signal(worker, Signal::SIGTERM);
        }
    }
}

/// That a reload is over.
pub(super) fn say_reloaded(done: Done) {
    say::line(format_args!(
        "Reloaded {} workers in {} ms",
        done.replaced,
        done.took.as_millis()
    ));
}

/// Signal one of the crew.
pub(super) fn signal(worker: Pid, signal: Signal) {
    // It may have ended and wait to be reaped; then it needs to be told nothing.
    let _ = kill(worker, signal);
}
