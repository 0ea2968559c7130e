//! Sessions in memory that workers share: tables of fixed size with open addressing, each behind a mutex.
//!
//! # What lies where
//! First the mutexes, each in lines of its own; then the names of all shards, 0 where a place is empty; then
//! the values, each in a line of a cache. A session's name says which shard it is in and where its search
//! begins there, and the search goes on to the next place, around the shard's end. Nothing is ever removed.
//!
//! Names and values are only read and written by who has the mutex of their shard. They are atomics so that
//! a mistake there is a wrong number, and seen, instead of anything else.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

use anyhow::{bail, ensure};

use super::{
    mutex::{Among, Mutex},
    session::{self, Value},
    shared_memory::{LINE, SharedMemory},
};

/// Places of all shards together: as many as are searched quickly with 10,000 sessions in them.
const PLACES: usize = 1 << 14;

const VALUE_WORDS: usize = session::BYTES / size_of::<u64>();

/// The sessions, in one shard or several.
#[derive(Debug)]
pub struct SessionTable {
    memory: SharedMemory,
    shards: usize,
    among: Among,
}

impl SessionTable {
    /// An empty one with `shards` shards, a power of two.
    ///
    /// # Errors
    /// The kernel has no memory.
    pub fn new(shards: usize, among: Among) -> anyhow::Result<Self> {
        ensure!(
            shards.is_power_of_two() && shards <= PLACES,
            "a table cannot have {shards} shards; choose a power of two up to {PLACES}"
        );
        let memory = SharedMemory::new(Self::bytes(shards))?;
        Ok(Self {
            memory,
            shards,
            among,
        })
    }

    /// What another process has made.
    ///
    /// # Errors
    /// The descriptor is of something else, or the kernel has no memory.
    pub fn open(descriptor: OwnedFd) -> anyhow::Result<Self> {
        let memory = SharedMemory::open(descriptor)?;
        let shards = memory.bytes().saturating_sub(Self::bytes(0)) / LINE;
        ensure!(
            shards.is_power_of_two() && memory.bytes() == Self::bytes(shards),
            "{} bytes of memory are no table of sessions",
            memory.bytes()
        );
        Ok(Self {
            memory,
            shards,
            among: Among::Processes,
        })
    }

    const fn bytes(shards: usize) -> usize {
        shards * LINE + PLACES * (size_of::<u64>() + session::BYTES)
    }

    /// Put a session without visits in. It was not in before.
    ///
    /// # Errors
    /// Its shard is full.
    pub fn insert(&self, name: u64) -> anyhow::Result<()> {
        ensure!(name != 0, "a session cannot have the name 0");
        let shard = self.shard_of(name);
        let _taken = self.mutex(shard).take();
        for place in self.search(shard, name) {
            let kept = &self.names()[place];
            if kept.load(Relaxed) == 0 {
                kept.store(name, Relaxed);
                self.write(place, &session::value(name, 0));
                return Ok(());
            }
        }
        bail!(
            "shard {shard} of {} has no place left for session {name:016x}",
            self.shards
        )
    }

    /// Read a session and write it back with one visit more. Its visits now.
    ///
    /// # Errors
    /// It is not there, or it is damaged.
    pub fn visit(&self, name: u64) -> anyhow::Result<u64> {
        let shard = self.shard_of(name);
        let _taken = self.mutex(shard).take();
        for place in self.search(shard, name) {
            match self.names()[place].load(Relaxed) {
                0 => break,
                kept if kept == name => {
                    let visits = session::visits(name, &self.read(place))? + 1;
                    self.write(place, &session::value(name, visits));
                    return Ok(visits);
                }
                _ => {}
            }
        }
        bail!("session {name:016x} is not in the table")
    }

    /// The visits to all sessions together.
    ///
    /// # Errors
    /// One is damaged.
    pub fn visits(&self) -> anyhow::Result<u64> {
        let mut sum = 0;
        for shard in 0..self.shards {
            let _taken = self.mutex(shard).take();
            for place in self.search(shard, 0) {
                let name = self.names()[place].load(Relaxed);
                if name != 0 {
                    sum += session::visits(name, &self.read(place))?;
                }
            }
        }
        Ok(sum)
    }

    /// By the upper half of a name, as the lower says where the search begins.
    fn shard_of(&self, name: u64) -> usize {
        // Cut to the number of shards.
        #[allow(clippy::cast_possible_truncation)]
        let upper = (name >> 32) as usize;
        upper & (self.shards - 1)
    }

    /// The places of a shard, from where a name may be on.
    fn search(&self, shard: usize, name: u64) -> impl Iterator<Item = usize> + use<> {
        let places = PLACES / self.shards;
        // Cut to the number of places.
        #[allow(clippy::cast_possible_truncation)]
        let first = name as usize;
        (0..places).map(move |step| shard * places + (first.wrapping_add(step) & (places - 1)))
    }

    fn mutex(&self, shard: usize) -> Mutex<'_> {
        let word = &self.memory.futexes()[shard * (LINE / size_of::<AtomicU32>())];
        Mutex::new(word, self.among)
    }

    fn names(&self) -> &[AtomicU64] {
        &self.memory.words()[self.shards * (LINE / size_of::<AtomicU64>())..][..PLACES]
    }

    fn kept(&self, place: usize) -> &[AtomicU64] {
        let values = self.shards * (LINE / size_of::<AtomicU64>()) + PLACES;
        &self.memory.words()[values + place * VALUE_WORDS..][..VALUE_WORDS]
    }

    fn read(&self, place: usize) -> Value {
        let kept = self.kept(place);
        std::array::from_fn(|word| kept[word].load(Relaxed))
    }

    fn write(&self, place: usize, value: &Value) {
        for (kept, word) in self.kept(place).iter().zip(value) {
            kept.store(*word, Relaxed);
        }
    }
}

impl AsFd for SessionTable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}
