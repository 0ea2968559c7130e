//! Requests on their way out: which are due, which connection takes them, and how they end without
//! an answer.

use std::io;

use rustix::io::write;
use schema::{ErrorKind, Pace, Reuse};

use super::{Engine, Phase, REST_NS};
use crate::{backlog::Due, response::Parser, slot::State, tally::Times, transport::Transport};

/// A request that has waited for this many times the longest response time hangs.
const HANGS: u64 = 3;

impl<T: Transport> Engine<'_, T> {
    /// Sends whatever is due, the oldest first, as far as there are free connections.
    pub(super) fn take_due(&mut self, mut now_ns: u64) {
        while let Some(&(until_ns, slot)) = self.resting.front()
            && until_ns <= now_ns
        {
            self.resting.pop_front();
            self.released(slot, now_ns);
        }
        self.ask_again();
        while let Some(&(intended_ns, slot)) = self.thinking.front()
            && intended_ns <= now_ns
        {
            self.thinking.pop_front();
            now_ns = self.now();
            let due = self.due(intended_ns, now_ns);
            self.assign(slot, due, now_ns);
        }
        if self.schedule.is_some() {
            self.take_arrivals(now_ns);
        }
    }

    /// Requests of a closed loop without time to think are due as their turn to be sent comes.
    fn ask_again(&mut self) {
        if self.eager.is_empty() {
            return;
        }
        let mut eager = std::mem::take(&mut self.eager);
        while let Some(slot) = eager.pop() {
            let now_ns = self.now();
            if now_ns >= self.close_ns {
                eager.push(slot);
                break;
            }
            let due = self.due(now_ns, now_ns);
            self.assign(slot, due, now_ns);
        }
        // What failed meanwhile asks again after the next look at the sockets.
        eager.append(&mut self.eager);
        self.eager = eager;
    }

    /// A request that fails as it is sent frees its connection in here: the loop that is running takes
    /// what is due for it.
    fn take_arrivals(&mut self, now_ns: u64) {
        if self.taking {
            return;
        }
        self.taking = true;
        self.take_all_arrivals(now_ns);
        self.taking = false;
    }

    fn take_all_arrivals(&mut self, mut now_ns: u64) {
        loop {
            if self.shared.backlog.len() > 0 {
                let Some(slot) = self.pop_free() else {
                    self.queue_arrivals(now_ns);
                    return;
                };
                match self.shared.backlog.pop() {
                    Some(due) => {
                        now_ns = self.now();
                        self.assign(slot, due, now_ns);
                    }
                    // Another thread was faster.
                    None => self.push_free(slot),
                }
                continue;
            }
            let Some(intended_ns) = self.next_arrival(now_ns) else {
                return;
            };
            let Some(slot) = self.pop_free() else {
                self.queue_arrivals(now_ns);
                return;
            };
            now_ns = self.now();
            let due = self.arrived(intended_ns, now_ns);
            self.assign(slot, due, now_ns);
        }
    }

    /// When the next arrival is due, if that is now.
    fn next_arrival(&self, now_ns: u64) -> Option<u64> {
        let schedule = self.schedule.as_ref()?;
        let intended_ns = self.start_ns.saturating_add(schedule.next_ns());
        (intended_ns <= now_ns && intended_ns < self.close_ns).then_some(intended_ns)
    }

    /// No connection is free: arrivals wait in the common queue. Where there is but one thread, they
    /// are as good as in hand when they are due, as nothing could be done with them.
    fn queue_arrivals(&mut self, now_ns: u64) {
        let alone = self.spec.threads() == 1;
        while let Some(intended_ns) = self.next_arrival(now_ns) {
            let in_hand_ns = if alone {
                intended_ns.max(self.none_free_since_ns)
            } else {
                now_ns
            };
            let due = self.arrived(intended_ns, in_hand_ns);
            if let Some(thread) = self.shared.backlog.push(due)
                && let Some(waker) = self.wakers.get(thread)
            {
                // A count that is full wakes as well.
                let _ = write(waker, &1_u64.to_ne_bytes());
            }
        }
    }

    fn arrived(&mut self, intended_ns: u64, dispatched_ns: u64) -> Due {
        if let Some(schedule) = &mut self.schedule {
            if let Some(observed) = &mut self.tally.arrivals {
                observed.took(schedule.next_s(), dispatched_ns - self.start_ns);
            }
            schedule.advance();
        }
        self.due(intended_ns, dispatched_ns)
    }

    fn due(&mut self, intended_ns: u64, dispatched_ns: u64) -> Due {
        let offered = self.phase == Phase::Window;
        self.tally.offered += u64::from(offered);
        Due {
            intended_ns,
            dispatched_ns,
            offered,
        }
    }

    pub(super) fn has_free(&self) -> bool {
        !self.free.is_empty() || !self.down.is_empty()
    }

    /// A free slot, a connected one if there is one.
    fn pop_free(&mut self) -> Option<u32> {
        if !self.has_free() {
            return None;
        }
        let mut found = None;
        while let Some(slot) = self.free.pop_front() {
            if self.slots[slot as usize].state == State::Idle {
                found = Some(slot);
                break;
            }
            self.down.push_back(slot);
        }
        let slot = found.or_else(|| self.down.pop_front());
        if !self.has_free() {
            self.none_free_since_ns = self.now();
            self.shared.backlog.set_free(self.mail.index, false);
        }
        slot
    }

    fn push_free(&mut self, slot: u32) {
        if !self.has_free() {
            self.shared.backlog.set_free(self.mail.index, true);
        }
        if self.slots[slot as usize].state == State::Idle {
            self.free.push_back(slot);
        } else {
            self.down.push_back(slot);
        }
    }

    /// Gives a free slot its next request.
    pub(super) fn assign(&mut self, slot: u32, mut due: Due, now_ns: u64) {
        if self.phase == Phase::Window && !due.offered {
            due.offered = true;
            self.tally.offered += 1;
        }
        let place = &mut self.slots[slot as usize];
        place.offered = due.offered;
        place.times = Times {
            intended_ns: due.intended_ns,
            dispatched_ns: due.dispatched_ns,
            written_ns: 0,
        };
        if place.state == State::Idle {
            self.write(slot, now_ns);
            return;
        }
        place.state = State::Connecting;
        place.first_worker = None;
        let route = self.routes.next();
        if let Err(error) = self.transport.connect(slot, &route) {
            self.failed(slot, now_ns, ErrorKind::Connect, || error.to_string());
        }
    }

    /// Writes a slot's request.
    pub(super) fn write(&mut self, slot: u32, now_ns: u64) {
        let place = &mut self.slots[slot as usize];
        place.times.written_ns = now_ns;
        place.state = State::Busy;
        self.busy_changes(now_ns, 1);
        if let Err(error) = self.transport.send(slot) {
            self.disconnected(slot, now_ns, &error);
        }
    }

    /// A slot has no request any more; what it does next is a matter of the pace.
    pub(super) fn released(&mut self, slot: u32, now_ns: u64) {
        match self.spec.pace {
            Pace::ClosedLoop { think_ns: 0 } => self.eager.push(slot),
            Pace::ClosedLoop { think_ns } => self.thinking.push_back((now_ns + think_ns, slot)),
            Pace::OpenLoop(_) => {
                // What fell due while no connection was free waited for one, not for the generator.
                if !self.has_free() {
                    self.queue_arrivals(now_ns);
                }
                self.push_free(slot);
                self.take_arrivals(now_ns);
            }
        }
    }

    /// A request failed; its connection is of no use any more.
    pub(super) fn failed(
        &mut self,
        slot: u32,
        now_ns: u64,
        kind: ErrorKind,
        words: impl FnOnce() -> String,
    ) {
        self.tally.error(kind, words);
        self.end_in_vain(slot, now_ns);
        if kind == ErrorKind::Connect {
            self.resting.push_back((now_ns + REST_NS, slot));
        } else {
            self.released(slot, now_ns);
        }
    }

    pub(super) fn disconnected(&mut self, slot: u32, now_ns: u64, error: &io::Error) {
        self.failed(slot, now_ns, ErrorKind::Disconnect, || error.to_string());
    }

    /// Ends a slot's request without an answer, and its connection.
    fn end_in_vain(&mut self, slot: u32, now_ns: u64) {
        let place = &self.slots[slot as usize];
        let waited_ns = now_ns.saturating_sub(place.times.intended_ns);
        self.tally.latencies.waited_in_vain(waited_ns);
        if place.state == State::Busy {
            self.tally.busy_in_vain(place.times.written_ns, now_ns);
            self.busy_changes(now_ns, -1);
        }
        self.hang_up(slot);
    }

    /// Drops a slot's connection.
    pub(super) fn hang_up(&mut self, slot: u32) {
        self.transport.close(slot);
        let place = &mut self.slots[slot as usize];
        place.state = State::Down;
        place.parser = Parser::default();
    }

    /// Whether connections serve one request each.
    pub(super) fn is_one_each(&self) -> bool {
        self.spec.reuse == Reuse::NewConnection
    }

    /// Gives up what has waited for longer than the timeout.
    pub(super) fn give_up_late_ones(&mut self, now_ns: u64) {
        let Some(since_ns) = now_ns.checked_sub(self.timeout_ns) else {
            return;
        };
        while let Some(due) = self.shared.backlog.pop_before(since_ns) {
            self.tally.offered += u64::from(self.phase == Phase::Window && !due.offered);
            self.tally.timeouts += 1;
            self.tally
                .latencies
                .waited_in_vain(now_ns - due.intended_ns);
        }
        for slot in self.numbers() {
            let place = &self.slots[slot as usize];
            if place.has_request() && place.times.intended_ns < since_ns {
                self.tally.timeouts += 1;
                self.end_in_vain(slot, now_ns);
                self.released(slot, now_ns);
            }
        }
    }

    /// The window has closed on what is under way. A request from before it opened has been without
    /// an answer for all of it: if no other had to wait nearly so long then that is a timeout, however
    /// short the window was.
    pub(super) fn cut_off(&mut self, now_ns: u64) {
        for slot in self.slots.iter().filter(|slot| slot.state == State::Busy) {
            self.tally.busy_in_vain(slot.times.written_ns, now_ns);
        }
        let (opened_ns, hangs_ns) = (self.opened_ns, HANGS * self.longest_ns);
        let mut end = |intended_ns: u64, offered: bool| {
            self.tally.offered += u64::from(!offered);
            let waited_ns = now_ns.saturating_sub(intended_ns);
            if intended_ns < opened_ns && waited_ns > hangs_ns {
                self.tally.timeouts += 1;
            } else {
                self.tally.unfinished += 1;
            }
            self.tally.latencies.waited_in_vain(waited_ns);
        };
        for slot in self.slots.iter().filter(|slot| slot.has_request()) {
            end(slot.times.intended_ns, slot.offered);
        }
        while let Some(due) = self.shared.backlog.pop() {
            end(due.intended_ns, due.offered);
        }
        let until_ns = self.close_ns.min(now_ns);
        let Some(schedule) = &mut self.schedule else {
            return;
        };
        while self.start_ns.saturating_add(schedule.next_ns()) < until_ns {
            end(self.start_ns + schedule.next_ns(), false);
            schedule.advance();
        }
    }
}
