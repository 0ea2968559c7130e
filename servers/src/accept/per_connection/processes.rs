//! A process for each connection.
//!
//! The primary accepts, forks, closes its copy of the connection, and reaps. A worker serves its
//! connection and exits. Orders are those of any cluster, as far as they mean something: SIGTERM drains.

use std::{
    collections::{BTreeMap, VecDeque},
    net::TcpStream,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use schema::{Model, Style};

use super::{Once, Places};
use crate::{
    accept::entrance::Entrance,
    blocking::{self, Attention},
    cluster::{
        fork::{Forked, Sole, fork_worker},
        reap,
    },
    end::{End, GRACE},
    failure::Failure,
    ledger::Ledger,
    listener::listen,
    options::ClusterOptions,
    orders::Chain,
    reactor::Reactor,
    say,
    signals::Signals,
    slot, tally,
};

const SIGNALS: u64 = 0;
const LISTENER: u64 = 1;

/// Serve until told to stop. Returns in the primary, and in each worker when its connection has ended.
///
/// # Errors
/// See [`Failure`].
pub fn run(options: &ClusterOptions, model: Model) -> Result<(), Failure> {
    use Signal::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1};
    let most = options.pool.workers()?;
    // The primary must not wait in accept, whatever its workers do.
    let (listener, address) = listen(options.server.socket_address(), Style::Evented)?;
    let ledger = Ledger::new(most)?;
    let taken = [SIGTERM, SIGINT, SIGCHLD, SIGHUP, SIGTTIN, SIGTTOU, SIGUSR1];
    let signals = Signals::take(&taken)?;
    let reactor = Reactor::new()?;
    reactor.watch(&signals, SIGNALS)?;
    let mut primary = Primary {
        sole: Sole::check()?,
        signals,
        reactor,
        entrance: Entrance::new(listener, Style::Blocking, LISTENER),
        waiting: VecDeque::new(),
        places: Places::new(most as usize),
        workers: BTreeMap::new(),
        ledger,
        deadline: None,
        hurried: false,
    };
    say::line(format_args!("Primary {} is running", std::process::id()));
    say::ready(address, model, most);
    let Some((stream, place)) = primary.serve(options.server.drain_timeout)? else {
        return Ok(());
    };
    drop(primary);
    work(options, ledger, stream, place)?.report(&format!("worker {}", std::process::id()));
    Ok(())
}

fn work(
    options: &ClusterOptions,
    ledger: Ledger,
    stream: TcpStream,
    place: usize,
) -> Result<End, Failure> {
    slot::join(&options.worker.slots, place)?;
    tally::begin(ledger, place);
    let attention = Attention::to(Chain::Primary)?;
    let terms = options.worker.terms(options.model.style, &options.server);
    let end = blocking::run(Once(Some(stream)), &attention, terms, || {});
    ledger.vacate(place);
    end
}

struct Primary {
    sole: Sole,
    signals: Signals,
    reactor: Reactor,
    /// Closed once the drain has begun.
    entrance: Entrance,
    /// Accepted as the drain began, without a place.
    waiting: VecDeque<TcpStream>,
    places: Places,
    workers: BTreeMap<Pid, usize>,
    ledger: Ledger,
    /// When workers are killed, once the drain has begun.
    deadline: Option<Instant>,
    hurried: bool,
}

impl Primary {
    /// In a new worker, and only there, the result is its connection and its place.
    fn serve(&mut self, drain_timeout: Duration) -> Result<Option<(TcpStream, usize)>, Failure> {
        loop {
            if let Some(begun) = self.make_workers()? {
                return Ok(Some(begun));
            }
            if self.entrance.is_closed() && self.workers.is_empty() && self.waiting.is_empty() {
                return Ok(None);
            }
            self.entrance
                .watch(&self.reactor, self.places.is_any_free())?;
            let until = [self.deadline, self.entrance.retry_at()];
            let until = until.into_iter().flatten().min();
            for name in self.reactor.wait(until)? {
                if name == SIGNALS {
                    self.take_signals(drain_timeout)?;
                }
            }
            let is_late = |deadline| deadline <= Instant::now();
            if self.deadline.is_some_and(is_late) {
                self.kill_all();
            }
        }
    }

    /// A worker for each connection there is, as far as there are places.
    fn make_workers(&mut self) -> Result<Option<(TcpStream, usize)>, Failure> {
        while self.places.is_any_free() && !self.entrance.is_paused() {
            let Some(stream) = self.waiting.pop_front().or_else(|| self.entrance.accept()) else {
                return Ok(None);
            };
            let Some(place) = self.places.take() else {
                return Ok(None);
            };
            match fork_worker(&self.sole) {
                Ok(Forked::Worker) => return Ok(Some((stream, place))),
                Ok(Forked::Primary(worker)) => {
                    self.workers.insert(worker, place);
                    if self.entrance.is_closed() {
                        let _ = kill(worker, Signal::SIGTERM);
                    }
                }
                Err(error) if error.is_of_worker() => return Err(error.into()),
                Err(error) => {
                    self.places.give_back(place);
                    self.waiting.push_front(stream);
                    self.entrance.pause(&error);
                }
            }
        }
        Ok(None)
    }

    fn take_signals(&mut self, drain_timeout: Duration) -> Result<(), Failure> {
        let pending = self.signals.pending()?;
        if pending.child {
            self.reap()?;
        }
        if pending.reload {
            say::line("Nothing to reload: every connection has a new worker");
        }
        if pending.stop && !self.entrance.is_closed() {
            self.drain(drain_timeout);
        } else if pending.stop && !self.hurried {
            self.hurried = true;
            self.deadline = Some(Instant::now() + GRACE);
            self.signal(Signal::SIGQUIT);
        }
        Ok(())
    }

    fn reap(&mut self) -> Result<(), Failure> {
        for status in reap::ended()? {
            let worker = status.pid();
            if let Some(place) = worker.and_then(|worker| self.workers.remove(&worker)) {
                // One that was killed did not do so itself.
                self.ledger.vacate(place);
                self.places.give_back(place);
            }
        }
        Ok(())
    }

    /// Accept what the kernel has connected already, and nothing after that; have workers finish.
    fn drain(&mut self, drain_timeout: Duration) {
        self.waiting.extend(self.entrance.close(&self.reactor));
        self.deadline = Some(Instant::now() + drain_timeout + GRACE);
        self.signal(Signal::SIGTERM);
    }

    fn kill_all(&mut self) {
        let cut = self.workers.len() + self.waiting.len();
        say::trouble(
            "cluster",
            format_args!(
                "connections cut: {cut}, which did not finish within the drain timeout; allow more \
                 with --drain-timeout"
            ),
        );
        self.deadline = None;
        self.waiting.clear();
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        for &worker in self.workers.keys() {
            // No pid can have passed to a stranger: only reaping frees it.
            let _ = kill(worker, signal);
        }
    }
}
