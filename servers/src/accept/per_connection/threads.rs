//! A thread for each connection.
//!
//! The first thread accepts and makes threads. Each serves its connection and ends; its place becomes
//! free as it does, of which an eventfd tells the first thread.

use std::{
    collections::BTreeMap,
    io,
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use rustix::{
    event::{EventfdFlags, eventfd},
    fd::OwnedFd,
    io::Errno,
    net::{SocketFlags, accept_with},
};
use schema::{Model, Style};

use super::{Once, Places};
use crate::{
    blocking::{self, Attention, Interrupter},
    end::End,
    failure::Failure,
    ledger::Ledger,
    listener::{BACKLOG, listen},
    options::ThreadsOptions,
    reactor::Reactor,
    say,
    signals::Signals,
    slot, tally,
};

/// What threads get beyond the drain timeout to end by themselves.
const GRACE: Duration = Duration::from_secs(1);

/// How long to leave the listener alone that gives no connections, or the kernel that makes no thread.
const PAUSE: Duration = Duration::from_millis(20);

const SIGNALS: u64 = 0;
const LISTENER: u64 = 1;
const BELL: u64 = 2;

/// What the first thread and its workers share.
#[derive(Debug)]
struct Common {
    options: ThreadsOptions,
    ledger: Ledger,
    state: Mutex<State>,
    /// Rung by a worker that ends.
    bell: OwnedFd,
}

#[derive(Debug)]
struct State {
    places: Places,
    workers: BTreeMap<usize, Interrupter>,
    draining: bool,
    ends: Vec<End>,
    failures: Vec<Failure>,
}

impl Common {
    fn state(&self) -> MutexGuard<'_, State> {
        // Whole after every statement, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }
}

/// Serve until told to stop.
///
/// # Errors
/// See [`Failure`].
pub fn run(options: &ThreadsOptions, model: Model) -> Result<(), Failure> {
    // Before there is another thread: each takes the signal mask of the one that makes it.
    let signals = Signals::take(&[Signal::SIGTERM, Signal::SIGINT])?;
    let most = options.pool.workers()?;
    // The first thread must not wait in accept, whatever workers do.
    let (listener, address) = listen(options.server.socket_address(), Style::Evented)?;
    let common = Arc::new(Common {
        options: options.clone(),
        ledger: Ledger::new(most)?,
        state: Mutex::new(State {
            places: Places::new(most as usize),
            workers: BTreeMap::new(),
            draining: false,
            ends: Vec::new(),
            failures: Vec::new(),
        }),
        bell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(io::Error::from)?,
    });
    let reactor = Reactor::new()?;
    reactor.watch(&signals, SIGNALS)?;
    reactor.watch(&common.bell, BELL)?;
    let first = First {
        signals,
        reactor,
        listener,
        listener_watched: false,
        waiting: None,
        paused_until: None,
        complained: false,
        common,
    };
    say::ready(address, model, most);
    first.serve(options.server.drain_timeout)?.report("threads");
    Ok(())
}

struct First {
    signals: Signals,
    reactor: Reactor,
    listener: TcpListener,
    listener_watched: bool,
    /// For which no thread could be made yet.
    waiting: Option<TcpStream>,
    paused_until: Option<Instant>,
    complained: bool,
    common: Arc<Common>,
}

impl First {
    fn serve(mut self, drain_timeout: Duration) -> Result<End, Failure> {
        loop {
            self.make_workers();
            self.watch_listener()?;
            let mut stop = false;
            for name in self.reactor.wait(self.paused_until)? {
                match name {
                    SIGNALS => stop |= self.signals.pending()?.stop,
                    BELL => self.hear_the_bell()?,
                    _ => {}
                }
            }
            if self
                .paused_until
                .is_some_and(|until| until <= Instant::now())
            {
                self.paused_until = None;
            }
            if stop {
                return self.drain(drain_timeout);
            }
        }
    }

    /// A worker that could not serve is the end of the server.
    fn hear_the_bell(&self) -> Result<(), Failure> {
        let _ = rustix::io::read(&self.common.bell, &mut [0; 8]);
        self.common.state().failures.pop().map_or(Ok(()), Err)
    }

    /// A worker for each connection there is, as far as there are places.
    fn make_workers(&mut self) {
        while self.paused_until.is_none() && self.common.state().places.is_any_free() {
            let Some(stream) = self.waiting.take().or_else(|| self.accept()) else {
                return;
            };
            if let Err((stream, error)) = begin(&self.common, stream) {
                self.waiting = stream;
                self.pause(&error);
            }
        }
    }

    fn accept(&mut self) -> Option<TcpStream> {
        loop {
            match accept_with(&self.listener, SocketFlags::CLOEXEC) {
                Ok(stream) => return Some(stream.into()),
                Err(Errno::AGAIN) => return None,
                Err(Errno::CONNABORTED | Errno::INTR) => {}
                Err(error) => {
                    self.pause(&error.into());
                    return None;
                }
            }
        }
    }

    fn pause(&mut self, error: &io::Error) {
        self.paused_until = Some(Instant::now() + PAUSE);
        if !self.complained {
            self.complained = true;
            say::trouble(
                "threads",
                format_args!(
                    "connections have to wait: {error}; raise the limits of open files and \
                     processes (ulimit -n, ulimit -u)"
                ),
            );
        }
    }

    fn watch_listener(&mut self) -> io::Result<()> {
        let wanted = self.common.state().places.is_any_free() && self.paused_until.is_none();
        if wanted != self.listener_watched {
            if wanted {
                self.reactor.watch(&self.listener, LISTENER)?;
            } else {
                self.reactor.forget(&self.listener);
            }
            self.listener_watched = wanted;
        }
        Ok(())
    }

    /// Accept what the kernel has connected already, and nothing after that; have workers finish.
    fn drain(mut self, drain_timeout: Duration) -> Result<End, Failure> {
        let mut left: Vec<TcpStream> = self.waiting.take().into_iter().collect();
        left.extend((0..BACKLOG).map_while(|_| self.accept()));
        self.reactor.forget(&self.listener);
        self.order(Interrupter::drain);
        let mut deadline = Instant::now() + drain_timeout + GRACE;
        let mut hurried = false;
        loop {
            while self.common.state().places.is_any_free()
                && let Some(stream) = left.pop()
            {
                let _ = begin(&self.common, stream);
            }
            let open = self.common.state().places.taken() + left.len();
            if open == 0 || Instant::now() >= deadline {
                return Ok(self.end(open, hurried));
            }
            for name in self.reactor.wait(Some(deadline))? {
                match name {
                    SIGNALS if self.signals.pending()?.stop && !hurried => {
                        hurried = true;
                        deadline = Instant::now() + GRACE;
                        self.order(Interrupter::hurry);
                    }
                    BELL => self.hear_the_bell()?,
                    _ => {}
                }
            }
        }
    }

    fn order(&self, order: impl Fn(&Interrupter)) {
        let mut state = self.common.state();
        state.draining = true;
        state.workers.values().for_each(order);
    }

    fn end(&self, open: usize, hurried: bool) -> End {
        let cut: usize = self
            .common
            .state()
            .ends
            .iter()
            .map(|end| match end {
                End::Drained => 0,
                End::TimedOut(open) | End::Hurried(open) => *open,
            })
            .sum();
        match open + cut {
            0 => End::Drained,
            open if hurried => End::Hurried(open),
            open => End::TimedOut(open),
        }
    }
}

/// Make a worker for a connection; it comes back where there is no thread for it, unless it is lost
/// with the thread.
fn begin(common: &Arc<Common>, stream: TcpStream) -> Result<(), (Option<TcpStream>, io::Error)> {
    let Some(place) = common.state().places.take() else {
        return Err((Some(stream), Errno::AGAIN.into()));
    };
    // What a thread that cannot be made was given is lost, so this is a share in it.
    let given = Arc::new(Mutex::new(Some(stream)));
    let taken = Arc::clone(&given);
    let worker = Arc::clone(common);
    let made = thread::Builder::new()
        .name("worker".to_owned())
        .spawn(move || {
            let Some(stream) = take(&taken) else {
                return;
            };
            let outcome = work(&worker, place, stream);
            let mut state = worker.state();
            state.workers.remove(&place);
            state.places.give_back(place);
            match outcome {
                Ok(End::Drained) => {}
                Ok(end) => state.ends.push(end),
                Err(failure) => state.failures.push(failure),
            }
            drop(state);
            worker.ring();
        });
    match made {
        Ok(_) => Ok(()),
        Err(error) => {
            common.state().places.give_back(place);
            Err((take(&given), error))
        }
    }
}

fn take(given: &Mutex<Option<TcpStream>>) -> Option<TcpStream> {
    given.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn work(common: &Common, place: usize, stream: TcpStream) -> Result<End, Failure> {
    let options = &common.options;
    slot::join(&options.worker.slots, place)?;
    tally::begin(common.ledger, place);
    let attention = Attention::to_first_thread()?;
    let interrupter = attention.interrupter();
    let mut state = common.state();
    if state.draining {
        interrupter.drain();
    }
    state.workers.insert(place, interrupter);
    drop(state);
    let terms = options.worker.terms(options.model.style, &options.server);
    let end = blocking::run(Once(Some(stream)), &attention, terms, || {});
    common.ledger.vacate(place);
    end
}
