//! What comes to the primary: signals, messages of its workers, their words about connections they
//! were handed, and connections.

use nix::{sys::wait::WaitStatus, unistd::Pid};

use super::{Primary, PrimaryError};
use crate::{
    cluster::{
        events::Event,
        member::{Member, Source},
        reap,
    },
    messages::{Announcement, Answer, ChannelError, ClusterStats, Question, ToPrimary, ToWorker},
    say,
    signals::Pending,
};

impl Primary {
    pub(super) fn take(&mut self, source: Source) -> Result<(), PrimaryError> {
        match source {
            Source::Signals => self.take_signals(),
            Source::Listener => {
                self.doors.accept();
                Ok(())
            }
            Source::Messages(worker) => self.take_messages(worker),
            Source::Lane(worker) => {
                self.take_words(worker);
                Ok(())
            }
        }
    }

    fn take_signals(&mut self) -> Result<(), PrimaryError> {
        let (orders, ended) = self.read_signals()?;
        let before = self.phase;
        if orders.stop {
            self.phase = self.phase.told_to_stop();
        }
        for status in ended {
            self.bury(status)?;
        }
        // Only now: a pid that was reaped may be a stranger's.
        self.carry_out_stop(before);
        if !self.is_stopping() {
            if orders.reload {
                self.reload();
            }
            if orders.more {
                self.scale_up();
            }
            if orders.less {
                self.scale_down();
            }
        }
        Ok(())
    }

    /// All signals that have come, and how all workers ended that have.
    ///
    /// A Ctrl-C ends workers too, and they must not be taken for dead ones to replace. The kernel
    /// signals a process group under a lock that an exiting process needs to become reapable, so
    /// once a worker that ended of a signal to the group can be reaped, the primary's own copy of
    /// that signal is pending. Hence signals are read once more after every reaping.
    fn read_signals(&self) -> Result<(Pending, Vec<WaitStatus>), PrimaryError> {
        let mut ended = Vec::new();
        let mut orders = Pending::default();
        loop {
            let pending = self.signals.pending()?;
            orders.stop |= pending.stop;
            orders.reload |= pending.reload;
            orders.more |= pending.more;
            orders.less |= pending.less;
            if !pending.child {
                return Ok((orders, ended));
            }
            ended.append(&mut reap::ended()?);
        }
    }

    /// Take all that a worker has said that can say nothing more.
    pub(super) fn hear_out(&mut self, worker: Pid) -> Result<(), PrimaryError> {
        self.take_messages(worker)?;
        self.take_words(worker);
        Ok(())
    }

    // Messages.

    fn take_messages(&mut self, worker: Pid) -> Result<(), PrimaryError> {
        while let Some(link) = self.crew.get_mut(worker).and_then(Member::link) {
            match link.receive() {
                Ok(Some(message)) => self.heed(worker, &message)?,
                Ok(None) => return self.watch_for_room(worker),
                Err(ChannelError::Garbled { .. } | ChannelError::TooLong { .. }) => {}
                // It has closed its end, which its death does too.
                Err(_) => {
                    let member = self.crew.get_mut(worker);
                    if let Some(link) = member.and_then(|member| member.link.take()) {
                        self.reactor.forget(link.fd());
                    }
                }
            }
        }
        Ok(())
    }

    fn heed(&mut self, worker: Pid, message: &ToPrimary) -> Result<(), PrimaryError> {
        let Some(seat) = self.crew.get(worker).map(|member| member.seat) else {
            return Ok(());
        };
        match *message {
            ToPrimary::Online => self.tell(worker, seat, Event::Online),
            ToPrimary::Listening => self.listens(worker, seat),
            ToPrimary::Leaving => {
                self.doors.retire(worker);
                self.tell(worker, seat, Event::Disconnect);
            }
            ToPrimary::Ask {
                id,
                question: Question::ClusterStats,
            } => {
                let stats = ClusterStats::new(&self.ledger, self.respawns, self.reloads);
                let answer = Answer::ClusterStats(stats);
                self.send(worker, ToWorker::Answer { id, answer })?;
            }
        }
        Ok(())
    }

    fn listens(&mut self, worker: Pid, seat: usize) {
        if self.is_stopping() || !self.crew.get_mut(worker).is_some_and(Member::listens) {
            return;
        }
        self.is_crew_changed = true;
        self.doors.join(worker);
        self.tell(worker, seat, Event::Listening);
        say::line(format_args!("Worker {worker} started"));
        if let Some(holder) = self.seats.succeed(seat, worker) {
            self.renewals.succeeded(seat, holder);
            self.retire(holder);
        }
        if !self.seats.is_of(seat, worker) {
            // It was made for what was queued at its listener, or its seat was given up meanwhile.
            self.retire(worker);
        }
    }

    /// Tell all workers who is there, if that has changed: once for all changes of a round, for in one
    /// a thousand workers may begin.
    pub(super) fn announce(&mut self) -> Result<(), PrimaryError> {
        if !std::mem::take(&mut self.is_crew_changed) || self.is_stopping() {
            return Ok(());
        }
        let colleagues = self.crew.colleagues();
        for worker in self.crew.everybody() {
            let news = Announcement::Colleagues(colleagues.clone());
            self.send(worker, ToWorker::Told(news))?;
        }
        Ok(())
    }

    fn send(&mut self, worker: Pid, message: ToWorker) -> Result<(), PrimaryError> {
        if let Some(link) = self.crew.get_mut(worker).and_then(Member::link) {
            // One that cannot be told has ended, or gives up by itself.
            let _ = link.send(message);
        }
        self.watch_for_room(worker)
    }

    /// Have the reactor tell when there is room for what the worker did not take yet.
    fn watch_for_room(&mut self, worker: Pid) -> Result<(), PrimaryError> {
        if let Some(member) = self.crew.get_mut(worker)
            && let Some(link) = &member.link
            && link.wants_to_write() != member.awaits_room
        {
            member.awaits_room = link.wants_to_write();
            let name = Source::Messages(worker).into();
            self.reactor
                .watch_for_room(link.fd(), name, member.awaits_room)?;
        }
        Ok(())
    }

    // Connections that are handed on.

    fn take_words(&mut self, worker: Pid) {
        let Some(member) = self.crew.get_mut(worker) else {
            return;
        };
        while let Some(lane) = &member.lane {
            match lane.word() {
                Ok(Some(word)) => self.doors.heard(worker, word),
                Ok(None) => break,
                // It has closed its end; its death will be told of.
                Err(_) => {
                    self.reactor.forget(lane);
                    member.lane = None;
                    self.doors.leave(worker);
                }
            }
        }
    }

    pub(super) fn deal(&mut self) {
        let crew = &self.crew;
        self.doors
            .deal(|worker, connection| crew.pass(worker, connection));
    }
}
