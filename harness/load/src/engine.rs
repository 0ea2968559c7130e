//! One generator thread: an event loop over its share of the connections.
//!
//! Order of events: connect; report ready and wait for the common start; warm up; open the window
//! (the tally begins anew, requests under way are offered to it); count; close the window.
//!
//! In steady state the loop makes two system calls a request (one to send, one to receive) and one
//! to wait for as many answers as have come. It allocates nothing for a correct answer, and reads the
//! clock twice for each request: as it is sent and as its answer is whole.
//!
//! A closed loop reads all answers at hand before it sends the next requests. A server that has gone
//! to sleep then finds several as it wakes, and is woken less often; sending each at once took a
//! seventh more CPU time here.
//!
//! Times are nanoseconds since the load's epoch, but for those of the schedule, which begin with the
//! load.

mod answers;
mod edges;
mod opening;
mod requests;

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use rustix::fd::OwnedFd;
use schema::{CpuTime, Pace};

use crate::{
    arrivals::{Observed, Rate, Schedule},
    backlog::Backlog,
    error::LoadError,
    response::KnownHead,
    route::Routes,
    slot::Slot,
    spec::LoadSpec,
    tally::Tally,
    transport::Transport,
};

/// How often the loop looks beside its sockets: for a stop, and for requests to give up.
const CHORES_NS: u64 = 20_000_000;
const MOST_OFTEN_NS: u64 = 1_000_000;
/// How long a slot rests whose connection could not be made.
const REST_NS: u64 = 20_000_000;
/// A request that is due within this is waited for awake: going to sleep and waking takes as long.
/// Three times as much took 2 µs more of CPU time a request at 20,000 a second here, and made the
/// median lateness 1 µs instead of 5 µs.
const AWAKE_NS: u64 = 5_000;
/// How much earlier than a request is due a sleep ends.
const EARLY_NS: u64 = 2_000;
/// Events between two looks at what is due.
const EVENTS_A_TURN: usize = 128;
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// What the threads of one load share.
#[derive(Debug)]
pub struct Shared {
    /// The zero of every thread's clock.
    pub epoch: Instant,
    /// When the load starts; zero until all are ready.
    pub start_ns: AtomicU64,
    /// Set to call the load off.
    pub stop: AtomicBool,
    /// Whether a window has opened.
    pub counting: AtomicBool,
    /// Correct answers so far, warm-up included; brought up to date with the chores.
    pub completed: AtomicU64,
    /// What bodies must be; see [`answers`].
    pub bodies: AtomicU8,
    /// Requests that wait for a free connection.
    pub backlog: Backlog,
}

/// What a thread hands over.
#[derive(Debug)]
pub enum Report {
    /// Its connections stand; this wakes it.
    Ready(OwnedFd),
    /// An interval is over.
    Interval(u64, Box<Tally>),
    /// The window has closed, at its time or before.
    Closed {
        tally: Box<Tally>,
        interrupted: bool,
    },
    /// There is no window.
    Failed(LoadError),
}

/// A thread's ways to and from the one that started it.
pub struct Mail {
    pub index: usize,
    pub reports: mpsc::Sender<(usize, Report)>,
    /// Tallies that were handed over and are empty again.
    pub returned: mpsc::Receiver<Box<Tally>>,
    /// What wakes each thread.
    pub wakers: mpsc::Receiver<Arc<[OwnedFd]>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Window,
    Over,
}

