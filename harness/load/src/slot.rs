//! One connection's place: how far its request has come, and who answered on it before.

use crate::{response::Parser, tally::Times};

/// How far a slot's request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No socket, nothing asked.
    Down,
    /// The kernel is connecting; nothing is asked yet.
    Opening,
    /// Connected, nothing asked.
    Idle,
    /// The kernel is connecting, and a request waits for it.
    Connecting,
    /// A request is under way.
    Busy,
}

/// A slot.
#[derive(Debug)]
pub struct Slot {
    pub state: State,
    pub parser: Parser,
    /// Of the request at hand.
    pub times: Times,
    /// Whether the request at hand has been counted as offered to the window.
    pub offered: bool,
    /// Who gave the first answer in the window on this connection.
    pub first_worker: Option<u64>,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            state: State::Down,
            parser: Parser::default(),
            times: Times::default(),
            offered: false,
            first_worker: None,
        }
    }
}

impl Slot {
    /// Whether it has a request at hand.
    pub const fn has_request(&self) -> bool {
        matches!(self.state, State::Connecting | State::Busy)
    }
}
