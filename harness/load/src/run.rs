//! Starting a load's threads and adding up what they counted.

use std::{
    collections::{BTreeMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::prctl,
    unistd::Pid,
};
use rustix::fd::OwnedFd;
use schema::LoadResult;

use crate::{
    backlog::Backlog,
    engine::{Engine, Mail, Report, Shared},
    error::LoadError,
    latencies::Latencies,
    spec::LoadSpec,
    tally::Tally,
    transport::{Epoll, TransportKind, Uring},
    window::Herald,
};

/// From when all threads are ready until the load begins: they have to notice.
const START_IN: Duration = Duration::from_millis(1);

/// A load's whole account.
#[derive(Debug)]
pub struct Loaded {
    /// What is written down.
    pub result: LoadResult,
    /// Every latency, ns.
    pub latencies: Latencies,
    /// Whether the window was cut short.
    pub interrupted: bool,
}

/// What was counted in one interval of the window, all threads together.
#[derive(Debug)]
pub struct Interval {
    /// When it began, since the window opened.
    pub began: Duration,
    /// How long it lasted: the last one may be shorter.
    pub lasted: Duration,
    /// Correct answers.
    pub completed: u64,
    /// Errors and timeouts.
    pub wrong: u64,
    /// Requests under way and waiting at its end.
    pub in_flight: u64,
    /// Every latency, ns.
    pub latencies: Latencies,
}

/// A load under way. Dropping it calls it off and waits for its threads.
#[derive(Debug)]
pub struct Running {
    spec: Arc<LoadSpec>,
    shared: Arc<Shared>,
    threads: Vec<thread::JoinHandle<()>>,
    reports: mpsc::Receiver<(usize, Report)>,
    mail: Vec<ToThread>,
    ready: Vec<OwnedFd>,
    herald: Option<Herald>,
    partial: BTreeMap<u64, (usize, Tally)>,
    intervals: VecDeque<Interval>,
    total: Tally,
    ended: usize,
    closed: u32,
    interrupted: bool,
    error: Option<LoadError>,
}

/// The way back to a thread.
#[derive(Debug)]
struct ToThread {
    tallies: mpsc::Sender<Box<Tally>>,
    wakers: mpsc::Sender<Arc<[OwnedFd]>>,
}

/// Starts one thread for each CPU. They connect first; see [`Running::wait`].
///
/// # Errors
/// [`LoadError::Empty`] for a specification without connections or CPUs, [`LoadError::EventLoop`]
/// where no thread can be started.
pub fn start(spec: LoadSpec) -> Result<Running, LoadError> {
    if spec.connections == 0 || spec.cpus.is_empty() {
        return Err(LoadError::Empty {
            connections: spec.connections,
            cpus: spec.cpus.len(),
        });
    }
    let threads = spec.threads();
    let (sender, reports) = mpsc::channel();
    let mut running = Running {
        spec: Arc::new(spec),
        shared: Arc::new(Shared {
            epoch: Instant::now(),
            start_ns: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            counting: AtomicBool::new(false),
            completed: AtomicU64::new(0),
            bodies: AtomicU8::new(0),
            backlog: Backlog::new(threads),
        }),
        threads: Vec::new(),
        reports,
        mail: Vec::new(),
        ready: Vec::new(),
        herald: None,
        partial: BTreeMap::new(),
        intervals: VecDeque::new(),
        total: Tally::default(),
        ended: 0,
        closed: 0,
        interrupted: false,
        error: None,
    };
    for index in 0..threads {
        // Where one cannot be started, dropping what runs already calls it off.
        running.spawn(index, sender.clone())?;
    }
    Ok(running)
}

fn generate(spec: &LoadSpec, shared: &Shared, mail: Mail) -> Result<(), LoadError> {
    let cpu = spec.cpus[mail.index];
    pin(cpu).map_err(|errno| LoadError::Pin {
        cpu,
        cause: errno.into(),
    })?;
    // The kernel may else wake a sleeper 50 µs late, to wake others with it.
    prctl::set_timerslack(1).map_err(std::io::Error::from)?;
    match spec.transport.unwrap_or(TransportKind::Epoll) {
        TransportKind::Epoll => Engine::<Epoll>::new(spec, shared, mail)?.run(),
        kind @ TransportKind::IoUring => Engine::<Uring>::new(spec, shared, mail)
            .map_err(|cause| LoadError::Transport { kind, cause })?
            .run(),
    }
}

/// Binds this thread to one CPU.
fn pin(cpu: u32) -> nix::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu as usize)?;
    sched_setaffinity(Pid::from_raw(0), &set)
}

impl Running {
    fn spawn(
        &mut self,
        index: usize,
        reports: mpsc::Sender<(usize, Report)>,
    ) -> Result<(), LoadError> {
        let (tallies, returned) = mpsc::channel();
        let (wakers, to_wake) = mpsc::channel();
        self.mail.push(ToThread { tallies, wakers });
        let (spec, shared) = (Arc::clone(&self.spec), Arc::clone(&self.shared));
        let body = move || {
            let mail = Mail {
                index,
                reports: reports.clone(),
                returned,
                wakers: to_wake,
            };
            let ended = catch_unwind(AssertUnwindSafe(|| generate(&spec, &shared, mail)))
                .unwrap_or(Err(LoadError::Panicked));
            if let Err(error) = ended {
                shared.stop.store(true, Ordering::Relaxed);
                // The receiver is gone only where the load was dropped, and then nobody asks.
                let _ = reports.send((index, Report::Failed(error)));
            }
        };
        let thread = thread::Builder::new()
            .name(format!("load-{index}"))
            .spawn(body)?;
        self.threads.push(thread);
        Ok(())
    }

