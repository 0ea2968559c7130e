//! How long until another worker runs, and answers: ping-pong of a thread with a thread, and of a process
//! with a process, on one CPU and on two.
//!
//! Each benchmark is a whole round trip: two wake-ups, two switches.

use std::{
    process::ExitCode,
    sync::{
        atomic::{AtomicU32, Ordering::SeqCst},
        mpsc,
    },
    thread,
};

use anyhow::{Context, ensure};
use benches::tools::{
    cpus::{Pin, stay_on},
    fork_server::{Job, Side},
    metric::Metric,
    shared_memory::SharedMemory,
    suite::{self, Bench, Suite},
};
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

const PING: u64 = 1;
const STOP: u64 = 2;

/// What wakes the other side.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Means {
    Pipe,
    SocketPair,
    Eventfd,
    Futex,
}

impl Means {
    const ALL: [(Self, &str); 4] = [
        (Self::Pipe, "pipe"),
        (Self::SocketPair, "socket-pair"),
        (Self::Eventfd, "eventfd"),
        (Self::Futex, "futex"),
    ];
}

/// The side that answers.
#[derive(Debug, Serialize, Deserialize)]
struct Pong {
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

struct Switch;

impl Bench for Switch {
    type Job = Pong;

    fn measure<M: Metric>(suite: &mut Suite<'_, M>) -> anyhow::Result<()> {
        let here = suite.cpus[0];
        let mut places = vec![("one-cpu", here)];
        places.extend(suite.cpus.get(1).map(|&other| ("two-cpus", other)));
        let workers = suite.workers;
        let mut group = suite.group("switch");
        for (place, there) in places {
            for (means, name) in Means::ALL {
                for side in Side::BOTH {
                    let id = BenchmarkId::new(format!("{}-{name}", side.name()), place);
                    let pong = || Pong { means, cpu: there };
                    if let Means::Futex = means {
                        let memory = SharedMemory::new(4096)?;
                        let worker = workers.begin(side, pong(), &[memory.as_fd()])?;
                        let turn = &memory.futexes()[0];
                        by_turns(&mut group, id, here, || {
                            give(turn, THERE)?;
                            wait_while(turn, THERE).map(drop)
                        })?;
                        give(turn, OVER)?;
                        worker.finish()?;
                    } else {
                        let (own, other) = Line::both_ends(means)?;
                        let descriptors = [other.hears.as_fd(), other.says.as_fd()];
                        let worker = workers.begin(side, pong(), &descriptors)?;
                        by_turns(&mut group, id, here, || {
                            own.say(PING)?;
                            ensure!(own.hear()? == PING, "the worker answered something else");
                            Ok(())
                        })?;
                        own.say(STOP)?;
                        worker.finish()?;
                    }
                }
            }
            by_channel(&mut group, place, here, there)?;
        }
        group.finish();
        Ok(())
    }
}

/// A channel of the standard library: threads only, as what it carries lies in their common memory.
fn by_channel<M: Metric>(
    group: &mut BenchmarkGroup<'_, M>,
    place: &str,
    here: usize,
    there: usize,
) -> anyhow::Result<()> {
    let (there_says, here_hears) = mpsc::channel::<()>();
    let (here_says, there_hears) = mpsc::channel::<()>();
    let answering = thread::spawn(move || {
        stay_on(there)?;
        // Until the other side is dropped.
        while there_hears.recv().is_ok() && there_says.send(()).is_ok() {}
        anyhow::Ok(())
    });
    by_turns(
        group,
        BenchmarkId::new("thread-channel", place),
        here,
        || {
            here_says.send(())?;
            Ok(here_hears.recv()?)
        },
    )?;
    drop(here_says);
    answering
        .join()
        .map_err(|_| anyhow::anyhow!("a thread panicked; see above"))?
}

/// Measure a round trip with this thread on its CPU.
fn by_turns<M: Metric>(
    group: &mut BenchmarkGroup<'_, M>,
    id: BenchmarkId,
    cpu: usize,
    mut round_trip: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut failure = None;
    group.bench_function(id, |bencher| {
        let pin = Pin::to(cpu);
        bencher.iter(|| {
            if failure.is_none() {
                failure = round_trip().err();
            }
        });
        failure = failure.take().or_else(|| pin.err());
    });
    failure.map_or(Ok(()), Err)
}

fn main() -> ExitCode {
    suite::run::<Switch>()
}