/// One thread's part of a load.
pub struct Engine<'a, T> {
    spec: &'a LoadSpec,
    shared: &'a Shared,
    mail: Mail,
    wakers: Arc<[OwnedFd]>,
    transport: T,
    slots: Vec<Slot>,
    /// Idle slots, longest idle first; those that went down meanwhile are passed over.
    free: VecDeque<u32>,
    /// Slots that are free but not connected.
    down: VecDeque<u32>,
    /// Slots that think, and when they are due.
    thinking: VecDeque<(u64, u32)>,
    /// Slots that ask again as soon as the answers at hand have been read.
    eager: Vec<u32>,
    /// Slots that rest, and until when.
    resting: VecDeque<(u64, u32)>,
    routes: Routes,
    schedule: Option<Schedule>,
    /// Arrivals are being taken in hand.
    taking: bool,
    /// Since when no connection was free.
    none_free_since_ns: u64,
    buffer: Box<[u8]>,
    known: KnownHead,
    bodies: u8,
    tally: Box<Tally>,
    phase: Phase,
    timeout_ns: u64,
    start_ns: u64,
    opened_ns: u64,
    close_ns: u64,
    next_edge_ns: u64,
    next_chore_ns: u64,
    next_sweep_ns: u64,
    intervals: u64,
    busy: u64,
    busy_changed_ns: u64,
    published: u64,
    cpu_before: CpuTime,
    wait_before_ns: Option<u64>,
    stolen_before_ns: Option<u64>,
    /// The longest response time in the window.
    longest_ns: u64,
    /// Time spent waiting awake in the window.
    awake_ns: u64,
    failed: Option<LoadError>,
}

impl<'a, T: Transport> Engine<'a, T> {
    /// For one thread's share of the connections.
    pub fn new(spec: &'a LoadSpec, shared: &'a Shared, mail: Mail) -> io::Result<Self> {
        let (threads, all) = (spec.threads(), spec.connections as usize);
        let slots = all / threads + usize::from(mail.index < all % threads);
        let start = u8::try_from(mail.index * 256 / threads).unwrap_or(0);
        Ok(Self {
            spec,
            shared,
            wakers: Arc::new([]),
            transport: T::new(slots, spec.request().into())?,
            slots: (0..slots).map(|_| Slot::default()).collect(),
            free: VecDeque::with_capacity(slots),
            down: VecDeque::new(),
            thinking: VecDeque::new(),
            eager: Vec::with_capacity(slots),
            resting: VecDeque::new(),
            routes: Routes::new(spec.address, spec.reuse, start),
            schedule: None,
            taking: false,
            none_free_since_ns: 0,
            buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            known: KnownHead::default(),
            bodies: 0,
            tally: Box::default(),
            phase: Phase::WarmUp,
            timeout_ns: nanos(spec.timeout),
            start_ns: 0,
            opened_ns: 0,
            close_ns: 0,
            next_edge_ns: 0,
            next_chore_ns: 0,
            next_sweep_ns: 0,
            intervals: 0,
            busy: 0,
            busy_changed_ns: 0,
            published: 0,
            cpu_before: CpuTime::default(),
            wait_before_ns: None,
            stolen_before_ns: None,
            longest_ns: 0,
            awake_ns: 0,
            failed: None,
            mail,
        })
    }

    /// Drives the load to its end and reports.
    pub fn run(mut self) -> Result<(), LoadError> {
        self.connect_all()?;
        self.report(Report::Ready(self.transport.waker()?));
        if !self.await_start()? {
            return Err(LoadError::Stopped);
        }
        self.start()?;
        self.drive()?;
        self.failed.take().map_or(Ok(()), Err)
    }

