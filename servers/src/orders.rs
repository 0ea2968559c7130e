//! The orders an event loop obeys, and what carries them: signals to a process, a channel to a thread.

use std::{future::pending, io};

use nix::sys::signal::{SigSet, Signal};
use tokio::{
    select,
    signal::unix::{self, SignalKind, signal},
    sync::mpsc,
};

/// Whose signals a worker obeys, and what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// The operator's: the first SIGTERM or SIGINT drains, the second ends at once.
    Operator,
    /// A primary's: SIGUSR1 retires, SIGTERM drains however often it comes, SIGQUIT ends at once, and what is meant for
    /// the primary ([`FOR_PRIMARIES`]) means nothing. Ctrl-C reaches a whole process group, and some
    /// supervisors send SIGTERM to all of it; the primary sends its own after that, which must not
    /// count as the second signal.
    Primary,
}

/// Signals that a primary obeys and its workers let pass, as they may reach the whole process group.
pub const FOR_PRIMARIES: [Signal; 4] = [
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
];

/// What a server is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Stop accepting, and let connections end after one more request.
    Retire,
    /// Stop accepting, finish what is in flight, end.
    Drain,
    /// End at once.
    End,
}

/// What carries orders to an event loop.
#[derive(Debug)]
pub enum Carrier {
    /// Signals to its process.
    Signals(Chain),
    /// What the first thread of its process sends.
    Channel(mpsc::UnboundedReceiver<Order>),
}

/// Orders, one after the other.
#[derive(Debug)]
pub enum Orders {
    /// By signals.
    Signalled(Signalled),
    /// By the first thread.
    Sent(mpsc::UnboundedReceiver<Order>),
}

/// The orders of one chain.
#[derive(Debug)]
pub struct Signalled {
    chain: Chain,
    draining: bool,
    term: unix::Signal,
    /// SIGINT of an operator, SIGQUIT of a primary.
    other: unix::Signal,
    /// SIGUSR1 of a primary.
    retire: Option<unix::Signal>,
}

impl Orders {
    /// Take orders in the calling thread's runtime.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn by(carrier: Carrier) -> io::Result<Self> {
        Ok(match carrier {
            Carrier::Signals(chain) => Self::Signalled(Signalled::from(chain)?),
            Carrier::Channel(receiver) => Self::Sent(receiver),
        })
    }

    /// Wait for the next order.
    pub async fn next(&mut self) -> Order {
        match self {
            Self::Signalled(signals) => signals.next().await,
            // A first thread that is gone gives no more orders, and ends the process.
            Self::Sent(receiver) => receiver.recv().await.unwrap_or(Order::End),
        }
    }
}

impl Signalled {
    /// The signal mask becomes the default one only once signals are taken, so in a worker, which
    /// begins with its primary's mask, a SIGTERM that came early has waited.
    fn from(chain: Chain) -> io::Result<Self> {
        let (blocked, other, retire) = match chain {
            Chain::Operator => (SigSet::empty(), SignalKind::interrupt(), None),
            Chain::Primary => {
                let blocked = FOR_PRIMARIES.iter().copied().collect();
                let retire = signal(SignalKind::user_defined1())?;
                (blocked, SignalKind::quit(), Some(retire))
            }
        };
        let orders = Self {
            chain,
            draining: false,
            term: signal(SignalKind::terminate())?,
            other: signal(other)?,
            retire,
        };
        blocked.thread_set_mask()?;
        Ok(orders)
    }

    async fn next(&mut self) -> Order {
        loop {
            let retire = async {
                match &mut self.retire {
                    Some(retire) => retire.recv().await,
                    None => pending().await,
                }
            };
            let term = select! {
                _ = self.term.recv() => true,
                _ = self.other.recv() => false,
                _ = retire => return Order::Retire,
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
