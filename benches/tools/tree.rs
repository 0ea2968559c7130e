//! CPU time of the bench and of every worker process it has.
//!
//! # What counts
//! - The bench itself, all its threads.
//! - Every worker process that was [`watch`]ed, from then on, and those below it that are alive.
//! - What a worker had used that has ended, and what processes below a worker had used that ended: the
//!   latter in steps of the kernel's clock tick (10 ms), as nothing tells of them more finely.
//!
//! The bench reads its own clock last as a measurement begins and first as it ends, so the reading of
//! the others is not in it. The kernel brings the clock of a process that is running on another CPU up to
//! date with every tick (1 to 10 ms): of a worker that never sleeps, one measurement may have that much too
//! little or too much, and many have it right on average.

use std::{
    fs,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::ensure;
use nix::{
    time::{ClockId, clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

/// Who is watched, and what those had used who are not there any more.
#[derive(Debug, Default)]
struct Watched {
    alive: Vec<Pid>,
    ended: Duration,
}

static WATCHED: Mutex<Watched> = Mutex::new(Watched {
    alive: Vec::new(),
    ended: Duration::ZERO,
});

fn watched() -> MutexGuard<'static, Watched> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Count `worker` and those below it from now on.
pub fn watch(worker: Pid) {
    watched().alive.push(worker);
}

/// `worker` has ended after it had used so much, those below it included.
pub fn ended(worker: Pid, used: Duration) {
    let mut watched = watched();
    watched.alive.retain(|&one| one != worker);
    watched.ended += used;
}

/// Where the clocks stood as a measurement began.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    workers: Duration,
    own: Duration,
}

/// Begin to count.
#[must_use]
pub fn mark() -> Mark {
    let workers = workers();
    Mark {
        workers,
        own: own(),
    }
}

impl Mark {
    /// What was used since, by all together; at least 1 ns, as criterion takes 0 for a mistake.
    #[must_use]
    pub fn used(self) -> Duration {
        let own = own();
        let used = own.saturating_sub(self.own) + workers().saturating_sub(self.workers);
        used.max(Duration::from_nanos(1))
    }
}

fn own() -> Duration {
    // There is always a clock of the calling process.
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

fn workers() -> Duration {
    let watched = watched();
    let below: Duration = watched.alive.iter().map(|&worker| used_below(worker)).sum();
    below + watched.ended
}

/// What `process` and those below it have used, the ended ones of each included. Whoever ends meanwhile is
/// counted by its parent.
#[must_use]
pub fn used_below(process: Pid) -> Duration {
    let clock = clock_getcpuclockid(process).and_then(clock_gettime);
    let own = clock.map_or(Duration::ZERO, Duration::from);
    let below: Duration = children(process).into_iter().map(used_below).sum();
    own + below + of_ended_children(process)
}

/// Whether the kernel tells who made whom: without that, workers of a server would be left out silently.
///
/// # Errors
/// It does not.
pub fn check() -> anyhow::Result<()> {
    let file = Path::new("/proc/thread-self/children");
    ensure!(
        file.exists(),
        "{} is not there, so CPU time of a server's workers cannot be found; use a kernel with CONFIG_PROC_CHILDREN",
        file.display()
    );
    Ok(())
}

/// The processes that `process` has made, and that are there.
#[must_use]
pub fn children(process: Pid) -> Vec<Pid> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else {
        return Vec::new();
    };
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok())
        .flat_map(|pids| {
            let pids = pids.split_whitespace().map(str::parse);
            pids.filter_map(Result::ok)
                .map(Pid::from_raw)
                .collect::<Vec<_>>()
        })
        .collect()
}

fn of_ended_children(process: Pid) -> Duration {
    let stat = procfs::process::Process::new(process.as_raw()).and_then(|process| process.stat());
    let ticks = stat.map_or(0, |stat| stat.cutime + stat.cstime);
    Duration::from_secs_f64(ticks.max(0) as f64 / procfs::ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use std::{
        hint::black_box,
        io::{Read, Write},
        process::{Command, Stdio},
        sync::{Mutex, PoisonError},
    };

    use super::*;

    /// All that is watched is watched for both tests: one after the other.
    static TURN: Mutex<()> = Mutex::new(());

    #[test]
    fn a_watched_process_and_its_children_count_and_an_ended_one_stays_counted() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let script = "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done; echo done; read _";
        let mut shell = Command::new("sh")
            .args(["-c", &format!("sh -c '{script}'; true")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(shell.id().cast_signed());
        watch(pid);
        let mark = mark();
        shell
            .stdout
            .take()
            .unwrap()
            .read_exact(&mut [0; 5])
            .unwrap();
        let own = own();
        let of_others = mark.used().saturating_sub(own.saturating_sub(mark.own));
        assert!(of_others > Duration::ZERO);
        shell.stdin.take().unwrap().write_all(b"\n").unwrap();
        shell.wait().unwrap();
        ended(pid, Duration::from_secs(5));
        assert!(mark.used() >= Duration::from_secs(4));
    }

    #[test]
    fn work_of_the_calling_process_counts() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mark = mark();
        let before = mark.used();
        black_box((0..100_000_u64).map(black_box).sum::<u64>());
        assert!(mark.used() > before);
    }
}
