//! What it costs that all workers write the same: a counter, and a table of sessions.
//!
//! # What one iteration is
//! One increment, or one visit to a session, by every writer. So with writers that do not disturb each other,
//! and a CPU for each, an iteration takes as long with four as with one.
//!
//! # Who runs where
//! Writers are threads of the bench, or processes; each stays on one CPU, the allowed ones in turn. They live
//! as long as their benchmark and sleep between measurements. One measurement is one round: writers are told
//! at once how often, and the last one done wakes the bench, so a wake-up of everybody is in the figure too,
//! spread over the iterations of a round.
//!
//! # What differs between the sides
//! Threads have one mapping of what they share, and mutexes of the kind that is for threads. Processes have a
//! mapping each, and mutexes that the kernel finds by what is mapped. All else is the same code.
//!
//! # What is checked
//! After each round, outside its time: that the sum of all counters is what was asked for until then.

mod counter;
mod database;
mod sessions;

use std::{os::fd::OwnedFd, process::ExitCode};

use anyhow::ensure;
use benches::tools::{
    cpus::stay_on,
    crew::{Crew, Place},
    fallible,
    fork_server::{Job, Side, Workers},
    metric::{Metric, Spent},
    suite::{self, Bench, Suite},
};
use criterion::{BenchmarkGroup, BenchmarkId};
use serde::{Deserialize, Serialize};

const WRITERS: [usize; 3] = [1, 2, 4];

/// What a group of writers writes to, from the bench's side.
trait Shared: Sized {
    /// The ways to keep it.
    type Way: Copy;

    /// Make it, for so many writers.
    fn make(way: Self::Way, side: Side, writers: usize) -> anyhow::Result<Self>;

    /// What a writer gets.
    fn task(&self) -> Task;

    /// With these writers, told about it by [`Shared::task`].
    fn begin<'a>(
        &self,
        workers: Workers<'a>,
        side: Side,
        writers: Vec<Writer>,
    ) -> anyhow::Result<Crew<'a>>;

    /// All that was written, when nobody writes.
    fn sum(&self) -> anyhow::Result<u64>;
}

/// A worker of this bench.
#[derive(Debug, Serialize, Deserialize)]
struct Writer {
    number: usize,
    cpu: usize,
    task: Task,
}

#[derive(Debug, Serialize, Deserialize)]
enum Task {
    Count(counter::Task),
    Visit(sessions::Task),
}

impl Job for Writer {
    fn run(self, descriptors: Vec<OwnedFd>) -> anyhow::Result<()> {
        stay_on(self.cpu)?;
        let mut descriptors = descriptors.into_iter();
        let place = Place::take(&mut descriptors)?;
        match self.task {
            Task::Count(task) => task.run(&place, self.number, descriptors.next()),
            Task::Visit(task) => task.run(&place, self.number, descriptors.next()),
        }
    }
}

/// One benchmark while it is measured.
struct Running<'a, S> {
    crew: Crew<'a>,
    shared: S,
    written: u64,
}

impl<'a, S: Shared> Running<'a, S> {
    fn begin(
        workers: Workers<'a>,
        cpus: &[usize],
        way: S::Way,
        side: Side,
        writers: usize,
    ) -> anyhow::Result<Self> {
        let shared = S::make(way, side, writers)?;
        let cpus = cpus.iter().cycle().take(writers);
        let writers = cpus.enumerate().map(|(number, &cpu)| Writer {
            number,
            cpu,
            task: shared.task(),
        });
        let crew = shared.begin(workers, side, writers.collect())?;
        Ok(Self {
            crew,
            shared,
            written: 0,
        })
    }

    fn round(&mut self, iterations: u64, writers: usize) -> anyhow::Result<Spent> {
        let (spent, done) = Spent::by(|| self.crew.round(iterations));
        done?;
        self.written += iterations * writers as u64;
        let sum = self.shared.sum()?;
        ensure!(
            sum == self.written,
            "{writers} writers wrote {} times, and {sum} is what came of it",
            self.written
        );
        Ok(spent)
    }
}

fn measure_all<S: Shared, M: Metric>(
    suite: &mut Suite<'_, M>,
    group: &str,
    ways: &[(S::Way, &str)],
) -> anyhow::Result<()> {
    let (workers, cpus) = (suite.workers, suite.cpus.clone());
    let mut group = suite.group(group);
    for &(way, name) in ways {
        for writers in WRITERS {
            for side in Side::BOTH {
                let id = BenchmarkId::new(format!("{}-{name}", side.name()), writers);
                measure_one(&mut group, id, writers, || {
                    Running::<S>::begin(workers, &cpus, way, side, writers)
                })?;
            }
        }
    }
    group.finish();
    Ok(())
}

fn measure_one<'a, S: Shared, M: Metric>(
    group: &mut BenchmarkGroup<'_, M>,
    id: BenchmarkId,
    writers: usize,
    begin: impl Fn() -> anyhow::Result<Running<'a, S>>,
) -> anyhow::Result<()> {
    let mut running = None;
    fallible::iter_custom(group, id, |iterations| {
        let running = match &mut running {
            Some(running) => running,
            none => none.insert(begin()?),
        };
        running.round(iterations, writers)
    })?;
    // Nobody, where it was not asked for.
    running.map_or(Ok(()), |running| running.crew.end())
}

struct Share;

impl Bench for Share {
    type Job = Writer;

    fn measure<M: Metric>(suite: &mut Suite<'_, M>) -> anyhow::Result<()> {
        measure_all::<counter::Counter, M>(suite, "share-counter", &counter::WAYS)?;
        measure_all::<sessions::Sessions, M>(suite, "share-sessions", &sessions::WAYS)
    }
}

fn main() -> ExitCode {
    suite::run::<Share>()
}