    /// Waits until the load is over, or for `patience`; true once it is. A load that is not held begins
    /// in here, when all connections stand.
    pub fn wait(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.ended < self.threads.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.reports.recv_timeout(left) {
                Ok((thread, report)) => self.take(thread, report),
                Err(mpsc::RecvTimeoutError::Timeout) => return false,
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
        // Where threads were stopped at different times, an interval may lack some.
        while let Some((&number, _)) = self.partial.first_key_value() {
            self.push_interval(number);
        }
        if let Some(herald) = self.herald.take() {
            herald.finish();
        }
        true
    }

    fn take(&mut self, thread: usize, report: Report) {
        match report {
            Report::Ready(waker) => {
                self.ready.push(waker);
                if self.is_ready() && !self.spec.held {
                    self.begin(Instant::now() + START_IN);
                }
            }
            Report::Interval(number, mut tally) => {
                self.total.add(&tally);
                let (_, sum) = self.partial.entry(number).or_default();
                sum.add(&tally);
                tally.clear();
                // A thread that is over needs none.
                let _ = self.mail[thread].tallies.send(tally);
                self.complete_interval(number);
            }
            Report::Closed { tally, interrupted } => {
                self.total.add(&tally);
                self.interrupted |= interrupted;
                self.closed += 1;
                self.ended += 1;
                if self.spec.interval.is_some() {
                    let (_, sum) = self.partial.entry(u64::MAX).or_default();
                    sum.add(&tally);
                    self.complete_interval(u64::MAX);
                }
            }
            Report::Failed(error) => {
                self.ended += 1;
                // Those that were called off because another failed have nothing to say.
                if self.error.is_none() || matches!(self.error, Some(LoadError::Stopped)) {
                    self.error = Some(error);
                }
            }
        }
    }

    /// Whether all connections stand and the load has not begun.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.len() == self.threads.len()
    }

    /// Has a load begin at `at`, which may lie ahead; where not all connections stand, nothing.
    pub fn begin(&mut self, at: Instant) {
        if !self.is_ready() {
            return;
        }
        let wakers: Arc<[OwnedFd]> = self.ready.drain(..).collect();
        let opens = at + self.spec.warm_up;
        let hook = Arc::clone(&self.spec.on_window);
        match Herald::start(hook, self.spec.lead, opens, opens + self.spec.measure) {
            Ok(herald) => self.herald = Some(herald),
            Err(error) => {
                self.error = Some(error.into());
                self.stop();
            }
        }
        for mail in &self.mail {
            // A thread that has failed meanwhile needs none.
            let _ = mail.wakers.send(Arc::clone(&wakers));
        }
        let start = at.saturating_duration_since(self.shared.epoch);
        let start_ns = u64::try_from(start.as_nanos()).unwrap_or(u64::MAX);
        self.shared.start_ns.store(start_ns, Ordering::Release);
        for waker in wakers.iter() {
            // At worst it wakes by itself, soon.
            let _ = rustix::io::write(waker, &1_u64.to_ne_bytes());
        }
    }

    /// Hands an interval over that all threads have reported. The last one has no number.
    fn complete_interval(&mut self, number: u64) {
        let Some((count, _)) = self.partial.get_mut(&number) else {
            return;
        };
        *count += 1;
        if *count < self.threads.len() {
            return;
        }
        self.push_interval(number);
    }

    fn push_interval(&mut self, number: u64) {
        let (Some((_, tally)), Some(interval)) = (self.partial.remove(&number), self.spec.interval)
        else {
            return;
        };
        let elapsed = Duration::from_nanos(tally.elapsed_ns);
        let passed = if number == u64::MAX {
            let before = elapsed.saturating_sub(Duration::from_nanos(1));
            u64::try_from(before.as_nanos() / interval.as_nanos().max(1)).unwrap_or(0)
        } else {
            number
        };
        let began = interval * u32::try_from(passed).unwrap_or(u32::MAX);
        self.intervals.push_back(Interval {
            began,
            lasted: if number == u64::MAX {
                elapsed.saturating_sub(began)
            } else {
                interval
            },
            completed: tally.completed,
            wrong: tally.errors() + tally.timeouts,
            in_flight: tally.in_flight,
            latencies: tally.latencies,
        });
    }

    /// The intervals that have become whole since the last call.
    pub fn intervals(&mut self) -> impl Iterator<Item = Interval> {
        self.intervals.drain(..)
    }

    /// Correct answers so far, warm-up included; may lag by a few milliseconds.
    #[must_use]
    pub fn completed(&self) -> u64 {
        self.shared.completed.load(Ordering::Relaxed)
    }

    /// Whether the window has opened.
    #[must_use]
    pub fn is_counting(&self) -> bool {
        self.shared.counting.load(Ordering::Relaxed)
    }

    /// Calls the load off. A window that is open closes at once, and counts.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for the threads and adds their tallies up.
    ///
    /// # Errors
    /// The first thread's that says more than that it was called off.
    pub fn finish(mut self) -> Result<Loaded, LoadError> {
        while !self.wait(Duration::from_hours(1)) {}
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let total = std::mem::take(&mut self.total);
        let transport = self.spec.transport.unwrap_or(TransportKind::Epoll);
        Ok(Loaded {
            result: total.result(self.closed, transport.name()),
            latencies: total.latencies,
            interrupted: self.interrupted,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        for thread in self.threads.drain(..) {
            // A panic was caught and reported already.
            let _ = thread.join();
        }
        if let Some(herald) = self.herald.take() {
            herald.finish();
        }
    }
}
