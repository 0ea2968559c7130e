//! Before the load: connections are opened, and the threads wait for each other.

use std::{io, sync::atomic::Ordering, time::Duration};

use schema::Reuse;

use super::{CHORES_NS, Engine, nanos};
use crate::{
    error::LoadError,
    slot::State,
    transport::{Event, Transport},
};

/// Connections begun at once before the load starts: fewer than listeners have room for.
const OPENING_AT_ONCE: u32 = 128;

impl<T: Transport> Engine<'_, T> {
    /// Opens the connections that the load begins with: all, or one where each serves one request.
    /// One that the other side does not take within the timeout is left to the requests.
    pub(super) fn connect_all(&mut self) -> Result<(), LoadError> {
        let wanted = match self.spec.reuse {
            Reuse::KeepAlive => self.numbers().end,
            Reuse::NewConnection => 1,
        };
        let deadline_ns = self.now() + nanos(self.spec.timeout);
        let (mut begun, mut ended) = (0, 0);
        while ended < wanted && self.now() < deadline_ns && !self.is_stopped() {
            while begun < wanted && begun - ended < OPENING_AT_ONCE {
                self.open(begun).map_err(|e| self.refused(e))?;
                begun += 1;
            }
            self.transport.wait(CHORES_NS)?;
            while let Some(event) = self.transport.next(&mut self.buffer) {
                match event {
                    Event::Connected(slot, outcome) => {
                        ended += 1;
                        let state = &mut self.slots[slot as usize].state;
                        *state = match outcome {
                            Ok(()) => State::Idle,
                            // It stood, for a moment: requests will tell.
                            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                                self.transport.close(slot);
                                State::Down
                            }
                            Err(error) => return Err(self.refused(error)),
                        };
                    }
                    other => self.heard_while_idle(&other),
                }
            }
        }
        for slot in self.numbers() {
            if self.slots[slot as usize].state == State::Opening {
                self.hang_up(slot);
            }
        }
        Ok(())
    }

    fn open(&mut self, slot: u32) -> io::Result<()> {
        let route = self.routes.next();
        self.transport.connect(slot, &route)?;
        self.slots[slot as usize].state = State::Opening;
        Ok(())
    }

    fn refused(&self, cause: io::Error) -> LoadError {
        LoadError::Connect {
            address: self.spec.address,
            connections: self.spec.connections,
            cause,
        }
    }

    /// Waits until all threads are ready; false where the load was called off.
    pub(super) fn await_start(&mut self) -> Result<bool, LoadError> {
        loop {
            if self.is_stopped() {
                return Ok(false);
            }
            self.start_ns = self.shared.start_ns.load(Ordering::Acquire);
            if self.start_ns > 0 {
                break;
            }
            self.transport.wait(CHORES_NS)?;
            while let Some(event) = self.transport.next(&mut self.buffer) {
                self.heard_while_idle(&event);
            }
        }
        if let Ok(wakers) = self.mail.wakers.try_recv() {
            self.wakers = wakers;
        }
        let left_ns = self.start_ns.saturating_sub(self.now());
        std::thread::sleep(Duration::from_nanos(left_ns));
        Ok(true)
    }
}
