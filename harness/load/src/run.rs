//! Starting a load's threads and adding up what they counted.

use std::{
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use schema::LoadResult;

use crate::{
    engine::{Engine, Shared},
    error::LoadError,
    spec::LoadSpec,
    tally::Tally,
};

/// A load's whole account.
#[derive(Debug)]
pub struct Loaded {
    /// What is written down.
    pub result: LoadResult,
    /// Every latency, ns.
    pub latency: Histogram<u64>,
}

/// A load under way. Dropping it calls it off and waits for its threads.
#[derive(Debug)]
pub struct Running {
    state: Arc<Shared>,
    threads: Vec<thread::JoinHandle<()>>,
    tallies: mpsc::Receiver<Result<Tally, LoadError>>,
    gathered: Vec<Result<Tally, LoadError>>,
}

/// Opens the connections and starts one thread for each CPU.
///
/// # Errors
/// [`LoadError::Connect`] where a connection is refused, [`LoadError::Empty`] for a specification
/// without connections or CPUs.
pub fn start(spec: LoadSpec) -> Result<Running, LoadError> {
    if spec.connections == 0 || spec.cpus.is_empty() {
        return Err(LoadError::Empty {
            connections: spec.connections,
            cpus: spec.cpus.len(),
        });
    }
    let shares = connect(&spec)?;
    let state = Arc::new(Shared {
        epoch: Instant::now(),
        opened_ns: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        completed: AtomicU64::new(0),
    });
    let (sender, tallies) = mpsc::channel();
    let spec = Arc::new(spec);
    let mut threads = Vec::new();
    for (index, sockets) in shares.into_iter().enumerate() {
        let (spec, state, sender) = (Arc::clone(&spec), Arc::clone(&state), sender.clone());
        let body = move || {
            let tally = generate(&spec, &state, index, sockets);
            if tally.is_err() {
                state.stop.store(true, Ordering::Relaxed);
            }
            // The receiver is gone only where the load was dropped, and then nobody asks.
            let _ = sender.send(tally);
        };
        threads.push(
            thread::Builder::new()
                .name(format!("load-{index}"))
                .spawn(body)?,
        );
    }
    Ok(Running {
        state,
        threads,
        tallies,
        gathered: Vec::new(),
    })
}

/// Opens all connections, dealt out over the CPUs.
fn connect(spec: &LoadSpec) -> Result<Vec<Vec<TcpStream>>, LoadError> {
    let threads = spec.cpus.len().min(spec.connections as usize);
    let mut shares: Vec<Vec<TcpStream>> = (0..threads).map(|_| Vec::new()).collect();
    for index in 0..spec.connections as usize {
        let socket = TcpStream::connect_timeout(&spec.address, spec.timeout)
            .and_then(|socket| socket.set_nodelay(true).map(|()| socket))
            .map_err(|source| LoadError::Connect {
                address: spec.address,
                connections: spec.connections,
                source,
            })?;
        shares[index % threads].push(socket);
    }
    Ok(shares)
}

fn generate(
    spec: &LoadSpec,
    shared: &Shared,
    index: usize,
    sockets: Vec<TcpStream>,
) -> Result<Tally, LoadError> {
    let cpu = spec.cpus[index];
    pin(cpu).map_err(|errno| LoadError::Pin {
        cpu,
        source: errno.into(),
    })?;
    Engine::new(spec, shared, index == 0, sockets)?.run()
}

/// Binds this thread to one CPU.
fn pin(cpu: u32) -> nix::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu as usize)?;
    sched_setaffinity(Pid::from_raw(0), &set)
}

impl Running {
    /// Waits until all threads are done, or for `patience`; true once they are.
    pub fn wait(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.gathered.len() < self.threads.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.tallies.recv_timeout(left) {
                Ok(tally) => self.gathered.push(tally),
                Err(mpsc::RecvTimeoutError::Timeout) => return false,
                // A thread panicked; `finish` passes that on.
                Err(mpsc::RecvTimeoutError::Disconnected) => return true,
            }
        }
        true
    }

    /// Correct answers so far, warm-up included; may lag by a few milliseconds.
    #[must_use]
    pub fn completed(&self) -> u64 {
        self.state.completed.load(Ordering::Relaxed)
    }

    /// Whether the window has opened.
    #[must_use]
    pub fn is_counting(&self) -> bool {
        self.state.opened_ns.load(Ordering::Relaxed) > 0
    }

    /// Calls the load off; [`Running::finish`] then says [`LoadError::Stopped`], unless the window
    /// had closed already.
    pub fn stop(&self) {
        self.state.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for the threads and adds their tallies up.
    ///
    /// # Errors
    /// The first thread's that says more than that it was called off.
    ///
    /// # Panics
    /// Where a generator thread did.
    pub fn finish(mut self) -> Result<Loaded, LoadError> {
        while !self.wait(Duration::from_hours(1)) {}
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        let threads = u32::try_from(self.gathered.len()).unwrap_or(u32::MAX);
        let mut sum = Tally::default();
        let mut stopped = false;
        for tally in self.gathered.drain(..) {
            match tally {
                Ok(tally) => sum.add(&tally),
                Err(LoadError::Stopped) => stopped = true,
                Err(error) => return Err(error),
            }
        }
        if stopped {
            return Err(LoadError::Stopped);
        }
        Ok(Loaded {
            result: sum.result(threads),
            latency: sum.latency,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        for thread in self.threads.drain(..) {
            // A panic was reported on stderr already.
            let _ = thread.join();
        }
    }
}
