//! A thread for each connection.
//!
//! The first thread accepts and makes threads. Each serves its connection and ends; its place becomes
//! free as it does, of which an eventfd tells the first thread.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::TcpStream,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use rustix::{
    event::{EventfdFlags, eventfd},
    fd::OwnedFd,
};
use schema::{Model, Style};

use super::{Once, Places};
use crate::{
    accept::entrance::Entrance,
    blocking::{self, Attention, Interrupter},
    end::{End, GRACE},
    failure::Failure,
    ledger::Ledger,
    listener::listen,
    options::ThreadsOptions,
    reactor::Reactor,
    say,
    signals::Signals,
    slot, tally,
    threads::enough,
};

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
    // It is no server of so many workers where the kernel allows fewer.
    enough::check(most as usize)?;
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
        entrance: Entrance::new(listener, Style::Blocking, LISTENER),
        waiting: VecDeque::new(),
        common,
    };
    say::ready(address, model, most);
    first.serve(options.server.drain_timeout)?.report("threads");
    Ok(())
}

struct First {
    signals: Signals,
    reactor: Reactor,
    /// Closed once the drain has begun.
    entrance: Entrance,
    /// Accepted, without a worker yet.
    waiting: VecDeque<TcpStream>,
    common: Arc<Common>,
}

impl First {
    fn serve(mut self, drain_timeout: Duration) -> Result<End, Failure> {
        while !self.round(None)? {}
        self.drain(drain_timeout)
    }

    /// Make workers for what there is, and take what comes until then. Tells whether the operator
    /// wants the end.
    fn round(&mut self, deadline: Option<Instant>) -> Result<bool, Failure> {
        self.make_workers();
        let is_any_free = self.common.state().places.is_any_free();
        self.entrance.watch(&self.reactor, is_any_free)?;
        let until = [deadline, self.entrance.retry_at()].into_iter().flatten();
        let mut stop = false;
        for name in self.reactor.wait(until.min())? {
            match name {
                SIGNALS => stop |= self.signals.pending()?.stop,
                BELL => self.hear_the_bell()?,
                _ => {}
            }
        }
        Ok(stop)
    }

    /// A worker that could not serve is the end of the server.
    fn hear_the_bell(&self) -> Result<(), Failure> {
        let _ = rustix::io::read(&self.common.bell, &mut [0; 8]);
        self.common.state().failures.pop().map_or(Ok(()), Err)
    }

    /// A worker for each connection there is, as far as there are places.
    fn make_workers(&mut self) {
        while self.common.state().places.is_any_free() && !self.entrance.is_paused() {
            let Some(stream) = self.waiting.pop_front().or_else(|| self.entrance.accept()) else {
                return;
            };
            if let Err((stream, error)) = begin(&self.common, stream) {
                // In front of those that arrived after it.
                if let Some(stream) = stream {
                    self.waiting.push_front(stream);
                }
                self.entrance.pause(Failure::Thread(error));
            }
        }
    }

    /// Accept what the kernel has connected already, and nothing after that; have workers finish.
    fn drain(mut self, drain_timeout: Duration) -> Result<End, Failure> {
        self.waiting.extend(self.entrance.close(&self.reactor));
        self.order(Interrupter::drain);
        let mut deadline = Instant::now() + drain_timeout + GRACE;
        let mut hurried = false;
        loop {
            let open = self.common.state().places.taken() + self.waiting.len();
            if open == 0 || Instant::now() >= deadline {
                return Ok(End::sum(&self.common.state().ends, open, hurried));
            }
            if self.round(Some(deadline))? && !hurried {
                hurried = true;
                deadline = Instant::now() + GRACE;
                self.order(Interrupter::hurry);
            }
        }
    }

    fn order(&self, order: impl Fn(&Interrupter)) {
        let mut state = self.common.state();
        state.draining = true;
        state.workers.values().for_each(order);
    }
}

/// Make a worker for a connection; it comes back where there is no thread for it, unless it is lost
/// with the thread.
fn begin(common: &Arc<Common>, stream: TcpStream) -> Result<(), (Option<TcpStream>, io::Error)> {
    let Some(place) = common.state().places.take() else {
        return Err((Some(stream), io::ErrorKind::WouldBlock.into()));
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
            // A panic that were let through would keep the place for ever.
            let work = AssertUnwindSafe(|| work(&worker, place, stream));
            let outcome = catch_unwind(work).unwrap_or(Err(Failure::Panicked));
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
