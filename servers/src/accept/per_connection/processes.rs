//! A process for each connection.
//!
//! The primary accepts, forks, closes its copy of the connection, and reaps. A worker serves its
//! connection and exits. Orders are those of any cluster, as far as they mean something: SIGTERM drains.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rustix::net::{SocketFlags, accept_with};
use schema::{Model, Style};

use super::{Once, Places};
use crate::{
    blocking::{self, Attention},
    cluster::{
        fork::{Forked, Sole, fork_worker},
        reap,
    },
    end::End,
    failure::Failure,
    ledger::Ledger,
    listener::{BACKLOG, listen},
    options::ClusterOptions,
    orders::Chain,
    reactor::Reactor,
    say,
    signals::Signals,
    slot, tally,
};

/// What workers get beyond the drain timeout to end by themselves.
const GRACE: Duration = Duration::from_secs(1);

/// How long to leave the listener alone that gives no connections, or the kernel that makes no process.
const PAUSE: Duration = Duration::from_millis(20);

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
        listener: Some(listener),
        listener_watched: false,
        paused_until: None,
        complained: false,
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
    /// Gone once the drain has begun.
    listener: Option<TcpListener>,
    listener_watched: bool,
    paused_until: Option<Instant>,
    complained: bool,
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
            if self.listener.is_none() && self.workers.is_empty() && self.waiting.is_empty() {
                return Ok(None);
            }
            self.watch_listener()?;
            let until = [self.deadline, self.paused_until]
                .into_iter()
                .flatten()
                .min();
            for name in self.reactor.wait(until)? {
                if name == SIGNALS {
                    self.take_signals(drain_timeout)?;
                }
            }
            let now = Instant::now();
            if self.paused_until.is_some_and(|until| until <= now) {
                self.paused_until = None;
            }
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                self.kill_all();
            }
        }
    }

    /// A worker for each connection there is, as far as there are places.
    fn make_workers(&mut self) -> Result<Option<(TcpStream, usize)>, Failure> {
        while self.places.is_any_free() && self.paused_until.is_none() {
            let Some(stream) = self.waiting.pop_front().or_else(|| self.accept()) else {
                return Ok(None);
            };
            let Some(place) = self.places.take() else {
                return Ok(None);
            };
            match fork_worker(&self.sole) {
                Ok(Forked::Worker) => return Ok(Some((stream, place))),
                Ok(Forked::Primary(worker)) => {
                    self.workers.insert(worker, place);
                    if self.listener.is_none() {
                        let _ = kill(worker, Signal::SIGTERM);
                    }
                }
                Err(error) if error.is_of_worker() => return Err(error.into()),
                Err(error) => {
                    self.places.give_back(place);
                    self.waiting.push_front(stream);
                    self.pause(&error);
                }
            }
        }
        Ok(None)
    }

    fn accept(&mut self) -> Option<TcpStream> {
        loop {
            let listener = self.listener.as_ref()?;
            match accept_with(listener, SocketFlags::CLOEXEC) {
                Ok(stream) => return Some(stream.into()),
                Err(rustix::io::Errno::AGAIN) => return None,
                Err(rustix::io::Errno::CONNABORTED | rustix::io::Errno::INTR) => {}
                Err(error) => {
                    self.pause(&std::io::Error::from(error));
                    return None;
                }
            }
        }
    }

    fn pause(&mut self, error: &dyn std::fmt::Display) {
        self.paused_until = Some(Instant::now() + PAUSE);
        if !self.complained {
            self.complained = true;
            say::trouble("cluster", format_args!("connections have to wait: {error}"));
        }
    }

    /// Wait for connections as long as there is a place for one.
    fn watch_listener(&mut self) -> std::io::Result<()> {
        let wanted = self.places.is_any_free() && self.paused_until.is_none();
        if let Some(listener) = &self.listener
            && wanted != self.listener_watched
        {
            if wanted {
                self.reactor.watch(listener, LISTENER)?;
            } else {
                self.reactor.forget(listener);
            }
            self.listener_watched = wanted;
        }
        Ok(())
    }

    fn take_signals(&mut self, drain_timeout: Duration) -> Result<(), Failure> {
        let pending = self.signals.pending()?;
        if pending.child {
            self.reap()?;
        }
        if pending.reload {
            say::line("Nothing to reload: every connection has a new worker");
        }
        if pending.stop && self.listener.is_some() {
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
        for _ in 0..BACKLOG {
            let Some(stream) = self.accept() else {
                break;
            };
            self.waiting.push_back(stream);
        }
        if let Some(listener) = self.listener.take() {
            self.reactor.forget(&listener);
        }
        self.paused_until = None;
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
