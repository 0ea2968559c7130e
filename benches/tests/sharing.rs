//! What several workers share, in threads and in processes forked from this very program, which has one
//! thread for that reason, and so no test harness but the loop in `main`.

use std::{
    collections::HashSet,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, atomic::Ordering::Relaxed},
    thread::yield_now,
};

use anyhow::{Context, bail};
use benches::tools::{
    crew::{Crew, Place},
    fork_server::{ForkServer, Job, Side},
    mutex::{Among, Mutex},
    session::{self, SESSIONS, Visitors, name},
    session_table::SessionTable,
    shared_memory::{LINE, SharedMemory},
};
use nix::unistd::alarm;
use serde::{Deserialize, Serialize};

/// No test takes longer, on any machine.
const PATIENCE_S: u32 = 120;

const WORKERS: u64 = 4;

/// What is claimed of both sides, and the test of it.
type Test = (&'static str, fn(&ForkServer, Side));

const TESTS: [Test; 6] = [
    (
        "one worker at a time has a mutex, and none waits for ever",
        one_worker_at_a_time_has_a_mutex_and_none_waits_for_ever,
    ),
    (
        "no visit to a session is lost, in one shard or in many",
        no_visit_to_a_session_is_lost_in_one_shard_or_in_many,
    ),
    (
        "a table says which session it does not have, and when it is full",
        a_table_says_which_session_it_does_not_have_and_when_it_is_full,
    ),
    (
        "a value that is not of its session is told",
        a_value_that_is_not_of_its_session_is_told,
    ),
    (
        "a crew does each round as often as it is told, and then ends",
        a_crew_does_each_round_as_often_as_it_is_told_and_then_ends,
    ),
    (
        "a worker that fails ends the wait for its crew with its reason",
        a_worker_that_fails_ends_the_wait_for_its_crew_with_its_reason,
    ),
];

fn main() {
    let server = ForkServer::start::<Work>().unwrap();
    for (name, test) in TESTS {
        for side in Side::BOTH {
            // A test whose event never comes is ended by this, and its workers with it.
            alarm::set(PATIENCE_S);
            test(&server, side);
            println!("test {name} ({}) ... ok", side.name());
        }
    }
}

/// What a worker of these tests does.
#[derive(Debug, Serialize, Deserialize)]
enum Work {
    /// Raise a plain word behind a mutex, which sees whether it is alone there.
    Raise {
        among: Among,
        #[serde(skip)]
        memory: Option<Arc<SharedMemory>>,
    },
    /// Visit sessions.
    Visit {
        number: u64,
        #[serde(skip)]
        table: Option<Arc<SessionTable>>,
    },
    /// End in the second round, with an error.
    Fail,
}

/// In one line: the mutex, who is behind it, what is counted.
const INSIDE: usize = 1;
const COUNTED: usize = 2;

impl Job for Work {
    fn run(self, descriptors: Vec<OwnedFd>) -> anyhow::Result<()> {
        let mut descriptors = descriptors.into_iter();
        let place = Place::take(&mut descriptors)?;
        let mut descriptor = || descriptors.next().context("a descriptor is missing");
        match self {
            Self::Raise { among, memory } => {
                let memory = match memory {
                    Some(memory) => memory,
                    None => Arc::new(SharedMemory::open(descriptor()?)?),
                };
                let mutex = Mutex::new(&memory.futexes()[0], among);
                let words = memory.words();
                place.work(|count| {
                    for step in 0..count {
                        let _taken = mutex.take();
                        assert_eq!(words[INSIDE].swap(1, Relaxed), 0);
                        let counted = words[COUNTED].load(Relaxed);
                        // Let others come, and find it taken, now and then.
                        if step % 64 == 0 {
                            yield_now();
                        }
                        words[COUNTED].store(counted + 1, Relaxed);
                        assert_eq!(words[INSIDE].swap(0, Relaxed), 1);
                    }
                    Ok(())
                })
            }
            Self::Visit { number, table } => {
                let table = match table {
                    Some(table) => table,
                    None => Arc::new(SessionTable::open(descriptor()?)?),
                };
                let mut visitors = Visitors::of(number);
                place.work(|count| {
                    (0..count).try_for_each(|_| table.visit(visitors.next_name()).map(drop))
                })
            }
            Self::Fail => {
                let mut round = 0;
                place.work(|_| {
                    round += 1;
                    if round == 2 {
                        bail!("out of paper");
                    }
                    Ok(())
                })
            }
        }
    }
}

fn among(side: Side) -> Among {
    match side {
        Side::Thread => Among::Threads,
        Side::Process => Among::Processes,
    }
}

fn raisers<'a>(server: &'a ForkServer, side: Side, memory: &Arc<SharedMemory>) -> Crew<'a> {
    let work = || Work::Raise {
        among: among(side),
        memory: Some(memory.clone()),
    };
    let work = (0..WORKERS).map(|_| work()).collect();
    Crew::begin(server.workers(), side, work, &[memory.as_fd()]).unwrap()
}

