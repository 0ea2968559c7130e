//! The primary of a cluster: keeps its workers alive and well, and serves nothing itself.
//!
//! It has one thread and no runtime, because it forks whenever a worker is due and a fork copies only
//! the thread that calls it. It waits in one place for everything: signals, messages of workers,
//! connections where it is the acceptor, and the earliest of its deadlines. Nothing it does there
//! waits: descriptors do not block, and what cannot be sent now is kept or dropped.
//!
//! # Order of events
//! Each round: make the workers that are due (`making`); wait; take what came (`hearing`), which
//! may be that workers ended (`ends`) or what the operator wants (`orders`); see who is late
//! (`deadlines`); hand on the connections for which somebody is free; announce to all who is there, if
//! that has changed; call those whose turn it is to succeed others. A new worker returns from
//! [`Primary::run`] in its own process, and holds nothing of the primary's.
//!
//! # What a worker's end means
//! Whoever was told to end was wanted to. Anybody else is succeeded ([`super::seat`]), and what it
//! left of locks and connections is taken back ([`Doors::leave`]).

use std::time::{Duration, Instant};

use nix::{sys::signal::Signal, unistd::Pid};

use super::{
    crew::Crew,
    doors::Doors,
    events::{Event, Teller},
    fork::Sole,
    member::Source,
    memory::Scales,
    renewal::Renewals,
    seats::Seats,
};
use crate::{
    ledger::Ledger, messages::WorkerEnd, options::KeepingOptions, reactor::Reactor, say,
    signals::Signals, worker::Intake,
};

mod deadlines;
mod ends;
mod error;
mod hearing;
mod making;
mod orders;

pub use error::PrimaryError;

/// Which process returns from [`Primary::run`].
#[derive(Debug)]
pub enum Role {
    /// The primary, after all its workers ended.
    Primary,
    /// A worker, newly forked.
    Worker(Start),
}

/// What a new worker has.
#[derive(Debug)]
pub struct Start {
    /// Its place among the workers, from 0.
    pub seat: usize,
    /// Where it counts.
    pub desk: usize,
    /// How connections reach it.
    pub intake: Intake,
    /// Its messages.
    pub link: WorkerEnd,
}

/// How a cluster is kept.
#[derive(Clone, Copy, Debug)]
pub struct Keeping {
    /// How long a worker that was told to end may take.
    pub drain_timeout: Duration,
    /// What was typed.
    pub options: KeepingOptions,
}

/// How far the cluster has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Not every worker has listened yet.
    Beginning,
    /// It is ready, or was once.
    Serving,
    /// Workers were told to end, and none is made any more.
    Stopping,
    /// They were told a second time.
    Hurrying,
}

impl Phase {
    /// After the operator wants the end, or wants it again.
    const fn told_to_stop(self) -> Self {
        match self {
            Self::Beginning | Self::Serving => Self::Stopping,
            Self::Stopping | Self::Hurrying => Self::Hurrying,
        }
    }
}

/// The primary.
pub struct Primary {
    sole: Sole,
    drain_timeout: Duration,
    tell: Teller,
    signals: Signals,
    reactor: Reactor,
    doors: Doors,
    ledger: Ledger,
    seats: Seats,
    /// A seat that is no more, for whose listener connections are queued: a worker is due for them.
    leftover: Option<usize>,
    crew: Crew,
    renewals: Renewals,
    scales: Option<Scales>,
    /// Who accepts connections has changed since it was announced.
    is_crew_changed: bool,
    respawns: u64,
    reloads: u64,
    phase: Phase,
    /// It stops because no worker can start.
    gave_up: bool,
}

impl Primary {
    /// Of so many workers, none of which is there yet.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new(
        keeping: Keeping,
        doors: Doors,
        ledger: Ledger,
        workers: usize,
    ) -> Result<Self, PrimaryError> {
        use Signal::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1};
        // Before the first fork: a worker that dies at once must not be missed.
        // SIGUSR1 as well: workers begin with this mask, and one may be told to retire early.
        let taken = [SIGTERM, SIGINT, SIGCHLD, SIGHUP, SIGTTIN, SIGTTOU, SIGUSR1];
        let signals = Signals::take(&taken)?;
        let reactor = Reactor::new()?;
        reactor.watch(&signals, Source::Signals.into())?;
        Ok(Self {
            sole: Sole::check()?,
            drain_timeout: keeping.drain_timeout,
            tell: Teller::new(keeping.options.events),
            signals,
            reactor,
            doors,
            ledger,
            seats: Seats::new(workers),
            leftover: None,
            crew: Crew::default(),
            renewals: Renewals::default(),
            scales: Scales::new(keeping.options, Instant::now()),
            is_crew_changed: false,
            respawns: 0,
            reloads: 0,
            phase: Phase::Beginning,
            gave_up: false,
        })
    }

    /// Keep the workers until SIGTERM or SIGINT; then have them drain, and kill those that have not
    /// ended some time after the drain timeout. `ready` is called once, when every worker accepts
    /// connections.
    ///
    /// Returns in the primary when all is over, and in every worker right after its fork.
    ///
    /// # Errors
    /// See [`PrimaryError`]. A primary that returns an error has no workers, or loses them to the
    /// kernel as it ends.
    pub fn run(mut self, ready: impl FnOnce()) -> Result<Role, PrimaryError> {
        say::line(format_args!("Primary {} is running", std::process::id()));
        let mut ready = Some(ready);
        loop {
            if let Some(start) = self.make_those_due()? {
                return Ok(Role::Worker(start));
            }
            self.wait()?;
            self.call_heirs();
            if self.is_stopping() && self.crew.is_empty() {
                return if self.gave_up {
                    Err(PrimaryError::FalseStarts)
                } else {
                    Ok(Role::Primary)
                };
            }
            if self.phase == Phase::Beginning && self.seats.all_held(|pid| self.crew.listens(pid)) {
                self.phase = Phase::Serving;
                if let Some(ready) = ready.take() {
                    ready();
                }
            }
        }
    }

    /// Sleep until something comes or is due, and see to it.
    fn wait(&mut self) -> Result<(), PrimaryError> {
        self.doors.watch(&self.reactor)?;
        let deadline = self.deadline();
        for name in self.reactor.wait(deadline)? {
            self.take(Source::from(name))?;
        }
        self.look_at_deadlines();
        self.deal();
        self.announce()
    }

    fn is_stopping(&self) -> bool {
        self.phase >= Phase::Stopping
    }

    fn tell(&self, worker: Pid, seat: usize, event: Event) {
        self.tell.event(worker, seat, self.crew.listening(), event);
    }
}
