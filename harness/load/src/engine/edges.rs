//! The edges of the window and of its intervals.

use std::{io, sync::atomic::Ordering};

use schema::{CpuTime, Pace};

use super::{Engine, Phase, Report, nanos};
use crate::{
    arrivals::{Observed, Rate},
    error::LoadError,
    slot::State,
    thread_usage,
    transport::Transport,
};

impl<T: Transport> Engine<'_, T> {
    /// Opens the window, hands an interval over, or closes the window, when it is time. The window's
    /// edges are where they were planned, whenever the thread came to notice: every answer is counted
    /// by its own time.
    pub(super) fn cross_edges(&mut self, now_ns: u64) -> io::Result<()> {
        while now_ns >= self.next_edge_ns && self.phase != Phase::Over {
            match self.phase {
                Phase::WarmUp => self.open_window()?,
                Phase::Window if self.next_edge_ns >= self.close_ns => {
                    self.close_window(self.close_ns, false)?;
                }
                _ => self.hand_interval_over(self.next_edge_ns),
            }
        }
        Ok(())
    }

    /// Forgets the warm-up; requests under way are offered to the window.
    fn open_window(&mut self) -> io::Result<()> {
        if let (count @ 1.., first) = self.tally.wrong() {
            let first = first.unwrap_or_default().to_owned();
            self.failed = Some(LoadError::WarmUp { count, first });
            self.shared.stop.store(true, Ordering::Relaxed);
            self.phase = Phase::Over;
            return Ok(());
        }
        self.publish();
        self.published = 0;
        self.tally.clear();
        if let Pace::OpenLoop(open) = &self.spec.pace {
            let rate = Rate::new(open, self.spec.warm_up, self.spec.measure);
            let mut observed = Observed::new(open, rate, self.spec.threads());
            observed.open(self.opened_ns - self.start_ns);
            self.tally.arrivals = Some(observed);
        }
        for slot in &mut self.slots {
            if slot.state == State::Busy {
                self.tally
                    .busy_before(slot.times.written_ns, self.opened_ns);
            }
            slot.first_worker = None;
            if slot.has_request() && !slot.offered {
                slot.offered = true;
                self.tally.offered += 1;
            }
        }
        self.phase = Phase::Window;
        self.shared.counting.store(true, Ordering::Relaxed);
        self.busy_changed_ns = self.opened_ns;
        self.awake_ns = 0;
        self.next_edge_ns = self.next_interval_ns().min(self.close_ns);
        self.cpu_before = thread_usage::cpu()?;
        self.wait_before_ns = thread_usage::run_queue_wait_ns();
        self.stolen_before_ns = thread_usage::stolen_ns(self.cpu());
        Ok(())
    }

    fn next_interval_ns(&self) -> u64 {
        self.spec.interval.map_or(u64::MAX, |interval| {
            self.opened_ns + (self.intervals + 1) * nanos(interval)
        })
    }

    /// What was counted since the last time goes to whoever watches.
    fn hand_interval_over(&mut self, now_ns: u64) {
        self.intervals += 1;
        self.next_edge_ns = self.next_interval_ns().min(self.close_ns);
        self.publish();
        self.published = 0;
        self.busy_changes(now_ns, 0);
        self.tally.in_flight = self.in_flight();
        self.longest_ns = self.longest_ns.max(self.tally.latencies.longest());
        let mut next = self.mail.returned.try_recv().unwrap_or_default();
        next.arrivals = self.tally.arrivals.take();
        let tally = std::mem::replace(&mut self.tally, next);
        self.report(Report::Interval(self.intervals - 1, tally));
    }

    fn in_flight(&self) -> u64 {
        let waiting = if self.mail.index == 0 {
            self.shared.backlog.len() as u64
        } else {
            0
        };
        self.busy + waiting
    }

    pub(super) fn close_window(&mut self, at_ns: u64, interrupted: bool) -> io::Result<()> {
        self.phase = Phase::Over;
        self.publish();
        self.busy_changes(at_ns, 0);
        self.tally.elapsed_ns = at_ns - self.opened_ns;
        let used = thread_usage::cpu()?;
        self.tally.cpu = CpuTime {
            user_ns: used.user_ns.saturating_sub(self.cpu_before.user_ns),
            system_ns: used.system_ns.saturating_sub(self.cpu_before.system_ns),
        };
        let since = |before: Option<u64>, after: Option<u64>| {
            after
                .zip(before)
                .map(|(after, before)| after.saturating_sub(before))
        };
        let worked_ns = self.tally.cpu.total_ns().saturating_sub(self.awake_ns);
        self.tally.busiest = worked_ns as f64 / self.tally.elapsed_ns.max(1) as f64;
        self.tally.run_queue_wait_ns =
            since(self.wait_before_ns, thread_usage::run_queue_wait_ns());
        self.tally.stolen_ns = since(self.stolen_before_ns, thread_usage::stolen_ns(self.cpu()));
        self.tally.in_flight = self.in_flight();
        self.longest_ns = self.longest_ns.max(self.tally.latencies.longest());
        self.cut_off(at_ns);
        if let Some(observed) = &mut self.tally.arrivals {
            observed.close(self.opened_ns - self.start_ns, at_ns - self.start_ns);
        }
        let tally = std::mem::take(&mut self.tally);
        self.report(Report::Closed { tally, interrupted });
        Ok(())
    }
}
