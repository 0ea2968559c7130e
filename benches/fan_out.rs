//! From which grain on does it pay to cut a job into pieces for several workers: threads that are there,
//! threads made for the job, and processes forked for it?
//!
//! One iteration is a whole job: as many pieces of pure computing as there are CPUs to use (at least two),
//! each done by another worker, and all results at hand and compared at the end. The parameter is the grain:
//! the CPU time of one piece, by a number of steps that is found once at the start for this machine.
//! A way pays from the grain on from which it takes less time than `alone`.
//!
//! - `alone`: the calling thread does one piece after another.
//! - `thread-rayon`: a pool of that many threads, made before.
//! - `thread-spawned`: threads made for each job, and joined.
//! - `process-shared-memory`: processes forked for each job, by a process with one thread and little memory;
//!   results are left in memory that was shared before. All are waited for.
//! - `process-pipe`: the same, and each worker writes its result into a pipe, made for it and closed again.
//!
//! The thread that hands the pieces out does none itself. Nobody is pinned: where new workers begin is the
//! kernel's choice, and part of the figure. What a fork costs with much memory is asked by the bench
//! `spawn`. The CPU time is that of all who take part, the making and ending of workers included.

use std::{
    fs::File,
    io::Read,
    os::fd::OwnedFd,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    thread,
    time::Duration,
};

use anyhow::Context;
use benches::tools::{
    dialogue::{self, Dialogue},
    fallible,
    fork_server::Job,
    forking::{fork_to, reap, spent_by},
    grain::Cut,
    metric::{Metric, Spent},
    shared_memory::SharedMemory,
    suite::{self, Bench, Suite},
};
use criterion::{BenchmarkGroup, BenchmarkId};
use nix::unistd::Pid;
use rayon::{
    ThreadPool, ThreadPoolBuilder,
    iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator},
};
use rustix::{
    io::write,
    pipe::{PipeFlags, pipe_with},
};
use serde::{Deserialize, Serialize};
use servers::cluster::fork::Sole;

const GRAINS: [(Duration, &str); 4] = [
    (Duration::from_micros(10), "10-us"),
    (Duration::from_micros(100), "100-us"),
    (Duration::from_millis(1), "1-ms"),
    (Duration::from_millis(10), "10-ms"),
];

/// Samples of a benchmark of the longest grain: with many CPUs, a job done alone takes long.
const FEW: usize = 20;
const MANY: usize = 100;

/// The results of two workers lie so many words apart, so that they share no cache line.
const APART: usize = 16;

/// How results of forked workers come back.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Results {
    SharedMemory,
    Pipe,
}

impl Results {
    const ALL: [(Self, &str); 2] = [
        (Self::SharedMemory, "process-shared-memory"),
        (Self::Pipe, "process-pipe"),
    ];
}

#[derive(Debug, Serialize, Deserialize)]
struct Question {
    cut: Cut,
    results: Results,
    jobs: u64,
}

/// The process with one thread that forks workers for each job, and measures it.
#[derive(Debug, Serialize, Deserialize)]
struct Parent {
    workers: usize,
}

impl Job for Parent {
    fn run(self, descriptors: Vec<OwnedFd>) -> anyhow::Result<()> {
        let sole = Sole::check()?;
        let socket = dialogue::socket(descriptors)?;
        let memory = SharedMemory::new(self.workers * APART * size_of::<u64>())?;
        dialogue::answer(&socket, |question: Question| {
            spent_by(|| {
                for _ in 0..question.jobs {
                    match question.results {
                        Results::SharedMemory => by_shared_memory(&sole, &question.cut, &memory),
                        Results::Pipe => by_pipes(&sole, &question.cut),
                    }?;
                }
                Ok(())
            })
        })
    }
}

fn by_shared_memory(sole: &Sole, cut: &Cut, memory: &SharedMemory) -> anyhow::Result<()> {
    let places = || memory.words().iter().step_by(APART);
    let mut workers = Vec::with_capacity(cut.pieces());
    for (piece, place) in places().enumerate().take(cut.pieces()) {
        let worker = fork_to(sole, || {
            place.store(cut.compute(piece), SeqCst);
            Ok(())
        });
        workers.push(worker);
    }
    all_reaped(workers)?;
    let mut results = places().map(|place: &AtomicU64| place.swap(0, SeqCst));
    (0..cut.pieces()).try_for_each(|piece| {
        let result = results.next().context("a place for a result is missing")?;
        cut.check(piece, result)
    })
}

