//! So many threads, each a worker by itself: what a cluster is, with threads for processes.
//!
//! Every worker has an event loop of its own, or blocks; its own listener, a share in one, or a lane
//! from the first thread, which accepts for all. Nothing is stolen. Its orders come from the first
//! thread: over a channel to an event loop, by a signal to a thread that blocks.
//!
//! # Order of events
//! Listeners are made, then threads; each joins its slot, takes its desk and says how it can be reached
//! (`Reins`). Once every one listens, the server is ready. At the end all are told to drain. A
//! thread that has not ended some time after the drain timeout ends with the process.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use schema::{Accept, Model, Style};
use tokio::sync::mpsc as async_mpsc;

use super::{desk::Desk, front_desk};
use crate::{
    accept::{entrance::Entrance, gate::SharedGate, reuseport::Group},
    blocking::{Attention, Interrupter},
    end::{End, GRACE},
    evented::{self, Job},
    failure::Failure,
    ledger::Ledger,
    listener::listen,
    messages::{self, PrimaryEnd, ToPrimary, WorkerEnd, between_threads},
    options::{ThreadsOptions, Wake},
    orders::{Carrier, Order},
    reactor::Reactor,
    say,
    signals::Signals,
    slot, tally,
    worker::{self, Intake},
};

const SIGNALS: u64 = u64::MAX;
const LISTENER: u64 = u64::MAX - 1;
const WORDS: u64 = u64::MAX - 2;

/// How the first thread gives orders to a worker.
#[derive(Debug)]
enum Reins {
    Evented(async_mpsc::UnboundedSender<Order>),
    Blocking(Interrupter),
}

impl Reins {
    fn order(&self, order: Order) {
        match self {
            // One that has ended needs no orders.
            Self::Evented(sender) => drop(sender.send(order)),
            Self::Blocking(interrupter) if order == Order::End => interrupter.hurry(),
            Self::Blocking(interrupter) => interrupter.drain(),
        }
    }
}

/// A worker, as the first thread knows it.
#[derive(Debug)]
struct Member {
    thread: Option<JoinHandle<Result<End, Failure>>>,
    post: PrimaryEnd,
    reins: Reins,
    listens: bool,
}

/// Serve until told to stop.
///
/// # Errors
/// See [`Failure`].
pub fn run(options: &ThreadsOptions, model: Model) -> Result<(), Failure> {
    // Before there is another thread: each takes the signal mask of the one that makes it.
    let signals = Signals::take(&[Signal::SIGTERM, Signal::SIGINT])?;
    let workers = options.pool.workers()?;
    let ledger = Ledger::new(workers)?;
    let (intakes, desk, address) = open(model, options, workers as usize)?;
    let members = start(options, model, ledger, intakes)?;
    let mut pool = Pool {
        signals,
        reactor: Reactor::new()?,
        ledger,
        members,
        desk,
        ends: Vec::new(),
    };
    pool.watch()?;
    pool.serve_until_told(|| say::ready(address, model, workers))?;
    pool.stop(options.server.drain_timeout)?.report("threads");
    Ok(())
}

/// Listeners, a lane or a share for each worker, and the acceptor where there is one.
fn open(
    model: Model,
    options: &ThreadsOptions,
    workers: usize,
) -> Result<(Vec<Intake>, Option<Desk>, SocketAddr), Failure> {
    let address = options.server.socket_address();
    let style = model.style;
    match model.accept {
        Accept::Reuseport => {
            let group = Group::listen(address, workers, style)?;
            let own = |seat| group.of_seat(seat).map(Intake::Own);
            let intakes = (0..workers).map(own).collect::<io::Result<_>>()?;
            Ok((intakes, None, group.address()))
        }
        Accept::Handoff => {
            let (listener, address) = listen(address, Style::Evented)?;
            let entrance = Entrance::new(listener, style, LISTENER);
            let (desk, lines) = Desk::new(entrance, workers)?;
            let intakes = lines.into_iter().map(Intake::Line).collect();
            Ok((intakes, Some(desk), address))
        }
        _ => {
            let (listener, address) = listen(address, style)?;
            let wake = options.model.wake();
            let gate = SharedGate::of(model.accept)?;
            let share = |_| share(&listener, &gate, wake);
            let intakes = (0..workers).map(share).collect::<io::Result<_>>()?;
            Ok((intakes, None, address))
        }
    }
}

fn share(listener: &TcpListener, gate: &SharedGate, wake: Wake) -> io::Result<Intake> {
    Ok(Intake::Shared {
        listener: listener.try_clone()?,
        gate: gate.clone(),
        wake,
    })
}

/// Make the threads, and wait until each is where it is to run and can be given orders.
fn start(
    options: &ThreadsOptions,
    model: Model,
    ledger: Ledger,
    intakes: Vec<Intake>,
) -> Result<Vec<Member>, Failure> {
    let mut begun = Vec::new();
    for (seat, intake) in intakes.into_iter().enumerate() {
        let (post, link) = between_threads()?;
        let (teller, told) = mpsc::channel();
        let options = options.clone();
        let work = move || work(&options, model, ledger, seat, intake, link, &teller);
        let thread = thread::Builder::new()
            .name(format!("worker {seat}"))
            .spawn(work)
            .map_err(Failure::Thread)?;
        begun.push((thread, post, told));
    }
    let mut members = Vec::new();
    for (thread, post, told) in begun {
        let member = match told.recv() {
            Ok(reins) => Member {
                thread: Some(thread),
                post,
                reins,
                listens: false,
            },
            // It failed before it came so far. The others end with the process.
            Err(_) => {
                return Err(joined(thread).err().unwrap_or(Failure::Panicked));
            }
        };
        members.push(member);
    }
    Ok(members)
}

