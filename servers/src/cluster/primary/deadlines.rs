//! What happens at a time: workers that are late are told to end or killed, a listener that gave no
//! connections is tried again, and workers are weighed.

use std::time::Instant;

use nix::{sys::signal::Signal, unistd::Pid};

use super::{Primary, orders::signal};
use crate::{
    cluster::{member::Stage, renewal::Reason},
    say,
};

impl Primary {
    /// When the first of these things happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let due = self.seats.due().filter(|_| !self.is_stopping());
        let weighing = self.scales.map(|scales| scales.next());
        let all = [self.crew.deadline(), due, self.doors.retry_at(), weighing];
        all.into_iter().flatten().min()
    }

    pub(super) fn look_at_deadlines(&mut self) {
        let now = Instant::now();
        let late = self.crew.late(now);
        if !late.is_empty() {
            self.kill_late(&late);
        }
        if self.doors.retry_at().is_some_and(|at| at <= now) {
            self.doors.accept();
        }
        self.weigh(now);
    }

    fn kill_late(&mut self, late: &[Pid]) {
        let (mut starting, mut draining) = (0, 0);
        for &worker in late {
            let Some(member) = self.crew.get_mut(worker) else {
                continue;
            };
            member.deadline = None;
            match member.stage {
                // What connections it has left are idle.
                Stage::Retiring => {
                    self.drain(worker);
                    continue;
                }
                Stage::Starting => starting += 1,
                Stage::Listening | Stage::Draining => draining += 1,
            }
            signal(worker, Signal::SIGKILL);
        }
        if starting > 0 {
            say::trouble(
                "cluster",
                format_args!(
                    "workers killed, for they did not accept connections in time: {starting}; see \
                     what holds them up"
                ),
            );
        }
        if draining > 0 {
            say::trouble(
                "cluster",
                format_args!(
                    "workers killed with their connections, for they did not end in time: \
                     {draining}; allow requests more time with --drain-timeout"
                ),
            );
        }
    }

    /// Have those replaced that hold too much memory.
    fn weigh(&mut self, now: Instant) {
        let Some(scales) = &mut self.scales else {
            return;
        };
        if !scales.take_due(now) {
            return;
        }
        for (seat, worker) in self.seats.settled() {
            if self.crew.listens(worker)
                && let Some(held) = scales.excess_bytes(worker)
                && self.renewals.add(seat, Reason::Memory)
            {
                let most = scales.most_bytes();
                say::line(format_args!(
                    "Worker {worker} holds {held} bytes, more than {most}; replacing it"
                ));
            }
        }
    }
}
