//! The orders an event loop obeys, and whose signals carry them.

use std::io;

use nix::sys::signal::{SigSet, Signal};
use tokio::{
    select,
    signal::unix::{self, SignalKind, signal},
};

/// Whose signals an event loop obeys, and what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// The operator's: the first SIGTERM or SIGINT drains, the second ends at once.
    Operator,
    /// A primary's: SIGTERM drains however often it comes, SIGQUIT ends at once, SIGINT means
    /// nothing. Ctrl-C reaches a whole process group, and some supervisors send SIGTERM to all of
    /// it; the primary sends its own after that, which must not count as the second signal.
    Primary,
}

/// What a server is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Stop accepting, finish what is in flight, end.
    Drain,
    /// End at once.
    End,
}

/// The orders of one chain, one after the other.
#[derive(Debug)]
pub struct Orders {
    chain: Chain,
    draining: bool,
    term: unix::Signal,
    /// SIGINT of an operator, SIGQUIT of a primary.
    other: unix::Signal,
}

impl Orders {
    /// Take the signals of `chain` in the calling thread's runtime.
    ///
    /// The signal mask becomes the default one only after that, so in a worker, which begins with
    /// its primary's mask, a SIGTERM that came early has waited.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn from(chain: Chain) -> io::Result<Self> {
        let mut blocked = SigSet::empty();
        let other = match chain {
            Chain::Operator => SignalKind::interrupt(),
            Chain::Primary => {
                blocked.add(Signal::SIGINT);
                SignalKind::quit()
            }
        };
        let orders = Self {
            chain,
            draining: false,
            term: signal(SignalKind::terminate())?,
            other: signal(other)?,
        };
        blocked.thread_set_mask()?;
        Ok(orders)
    }

    /// Wait for the next order.
    pub async fn next(&mut self) -> Order {
        loop {
            let term = select! {
                _ = self.term.recv() => true,
                _ = self.other.recv() => false,
            };
            match self.chain {
                Chain::Operator if self.draining => return Order::End,
                Chain::Primary if !term => return Order::End,
                _ if !self.draining => {
                    self.draining = true;
                    return Order::Drain;
                }
                _ => {}
            }
        }
    }
}
