//! A counter that all writers raise.

use std::{
    hint::black_box,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use anyhow::Context;
use benches::tools::{
    crew::{Crew, Place},
    fork_server::{Side, Workers},
    mutex::{Among, Mutex},
    shared_memory::{LINE, SharedMemory},
};
use serde::{Deserialize, Serialize};

use crate::{Shared, Writer};

/// How the counter is kept whole.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Way {
    /// One word, raised by one instruction.
    Atomic,
    /// A plain word behind a mutex in the same line.
    Mutex,
    /// A word for each writer, in lines of its own: whoever reads them sums them up.
    Sharded,
}

pub const WAYS: [(Way, &str); 3] = [
    (Way::Atomic, "atomic"),
    (Way::Mutex, "mutex"),
    (Way::Sharded, "sharded"),
];

/// Words from one line to the next.
const STRIDE: usize = LINE / size_of::<u64>();

/// In the first line, beside the mutex, which has the first word.
const BEHIND_MUTEX: usize = 1;

/// The counter, from the bench's side.
pub struct Counter {
    memory: Arc<SharedMemory>,
    way: Way,
    among: Among,
}

/// What a writer knows of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Task {
    way: Way,
    among: Among,
    /// The bench's own mapping, which only its threads can have.
    #[serde(skip)]
    memory: Option<Arc<SharedMemory>>,
}

impl Shared for Counter {
    type Way = Way;

    fn make(way: Way, side: Side, writers: usize) -> anyhow::Result<Self> {
        Ok(Self {
            memory: Arc::new(SharedMemory::new(writers * LINE)?),
            way,
            among: match side {
                Side::Thread => Among::Threads,
                Side::Process => Among::Processes,
            },
        })
    }

    fn task(&self) -> crate::Task {
        crate::Task::Count(Task {
            way: self.way,
            among: self.among,
            memory: Some(self.memory.clone()),
        })
    }

    fn begin<'a>(
        &self,
        workers: Workers<'a>,
        side: Side,
        writers: Vec<Writer>,
    ) -> anyhow::Result<Crew<'a>> {
        Crew::begin(workers, side, writers, &[self.memory.as_fd()])
    }

    fn sum(&self) -> anyhow::Result<u64> {
        let words = self.memory.words();
        Ok(match self.way {
            Way::Atomic => words[0].load(Relaxed),
            Way::Mutex => words[BEHIND_MUTEX].load(Relaxed),
            Way::Sharded => words
                .iter()
                .step_by(STRIDE)
                .map(|word| word.load(Relaxed))
                .sum(),
        })
    }
}

impl Task {
    /// Raise it as often as is asked.
    pub fn run(
        self,
        place: &Place,
        number: usize,
        descriptor: Option<OwnedFd>,
    ) -> anyhow::Result<()> {
        let memory = match self.memory {
            Some(own) => own,
            None => Arc::new(SharedMemory::open(
                descriptor.context("a writer lacks the descriptor of its counter")?,
            )?),
        };
        let words = memory.words();
        match self.way {
            Way::Atomic => repeat(place, || {
                black_box(&words[0]).fetch_add(1, Relaxed);
            }),
            Way::Mutex => {
                let mutex = Mutex::new(&memory.futexes()[0], self.among);
                let counter = &words[BEHIND_MUTEX];
                repeat(place, || {
                    let _taken = mutex.take();
                    counter.store(counter.load(Relaxed) + 1, Relaxed);
                })
            }
            Way::Sharded => {
                let own = &words[number * STRIDE];
                // Nobody else writes there, so it takes no instruction that keeps others out.
                repeat(place, || {
                    let own = black_box(own);
                    own.store(own.load(Relaxed) + 1, Relaxed);
                })
            }
        }
    }
}

fn repeat(place: &Place, mut raise: impl FnMut()) -> anyhow::Result<()> {
    place.work(|count| {
        (0..count).for_each(|_| raise());
        Ok(())
    })
}
