//! The primary of a cluster: keeps so many workers alive, and serves nothing itself.
//!
//! It has one thread and no runtime, because it forks whenever a worker died and a fork copies only
//! the thread that calls it. It waits for three things at once, in one `poll`: signals (a worker
//! died, the operator wants it to stop), the readiness of workers that are starting, and the end of
//! the drain. Nothing is looked at on a timer.
//!
//! Every worker has a seat, and the successor of one that died takes the seat it left: whatever
//! belongs to a seat, as its slot does, has one worker after the other and never two.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{
    crew::{Crew, CrewError, Readiness},
    say,
    signals::Signals,
};

/// So many workers in a row that died before they were ready mean that the next one would, too.
const MOST_FALSE_STARTS: u32 = 5;

/// What workers get beyond the drain timeout to end by themselves and say what they cut.
const GRACE: Duration = Duration::from_secs(1);

/// Which process returns from [`supervise`].
#[derive(Debug)]
pub enum Role {
    /// The primary, after all its workers ended.
    Primary,
    /// A worker, newly forked.
    Worker(Seat),
}

/// What a worker is given. It holds nothing else of the primary's.
#[derive(Debug)]
pub struct Seat {
    /// Its place among the workers, from 0.
    pub number: usize,
    /// The listener that all workers share.
    pub listener: TcpListener,
    /// How to tell the primary.
    pub readiness: Readiness,
}

/// Why a primary gave up.
#[derive(Debug, thiserror::Error)]
pub enum SupervisionError {
    /// Workers could not be made or heard.
    #[error(transparent)]
    Crew(#[from] CrewError),
    /// Signals could not be taken.
    #[error("cannot take signals: {0}; raise the limit of open files (ulimit -n)")]
    Signals(#[from] nix::Error),
    /// Workers die before they can serve.
    #[error(
        "{MOST_FALSE_STARTS} workers in a row died before they accepted connections; cure what \
         they said on stderr (with no word, look for a memory limit), then start again"
    )]
    FalseStarts,
}

/// Keep `workers` worker processes on `listener` until SIGTERM or SIGINT; then have them drain,
/// and kill those that have not ended some time after `drain_timeout`.
///
/// `ready` is called once, when every worker accepts connections. Returns in the primary when all
/// is over, and in every worker right after its fork.
///
/// # Errors
/// See [`SupervisionError`]. A primary that returns an error has no workers, or loses them to the
/// kernel as it ends.
pub fn supervise(
    listener: TcpListener,
    workers: u32,
    drain_timeout: Duration,
    ready: impl FnOnce(),
) -> Result<Role, SupervisionError> {
    use Signal::{SIGCHLD, SIGINT, SIGTERM};
    // Before the first fork: a worker that dies at once must not be missed.
    let signals = Signals::take(&[SIGTERM, SIGINT, SIGCHLD])?;
    say::line(format_args!("Primary {} is running", std::process::id()));
    let primary = Primary {
        listener,
        drain_timeout,
        crew: Crew::new(signals),
    };
    primary.run(workers, ready)
}

struct Primary {
    listener: TcpListener,
    drain_timeout: Duration,
    crew: Crew,
}

impl Primary {
    fn run(mut self, workers: u32, ready: impl FnOnce()) -> Result<Role, SupervisionError> {
        for seat in 0..workers as usize {
            if let Some(readiness) = self.crew.add(seat)? {
                return Ok(self.into_worker(seat, readiness));
            }
        }
        let mut ready = Some(ready);
        let mut false_starts = 0;
        loop {
            if self.crew.wait(None)? > 0 {
                false_starts = 0;
            }
            let news = self.crew.news()?;
            if news.stop {
                self.stop()?;
                return Ok(Role::Primary);
            }
            for death in news.deaths {
                if !death.was_ready {
                    false_starts += 1;
                }
                if false_starts == MOST_FALSE_STARTS {
                    self.stop()?;
                    return Err(SupervisionError::FalseStarts);
                }
                say::line(format_args!(
                    "Worker {} died, starting a new one...",
                    death.worker
                ));
                if let Some(readiness) = self.crew.add(death.seat)? {
                    return Ok(self.into_worker(death.seat, readiness));
                }
            }
            if self.crew.all_ready()
                && let Some(ready) = ready.take()
            {
                ready();
            }
        }
    }

    /// In a worker: close every descriptor of the primary's but the listener.
    fn into_worker(self, number: usize, readiness: Readiness) -> Role {
        Role::Worker(Seat {
            number,
            listener: self.listener,
            readiness,
        })
    }

    fn stop(self) -> Result<(), SupervisionError> {
        let Self {
            listener,
            drain_timeout,
            mut crew,
        } = self;
        // The kernel takes connections for a listener as long as anyone holds it.
        drop(listener);
        crew.signal(Signal::SIGTERM);

        let mut deadline = Instant::now() + drain_timeout + GRACE;
        let mut hurried = false;
        while crew.count() > 0 && Instant::now() < deadline {
            crew.wait(Some(deadline))?;
            if crew.news()?.stop && !hurried {
                hurried = true;
                crew.signal(Signal::SIGQUIT);
                deadline = Instant::now() + GRACE;
            }
        }
        if crew.count() > 0 {
            say::trouble(
                "cluster",
                format_args!(
                    "workers killed with their connections, for they did not end in time: {}; \
                     allow requests more time with --drain-timeout",
                    crew.count()
                ),
            );
            crew.signal(Signal::SIGKILL);
        }
        while crew.count() > 0 {
            crew.wait(None)?;
            crew.news()?;
        }
        Ok(())
    }
}