fn one_worker_at_a_time_has_a_mutex_and_none_waits_for_ever(server: &ForkServer, side: Side) {
    let memory = Arc::new(SharedMemory::new(LINE).unwrap());
    let mut crew = raisers(server, side, &memory);
    crew.round(20_000).unwrap();
    assert_eq!(memory.words()[COUNTED].load(Relaxed), WORKERS * 20_000);
    crew.end().unwrap();
    // It is given back.
    assert_eq!(memory.futexes()[0].load(Relaxed), 0);
}

fn full_table(shards: usize, side: Side) -> SessionTable {
    let table = SessionTable::new(shards, among(side)).unwrap();
    for number in 0..SESSIONS {
        table.insert(name(number)).unwrap();
    }
    table
}

fn no_visit_to_a_session_is_lost_in_one_shard_or_in_many(server: &ForkServer, side: Side) {
    for shards in [1, 64] {
        let table = Arc::new(full_table(shards, side));
        let work = |number| Work::Visit {
            number,
            table: Some(table.clone()),
        };
        let work = (0..WORKERS).map(work).collect();
        let mut crew = Crew::begin(server.workers(), side, work, &[table.as_fd()]).unwrap();
        for round in 1..=3 {
            crew.round(20_000).unwrap();
            assert_eq!(table.visits().unwrap(), round * WORKERS * 20_000);
        }
        crew.end().unwrap();
        // Everybody else's visits were to the sessions that their generators name.
        let mut visits = 1;
        for writer in 0..WORKERS {
            let mut visitors = Visitors::of(writer);
            let names = (0..60_000).map(|_| visitors.next_name());
            visits += names.filter(|&one| one == name(7)).count() as u64;
        }
        assert_eq!(table.visit(name(7)).unwrap(), visits);
    }
}

fn a_table_says_which_session_it_does_not_have_and_when_it_is_full(_: &ForkServer, side: Side) {
    let table = full_table(64, side);
    let names: HashSet<u64> = (0..SESSIONS).map(name).collect();
    assert_eq!(names.len(), SESSIONS as usize);
    let stranger = name(SESSIONS);
    let error = table.visit(stranger).unwrap_err().to_string();
    assert!(error.contains(&format!("{stranger:016x}")), "{error}");
    let refused = (SESSIONS..1 << 15).find_map(|number| table.insert(name(number)).err());
    let error = refused.unwrap().to_string();
    assert!(error.contains("has no place left"), "{error}");
    // A search in a shard without an empty place ends, and those that are in are still found.
    assert!((1 << 15..1 << 16).all(|number| table.visit(name(number)).is_err()));
    assert!((0..SESSIONS).all(|number| table.visit(name(number)).unwrap() == 1));
    assert!(SessionTable::new(3, among(side)).is_err());
}

fn a_value_that_is_not_of_its_session_is_told(_: &ForkServer, _: Side) {
    let mut value = session::value(name(1), 5);
    assert_eq!(session::visits(name(1), &value).unwrap(), 5);
    assert!(session::visits(name(2), &value).is_err());
    value[7] = session::value(name(1), 6)[7];
    let error = session::visits(name(1), &value).unwrap_err().to_string();
    assert!(error.contains("is damaged after 5 visits"), "{error}");
}

fn a_crew_does_each_round_as_often_as_it_is_told_and_then_ends(server: &ForkServer, side: Side) {
    let memory = Arc::new(SharedMemory::new(LINE).unwrap());
    let mut crew = raisers(server, side, &memory);
    let mut told = 0;
    for round in 0..500 {
        let count = 1 + round % 3;
        crew.round(count).unwrap();
        told += WORKERS * count;
        assert_eq!(memory.words()[COUNTED].load(Relaxed), told);
    }
    crew.end().unwrap();
}

fn a_worker_that_fails_ends_the_wait_for_its_crew_with_its_reason(server: &ForkServer, side: Side) {
    let memory = Arc::new(SharedMemory::new(LINE).unwrap());
    let work = || Work::Raise {
        among: among(side),
        memory: Some(memory.clone()),
    };
    let work = vec![work(), Work::Fail, work()];
    let mut crew = Crew::begin(server.workers(), side, work, &[memory.as_fd()]).unwrap();
    crew.round(1).unwrap();
    let error = format!("{:#}", crew.round(1).unwrap_err());
    let reason = match side {
        Side::Thread => "a worker failed: out of paper",
        // It has said the reason itself.
        Side::Process => "ended with 1; see what it said",
    };
    assert!(error.contains(reason), "{error}");
}
