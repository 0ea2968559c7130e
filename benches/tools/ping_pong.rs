//! Ping-pong: how long until another worker runs, and answers, whatever wakes it.
//!
//! # Order of events
//! The worker waits on its CPU. The bench wakes it and waits; the worker wakes the bench and waits again:
//! one round trip is two wake-ups and two switches. At the end the bench says that it is over, and the worker
//! ends.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use anyhow::{Context, ensure};
use criterion::{BenchmarkGroup, BenchmarkId};
use rustix::{
    event::{EventfdFlags, eventfd},
    fd::{AsFd, OwnedFd},
    io::{Errno, read, write},
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    pipe::{PipeFlags, pipe_with},
    thread::futex,
};
use serde::{Deserialize, Serialize};

use super::{
    cpus::{Pin, stay_on},
    fallible::{self, or_unwind},
    fork_server::{Job, Side, Workers},
    metric::Metric,
    shared_memory::SharedMemory,
};

const PING: u64 = 1;
const STOP: u64 = 2;

/// What wakes the other side.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Means {
    /// A pipe each way.
    Pipe,
    /// A pair of Unix stream sockets.
    SocketPair,
    /// An eventfd each way.
    Eventfd,
    /// A word in shared memory that says whose turn it is.
    Futex,
}

impl Means {
    /// All, with their names.
    pub const ALL: [(Self, &str); 4] = [
        (Self::Pipe, "pipe"),
        (Self::SocketPair, "socket-pair"),
        (Self::Eventfd, "eventfd"),
        (Self::Futex, "futex"),
    ];
}

/// The side that answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pong {
    means: Means,
    cpu: usize,
}

impl Job for Pong {
    fn run(self, descriptors: Vec<OwnedFd>) -> anyhow::Result<()> {
        stay_on(self.cpu)?;
        let mut descriptors = descriptors.into_iter();
        let mut next = || descriptors.next().context("a descriptor is missing");
        if let Means::Futex = self.means {
            let memory = SharedMemory::open(next()?)?;
            answer_by_futex(&memory.futexes()[0])
        } else {
            let line = Line {
                hears: next()?,
                says: next()?,
            };
            while line.hear()? != STOP {
                line.say(PING)?;
            }
            Ok(())
        }
    }
}

/// Two descriptors: words of 8 bytes go out over one and come in over the other.
struct Line {
    hears: OwnedFd,
    says: OwnedFd,
}

impl Line {
    fn both_ends(means: Means) -> anyhow::Result<(Self, Self)> {
        let made = match means {
            Means::SocketPair => {
                let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
                let (here, there) = socketpair(family, kind, SocketFlags::CLOEXEC, None)?;
                let own = Self {
                    hears: here.try_clone()?,
                    says: here,
                };
                let other = Self {
                    hears: there.try_clone()?,
                    says: there,
                };
                return Ok((own, other));
            }
            Means::Eventfd => {
                let bell = || eventfd(0, EventfdFlags::CLOEXEC);
                let (one, other) = (bell()?, bell()?);
                let copies = (one.try_clone()?, other.try_clone()?);
                ((copies.0, one), (copies.1, other))
            }
            _ => (
                pipe_with(PipeFlags::CLOEXEC)?,
                pipe_with(PipeFlags::CLOEXEC)?,
            ),
        };
        let ((hears, their_says), (their_hears, says)) = made;
        let other = Self {
            hears: their_hears,
            says: their_says,
        };
        Ok((Self { hears, says }, other))
    }

    fn say(&self, word: u64) -> Result<(), Errno> {
        write(&self.says, &word.to_ne_bytes()).map(drop)
    }

    fn hear(&self) -> Result<u64, Errno> {
        let mut word = [0; 8];
        read(&self.hears, &mut word).map(|_| u64::from_ne_bytes(word))
    }
}

/// Whose turn it is.
const HERE: u32 = 0;
const THERE: u32 = 1;
const OVER: u32 = 2;

/// Wait until it is not `whose` turn any more. Whose it then is.
fn wait_while(turn: &AtomicU32, whose: u32) -> anyhow::Result<u32> {
    loop {
        let now = turn.load(SeqCst);
        if now != whose {
            return Ok(now);
        }
        match futex::wait(turn, futex::Flags::empty(), whose, None) {
            Ok(()) | Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn give(turn: &AtomicU32, whose: u32) -> anyhow::Result<()> {
    turn.store(whose, SeqCst);
    futex::wake(turn, futex::Flags::empty(), 1)?;
    Ok(())
}

fn answer_by_futex(turn: &AtomicU32) -> anyhow::Result<()> {
    while wait_while(turn, HERE)? == THERE {
        give(turn, HERE)?;
    }
    Ok(())
}

/// Measure a round trip between this thread on CPU `here` and a worker of `side` on CPU `there`.
///
/// # Errors
/// There is no worker to be had, it failed, or a CPU may not be used.
pub fn play<M: Metric>(
    group: &mut BenchmarkGroup<'_, M>,
    workers: Workers<'_>,
    id: BenchmarkId,
    (side, means): (Side, Means),
    (here, there): (usize, usize),
) -> anyhow::Result<()> {
    let pong = Pong { means, cpu: there };
    if let Means::Futex = means {
        let memory = SharedMemory::new(4096)?;
        let worker = workers.begin(side, pong, &[memory.as_fd()])?;
        let turn = &memory.futexes()[0];
        by_turns(group, id, here, || {
            give(turn, THERE)?;
            wait_while(turn, THERE).map(drop)
        })?;
        give(turn, OVER)?;
        worker.finish()
    } else {
        let (own, other) = Line::both_ends(means)?;
        let descriptors = [other.hears.as_fd(), other.says.as_fd()];
        let worker = workers.begin(side, pong, &descriptors)?;
        by_turns(group, id, here, || {
            own.say(PING)?;
            ensure!(own.hear()? == PING, "the worker answered something else");
            Ok(())
        })?;
        own.say(STOP)?;
        worker.finish()
    }
}

/// Measure a round trip with this thread on its CPU.
///
/// # Errors
/// A round trip failed, or the CPU may not be used.
pub fn by_turns<M: Metric>(
    group: &mut BenchmarkGroup<'_, M>,
    id: BenchmarkId,
    cpu: usize,
    mut round_trip: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    fallible::caught(|| {
        group.bench_function(id, |bencher| {
            let _pin = or_unwind(Pin::to(cpu));
            bencher.iter(|| or_unwind(round_trip()));
        });
    })
}