fn joined(thread: JoinHandle<Result<End, Failure>>) -> Result<End, Failure> {
    thread.join().unwrap_or(Err(Failure::Panicked))
}

/// A worker, from its first moment to its last.
fn work(
    options: &ThreadsOptions,
    model: Model,
    ledger: Ledger,
    seat: usize,
    intake: Intake,
    mut link: WorkerEnd,
    teller: &mpsc::Sender<Reins>,
) -> Result<End, Failure> {
    slot::join(&options.worker.slots, seat)?;
    tally::begin(ledger, seat);
    link.tell(ToPrimary::Online)?;
    let listening = || {
        // A first thread that is gone takes the process with it.
        let _ = messages::tell(ToPrimary::Listening);
    };
    match model.style {
        Style::Evented => {
            let (reins, orders) = async_mpsc::unbounded_channel();
            let _ = teller.send(Reins::Evented(reins));
            let job = Job {
                intake,
                orders: Carrier::Channel(orders),
                link: Some(link),
                spin: options.worker.spin,
                drain_timeout: options.server.drain_timeout,
            };
            evented::run(job, listening)
        }
        Style::Blocking => {
            let attention = Attention::to_first_thread()?;
            let _ = teller.send(Reins::Blocking(attention.interrupter()));
            messages::install(link);
            worker::block(
                intake,
                &attention,
                options.worker.terms(options.model.style, &options.server),
                listening,
            )
        }
    }
}

struct Pool {
    signals: Signals,
    reactor: Reactor,
    ledger: Ledger,
    members: Vec<Member>,
    desk: Option<Desk>,
    ends: Vec<End>,
}

impl Pool {
    fn watch(&mut self) -> io::Result<()> {
        self.reactor.watch(&self.signals, SIGNALS)?;
        for (seat, member) in self.members.iter().enumerate() {
            self.reactor.watch(member.post.fd(), seat as u64)?;
        }
        if let Some(desk) = &self.desk {
            self.reactor.watch(desk.words(), WORDS)?;
        }
        Ok(())
    }

    fn serve_until_told(&mut self, ready: impl FnOnce()) -> Result<(), Failure> {
        let mut ready = Some(ready);
        loop {
            if self.round(None)? {
                return Ok(());
            }
            if ready.is_some() && self.members.iter().all(|member| member.listens) {
                for member in &mut self.members {
                    front_desk::announce(&mut member.post, self.ledger);
                }
                if let Some(ready) = ready.take() {
                    ready();
                }
            }
        }
    }

    /// Take what comes until then. Tells whether the operator wants the end.
    fn round(&mut self, deadline: Option<Instant>) -> Result<bool, Failure> {
        let mut until = deadline;
        if let Some(desk) = &mut self.desk {
            desk.watch(&self.reactor)?;
            until = [deadline, desk.retry_at()].into_iter().flatten().min();
        }
        let mut stop = false;
        for name in self.reactor.wait(until)? {
            match name {
                SIGNALS => stop |= self.signals.pending()?.stop,
                LISTENER => self.desk.iter_mut().for_each(Desk::accept),
                WORDS => self.desk.iter_mut().for_each(Desk::hear),
                seat => self.attend(usize::try_from(seat).unwrap_or(usize::MAX))?,
            }
        }
        self.desk.iter_mut().for_each(Desk::deal);
        Ok(stop)
    }

    /// A worker spoke, or has ended.
    fn attend(&mut self, seat: usize) -> Result<(), Failure> {
        let Some(member) = self.members.get_mut(seat) else {
            return Ok(());
        };
        let said = front_desk::answer(&mut member.post, self.ledger);
        member.listens |= said.contains(&ToPrimary::Listening);
        if member.thread.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(thread) = member.thread.take()
        {
            self.reactor.forget(member.post.fd());
            self.ends.push(joined(thread)?);
        }
        Ok(())
    }

    fn running(&self) -> usize {
        let running = |member: &&Member| member.thread.is_some();
        self.members.iter().filter(running).count()
    }

    /// Have all workers drain, and see how they end.
    fn stop(mut self, drain_timeout: Duration) -> Result<End, Failure> {
        if let Some(desk) = self.desk.take() {
            desk.close(&self.reactor);
        }
        self.order(Order::Drain);
        let mut deadline = Instant::now() + drain_timeout + GRACE;
        let mut hurried = false;
        while self.running() > 0 && Instant::now() < deadline {
            if self.round(Some(deadline))? && !hurried {
                hurried = true;
                self.order(Order::End);
                deadline = Instant::now() + GRACE;
            }
        }
        // A thread that has not ended is in a handler, with at least one connection.
        Ok(End::sum(&self.ends, self.running(), hurried))
    }

    fn order(&self, order: Order) {
        for member in &self.members {
            member.reins.order(order);
        }
    }
}