fn by_pipes(sole: &Sole, cut: &Cut) -> anyhow::Result<()> {
    let mut workers = Vec::with_capacity(cut.pieces());
    let mut hears = Vec::with_capacity(cut.pieces());
    for piece in 0..cut.pieces() {
        let (hear, say) = pipe_with(PipeFlags::CLOEXEC)?;
        workers.push(fork_to(sole, || {
            // So few bytes go whole.
            write(&say, &cut.compute(piece).to_ne_bytes())?;
            Ok(())
        }));
        hears.push(File::from(hear));
    }
    let results: Vec<_> = hears
        .into_iter()
        .map(|mut pipe| {
            let mut result = [0; 8];
            pipe.read_exact(&mut result)
                .map(|()| u64::from_ne_bytes(result))
        })
        .collect();
    all_reaped(workers)?;
    for (piece, result) in results.into_iter().enumerate() {
        cut.check(piece, result.context("a worker left no result")?)?;
    }
    Ok(())
}

/// Wait for all that were made, also where one could not be.
fn all_reaped(workers: Vec<anyhow::Result<Pid>>) -> anyhow::Result<()> {
    let ends: Vec<_> = workers
        .into_iter()
        .map(|worker| worker.and_then(reap))
        .collect();
    ends.into_iter().collect()
}

fn alone(cut: &Cut) -> anyhow::Result<()> {
    (0..cut.pieces()).try_for_each(|piece| cut.check(piece, cut.compute(piece)))
}

fn in_spawned_threads(cut: &Cut) -> anyhow::Result<()> {
    let results: anyhow::Result<Vec<u64>> = thread::scope(|scope| {
        let spawned: Vec<_> = (0..cut.pieces())
            .map(|piece| thread::Builder::new().spawn_scoped(scope, move || cut.compute(piece)))
            .collect();
        let joined = spawned.into_iter().map(|worker| {
            let worker = worker.context("cannot start a thread")?;
            let joined = worker.join();
            joined.map_err(|_| anyhow::anyhow!("a thread panicked; see above"))
        });
        joined.collect()
    });
    let mut results = results?.into_iter().enumerate();
    results.try_for_each(|(piece, result)| cut.check(piece, result))
}

fn in_pool(pool: &ThreadPool, cut: &Cut) -> anyhow::Result<()> {
    pool.install(|| {
        (0..cut.pieces())
            .into_par_iter()
            .with_max_len(1)
            .try_for_each(|piece| cut.check(piece, cut.compute(piece)))
    })
}

struct FanOut;

impl Bench for FanOut {
    type Job = Parent;

    fn measure<M: Metric>(suite: &mut Suite<'_, M>) -> anyhow::Result<()> {
        let workers = suite.cpus.len().max(2);
        let place = suite.workers;
        // Kept for all grains, and made for the first one that is measured.
        let mut parent: Option<Dialogue<'_>> = None;
        let mut group = suite.group("fan-out");
        for (grain, name) in GRAINS {
            let long = grain >= Duration::from_millis(10);
            group.sample_size(if long { FEW } else { MANY });
            in_threads(&mut group, workers, grain, name)?;
            for (results, function) in Results::ALL {
                let id = BenchmarkId::new(function, name);
                let mut cut = None;
                fallible::iter_custom(&mut group, id, |jobs| -> anyhow::Result<Spent> {
                    let parent = match &mut parent {
                        Some(begun) => begun,
                        none => none.insert(Dialogue::begin(place, Parent { workers })?),
                    };
                    let cut = match &cut {
                        Some(made) => made,
                        None => cut.insert(Cut::new(workers, grain)?),
                    };
                    parent.ask(&Question {
                        cut: cut.clone(),
                        results,
                        jobs,
                    })
                })?;
            }
        }
        group.finish();
        parent.map_or(Ok(()), Dialogue::finish)
    }
}

/// The ways that need one process.
fn in_threads<M: Metric>(
    group: &mut BenchmarkGroup<'_, M>,
    workers: usize,
    grain: Duration,
    name: &str,
) -> anyhow::Result<()> {
    let cut = || Cut::new(workers, grain);
    let id = |function| BenchmarkId::new(function, name);
    fallible::iter(group, id("alone"), cut, |cut| alone(cut))?;
    let with_pool = || {
        let pool = ThreadPoolBuilder::new().num_threads(workers).build();
        Ok((pool.context("cannot start a pool of threads")?, cut()?))
    };
    fallible::iter(group, id("thread-rayon"), with_pool, |(pool, cut)| {
        in_pool(pool, cut)
    })?;
    fallible::iter(group, id("thread-spawned"), cut, |cut| {
        in_spawned_threads(cut)
    })
}

fn main() -> ExitCode {
    suite::run::<FanOut>()
}
