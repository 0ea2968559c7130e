//! What comes back: answers, and everything that is none.

use std::{io, sync::atomic::Ordering};

use schema::ErrorKind;

use super::{Engine, Phase};
use crate::{
    response::{Answer, Fed, ProtocolError},
    slot::State,
    spec::Expectation,
    tally::Times,
    transport::{Event, Transport},
    witness::worker_id,
};

/// As much of wrong bytes as an error message shows.
const SHOWN_BYTES: usize = 80;

/// What bodies must be, as the threads of a load agree on it.
mod bodies {
    /// No answer has come yet.
    pub const UNKNOWN: u8 = 0;
    /// `Hello from worker <id>`.
    pub const HELLO: u8 = 1;
    /// Anything.
    pub const ANY: u8 = 2;
}

impl<T: Transport> Engine<'_, T> {
    /// Something happened to a slot.
    pub(super) fn heard(&mut self, event: Event) -> io::Result<()> {
        match event {
            Event::Connected(slot, outcome) => {
                let now_ns = self.now();
                self.connected(slot, outcome, now_ns);
            }
            Event::Bytes {
                slot,
                length,
                closing,
            } if self.slots[slot as usize].state == State::Busy => {
                self.tally.received_bytes += length as u64;
                let parser = &mut self.slots[slot as usize].parser;
                match parser.feed(&mut self.known, &self.buffer[..length]) {
                    Ok(Fed::Partial) => {}
                    Ok(Fed::Whole { consumed, answer }) => {
                        // An answer after which the peer closes is the connection's last.
                        let reusable = answer.keep_alive && !closing;
                        self.answered(slot, &answer, (consumed, length), reusable)?;
                    }
                    Err(error) => self.not_an_answer(slot, error, length)?,
                }
            }
            Event::Closed(slot, error) if self.slots[slot as usize].has_request() => {
                self.closed(slot, error)?;
            }
            other => self.heard_while_idle(&other),
        }
        Ok(())
    }

    /// Something happened to a slot that has no request.
    pub(super) fn heard_while_idle(&mut self, event: &Event) {
        match *event {
            Event::Bytes { slot, length, .. } => {
                self.tally.unsolicited_bytes += length as u64;
                self.hang_up(slot);
            }
            Event::Closed(slot, _) | Event::Connected(slot, _) => self.hang_up(slot),
        }
    }

    fn connected(&mut self, slot: u32, outcome: io::Result<()>, now_ns: u64) {
        match outcome {
            Ok(()) => {
                self.tally.connections_opened += 1;
                self.write(slot, now_ns);
            }
            Err(error) => self.failed(slot, now_ns, ErrorKind::Connect, || error.to_string()),
        }
    }

    /// Checks and counts an answer, and lets its slot go. `consumed` of `length` bytes were its own.
    fn answered(
        &mut self,
        slot: u32,
        answer: &Answer,
        (consumed, length): (usize, usize),
        reusable: bool,
    ) -> io::Result<()> {
        let now_ns = self.now();
        self.cross_edges(now_ns)?;
        if self.phase == Phase::Over {
            return Ok(());
        }
        if consumed < length {
            let words = format!(
                "bytes came that no request asked for{}",
                shown(&self.buffer[consumed..length])
            );
            self.failed(slot, now_ns, ErrorKind::Protocol, || words);
            return Ok(());
        }
        let times = self.slots[slot as usize].times;
        let waited_ns = now_ns.saturating_sub(times.intended_ns);
        match self.check(answer) {
            // Whether a sweep comes before it or not: an answer after its time is none.
            Ok(_) if waited_ns > self.timeout_ns => {
                self.tally.timeouts += 1;
                self.in_vain(&times, now_ns);
            }
            Ok(worker) => {
                self.tally.completed += 1;
                self.tally.latencies.completed(&times, now_ns);
                if let Some(worker) = worker {
                    self.witness(slot, worker);
                }
            }
            Err((kind, words)) => {
                self.tally.error(kind, || words);
                self.in_vain(&times, now_ns);
            }
        }
        self.busy_changes(now_ns, -1);
        if reusable && !self.is_one_each() {
            self.slots[slot as usize].state = State::Idle;
        } else {
            self.hang_up(slot);
        }
        self.released(slot, now_ns);
        Ok(())
    }

    /// A request under way ended, and was not answered as it should be.
    fn in_vain(&mut self, times: &Times, now_ns: u64) {
        let waited_ns = now_ns.saturating_sub(times.intended_ns);
        self.tally.latencies.waited_in_vain(waited_ns);
        self.tally.busy_in_vain(times.written_ns, now_ns);
    }

    /// Counts who answered.
    fn witness(&mut self, slot: u32, worker: u64) {
        self.tally.answered_by(worker);
        match &mut self.slots[slot as usize].first_worker {
            Some(first) if *first == worker => {}
            Some(_) => self.tally.from_another_worker += 1,
            none => {
                *none = Some(worker);
                self.tally.connected_to(worker);
            }
        }
    }

    fn not_an_answer(&mut self, slot: u32, error: ProtocolError, length: usize) -> io::Result<()> {
        let now_ns = self.now();
        self.cross_edges(now_ns)?;
        if self.phase != Phase::Over {
            let words = format!("{error}{}", shown(&self.buffer[..length]));
            self.failed(slot, now_ns, ErrorKind::Protocol, || words);
        }
        Ok(())
    }

    /// The peer closed while a request was at hand: that may be how its answer ends.
    fn closed(&mut self, slot: u32, error: Option<io::Error>) -> io::Result<()> {
        let place = &mut self.slots[slot as usize];
        let within_answer = place.parser.is_within_answer();
        match (error, place.parser.close()) {
            (None, Ok(answer)) => return self.answered(slot, &answer, (0, 0), false),
            (None, Err(error)) if within_answer => return self.not_an_answer(slot, error, 0),
            (error, _) => {
                let now_ns = self.now();
                self.cross_edges(now_ns)?;
                if self.phase != Phase::Over {
                    let error = error.unwrap_or_else(|| {
                        io::Error::new(
                            io::ErrorKind::UnexpectedEof,
                            "the server closed the connection without an answer",
                        )
                    });
                    self.disconnected(slot, now_ns, &error);
                }
            }
        }
        Ok(())
    }

    /// The worker that answered, where the expectation names one; else what is wrong, in words.
    fn check(&mut self, answer: &Answer) -> Result<Option<u64>, (ErrorKind, String)> {
        if answer.status != 200 {
            return Err((
                ErrorKind::Status,
                format!("status {} instead of 200", answer.status),
            ));
        }
        let worker = match self.spec.expect {
            Expectation::HelloAndDots { length } => answer.body.worker_before_dots(length),
            Expectation::HelloFromWorker | Expectation::AsTheFirst => {
                answer.body.whole().and_then(worker_id)
            }
        };
        if self.bodies == bodies::UNKNOWN {
            self.bodies = self.agree_on_bodies(worker.is_some());
        }
        if worker.is_none() && self.bodies == bodies::HELLO {
            let body = shown(answer.body.kept());
            let length = answer.body.length();
            let dots = match self.spec.expect {
                Expectation::HelloAndDots { length } => format!(" and dots up to {length} bytes"),
                Expectation::HelloFromWorker | Expectation::AsTheFirst => String::new(),
            };
            return Err((
                ErrorKind::Body,
                format!(
                    "a body of {length} bytes that is not 'Hello from worker <id>'{dots}{body}"
                ),
            ));
        }
        Ok(worker.filter(|_| self.bodies == bodies::HELLO))
    }

    /// The first correct answer of the load says what the others must be like.
    fn agree_on_bodies(&self, greets: bool) -> u8 {
        let mine = match self.spec.expect {
            Expectation::HelloFromWorker | Expectation::HelloAndDots { .. } => {
                return bodies::HELLO;
            }
            Expectation::AsTheFirst if greets => bodies::HELLO,
            Expectation::AsTheFirst => bodies::ANY,
        };
        let agreed = self.shared.bodies.compare_exchange(
            bodies::UNKNOWN,
            mine,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        agreed.err().unwrap_or(mine)
    }
}

/// The first of wrong bytes, fit for one line.
fn shown(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    format!(
        ": '{}'",
        bytes[..bytes.len().min(SHOWN_BYTES)].escape_ascii()
    )
}