    fn numbers(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    fn report(&self, report: Report) {
        // The receiver is gone only where the load was dropped, and then nobody asks.
        let _ = self.mail.reports.send((self.mail.index, report));
    }

    fn start(&mut self) -> io::Result<()> {
        let spec = self.spec;
        self.opened_ns = self.start_ns + nanos(spec.warm_up);
        self.close_ns = self.opened_ns + nanos(spec.measure);
        self.next_edge_ns = self.opened_ns;
        self.busy_changed_ns = self.now();
        self.tally.clear();
        if let Pace::OpenLoop(open) = &spec.pace {
            let rate = Rate::new(open, spec.warm_up, spec.measure);
            let threads = spec.threads();
            self.schedule = Some(Schedule::new(open, rate, self.mail.index, threads));
            self.tally.arrivals = Some(Observed::new(open, rate, threads));
        }
        // Without a warm-up, the first requests are the window's.
        self.cross_edges(self.start_ns)?;
        self.none_free_since_ns = self.now();
        for slot in self.numbers() {
            let now_ns = self.now();
            self.released(slot, now_ns);
        }
        Ok(())
    }

    /// Turns the event loop until the window has closed, or the load is called off.
    fn drive(&mut self) -> io::Result<()> {
        loop {
            let mut now_ns = self.now();
            self.cross_edges(now_ns)?;
            if self.phase != Phase::Over && now_ns >= self.next_chore_ns {
                self.chores(now_ns)?;
            }
            if self.phase == Phase::Over {
                return Ok(());
            }
            self.take_due(now_ns);
            now_ns = self.now();
            let patience_ns = self.patience_ns(now_ns);
            self.transport.wait(patience_ns)?;
            let mut awake = patience_ns == 0;
            // A peer that never stops sending must not keep the loop from all else.
            for _ in 0..EVENTS_A_TURN {
                let Some(event) = self.transport.next(&mut self.buffer) else {
                    break;
                };
                awake = false;
                self.heard(event)?;
                if self.phase == Phase::Over {
                    return Ok(());
                }
            }
            if awake {
                let awake_ns = self.now() - now_ns;
                self.tally.awake_ns += awake_ns;
                self.awake_ns += awake_ns;
            }
        }
    }

    /// How long to wait for events: until something is due. What is due very soon is waited for
    /// awake.
    fn patience_ns(&self, now_ns: u64) -> u64 {
        if !self.eager.is_empty() {
            return 0;
        }
        let mut due_ns = u64::MAX;
        if let Some(&(until_ns, _)) = self.thinking.front() {
            due_ns = until_ns;
        }
        // Where no connection is free, an answer is what is waited for; but another thread may have one.
        if let Some(schedule) = &self.schedule
            && (self.has_free() || self.spec.threads() > 1)
        {
            due_ns = due_ns.min(self.start_ns.saturating_add(schedule.next_ns()));
        }
        let left_ns = due_ns.saturating_sub(now_ns);
        if left_ns <= AWAKE_NS {
            return 0;
        }
        let mut until_ns = (due_ns - EARLY_NS)
            .min(self.next_edge_ns)
            .min(self.next_chore_ns);
        if let Some(&(rested_ns, _)) = self.resting.front() {
            until_ns = until_ns.min(rested_ns);
        }
        until_ns.saturating_sub(now_ns)
    }

    /// Looks for a stop and for requests to give up.
    fn chores(&mut self, now_ns: u64) -> io::Result<()> {
        // Often enough that a timeout is seen soon after it is due.
        let often_ns = (self.timeout_ns / 50).clamp(MOST_OFTEN_NS, CHORES_NS);
        self.next_chore_ns = now_ns + often_ns;
        self.publish();
        if self.is_stopped() {
            if self.phase == Phase::Window {
                self.close_window(now_ns, true)?;
            } else {
                self.phase = Phase::Over;
                self.failed = Some(LoadError::Stopped);
            }
        } else if now_ns >= self.next_sweep_ns {
            self.next_sweep_ns = now_ns + (self.timeout_ns / 50).min(5 * CHORES_NS);
            self.give_up_late_ones(now_ns);
        }
        Ok(())
    }

    fn cpu(&self) -> u32 {
        self.spec.cpus[self.mail.index]
    }

    fn is_stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    /// Lets watchers see how many answers have come.
    fn publish(&mut self) {
        let more = self.tally.completed - self.published;
        self.published = self.tally.completed;
        self.shared.completed.fetch_add(more, Ordering::Relaxed);
    }

    fn busy_changes(&mut self, now_ns: u64, by: i64) {
        self.tally.busy_ns += self.busy * now_ns.saturating_sub(self.busy_changed_ns);
        self.busy_changed_ns = self.busy_changed_ns.max(now_ns);
        self.busy = self.busy.wrapping_add_signed(by);
    }

    fn now(&mut self) -> u64 {
        self.tally.clock_reads += 1;
        nanos(self.shared.epoch.elapsed())
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
