//! What does it take to make a worker: a thread, or a process in each of the ways there are, by a process
//! with little memory or much?
//!
//! One iteration makes one worker, which leaves the time at which it began in shared memory and ends, and
//! waits until it has ended. Who makes it is a process of its own with one thread, which has written to so
//! much private memory before (the parameter), in pages of 4 KiB: with huge pages it would have fewer
//! entries in its page table, and a fork would be much cheaper. It does not write to that memory again: the
//! copies of pages that this would cost after a fork are not in the figure. Nobody is pinned.
//!
//! - `spawn-first-instruction`: from the call until the worker's first instruction, which is to read the
//!   clock. By the clock only.
//! - `spawn-reaped`: until the worker has ended and was waited for (a thread: joined). The CPU time is that
//!   of the maker and of the worker, and of the template.
//!
//! The ways:
//! - `thread`: a thread of the standard library, with a stack of its usual size.
//! - `process-fork`: the worker is a copy.
//! - `process-fork-exec`: the copy becomes this program anew. Its first instruction is the first one of
//!   `main`: the loader and the standard library's own start come before. The environment is empty.
//! - `process-posix-spawn`: the same, over a call that copies no page table: the maker waits in it until the
//!   new program has taken the place of its own.
//! - `process-warm-clone`: a template, forked before the memory was touched, with all that a worker needs, is
//!   asked over a pair of sockets and forks the worker, waits for it, and answers. So do zygotes, php-fpm, and
//!   Unicorn with a preloaded application.

use std::{
    env,
    ffi::{CStr, CString},
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    process::ExitCode,
    sync::{Arc, atomic::Ordering::SeqCst},
    thread,
    time::Duration,
};

use anyhow::{Context, ensure};
use benches::tools::{
    dialogue::{self, Dialogue},
    fallible,
    fork_server::{Job, Workers},
    forking::{self, fork_to, reap, spent_by},
    metric::{Metric, Spent},
    packet,
    private_memory::PrivateMemory,
    shared_memory::SharedMemory,
    suite::{self, Bench, Suite},
};
use criterion::BenchmarkId;
use nix::{
    spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn},
    time::{ClockId, clock_gettime},
    unistd::execve,
};
use rustix::io::{FdFlags, fcntl_setfd, read, write};
use serde::{Deserialize, Serialize};
use servers::cluster::fork::{ForkError, Forked, Sole, fork_worker};

/// What the program is told first where it is a worker of its own; the descriptor of the stamp comes next.
const AS_WORKER: &CStr = c"--as-spawned-worker";

/// This program, also where its file was replaced or deleted meanwhile.
const PROGRAM: &CStr = c"/proc/self/exe";

const MEBIBYTES: [usize; 3] = [0, 64, 512];

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Way {
    Fork,
    ForkExec,
    PosixSpawn,
    WarmClone,
    Thread,
}

impl Way {
    /// Threads come last: what the first one leaves behind (a stack, an arena of the allocator) would be
    /// there to copy for every fork that follows.
    const ALL: [(Self, &str); 5] = [
        (Self::Fork, "process-fork"),
        (Self::ForkExec, "process-fork-exec"),
        (Self::PosixSpawn, "process-posix-spawn"),
        (Self::WarmClone, "process-warm-clone"),
        (Self::Thread, "thread"),
    ];
}

#[derive(Debug, Serialize, Deserialize)]
struct Question {
    way: Way,
    workers: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    until_first_instruction: Duration,
    until_reaped: Spent,
}

/// What the clock says that all processes of the machine share.
fn now() -> anyhow::Result<Duration> {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).context("cannot read the clock")?;
    Ok(time.into())
}

/// Where a worker leaves the time at which it began. 0: it has not.
#[derive(Clone, Debug)]
struct Stamp(Arc<SharedMemory>);

impl Stamp {
    fn new() -> anyhow::Result<Self> {
        let memory = SharedMemory::new(4096).context("cannot share memory with workers")?;
        Ok(Self(Arc::new(memory)))
    }

    /// The worker's part. The clock is read first.
    fn leave(&self) -> anyhow::Result<()> {
        self.leave_as(now()?)
    }

    fn leave_as(&self, began: Duration) -> anyhow::Result<()> {
        self.0.words()[0].store(u64::try_from(began.as_nanos())?, SeqCst);
        Ok(())
    }

    fn take(&self) -> Duration {
        Duration::from_nanos(self.0.words()[0].swap(0, SeqCst))
    }
}

/// The process that makes workers.
#[derive(Debug, Serialize, Deserialize)]
struct Maker {
    mebibytes: usize,
}

impl Job for Maker {
    fn run(self, descriptors: Vec<OwnedFd>) -> anyhow::Result<()> {
        let sole = Sole::check()?;
        let socket = dialogue::socket(descriptors)?;
        let stamp = Stamp::new()?;
        let (asks, answers) = packet::pair()?;
        match fork_worker(&sole) {
            Ok(Forked::Primary(_)) => drop(answers),
            Ok(Forked::Worker) => {
                drop((asks, socket));
                return be_template(&sole, &answers, &stamp);
            }
            // The maker has failed, and told why.
            Err(ForkError::Orphaned(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let _memory = PrivateMemory::touched(self.mebibytes)?;
        let ways = Ways {
            program: Program::new(&stamp)?,
            template: asks,
            stamp,
            sole,
        };
        dialogue::answer(&socket, |question| ways.measure(&question))
    }
}

/// What the ways to make a worker need, at hand before one is made.
struct Ways {
    sole: Sole,
    stamp: Stamp,
    program: Program,
    template: OwnedFd,
}

impl Ways {
    fn measure(&self, question: &Question) -> anyhow::Result<Answer> {
        let mut until_first_instruction = Duration::ZERO;
        let of_template = self.used_by_template()?;
        let mut until_reaped = spent_by(|| {
            for _ in 0..question.workers {
                let called = now()?;
                self.make_and_reap(question.way)?;
                let began = self.stamp.take();
                ensure!(
                    began >= called,
                    "a worker left the time {began:?}, and was made at {called:?}"
                );
                until_first_instruction += began.saturating_sub(called);
            }
            Ok(())
        })?;
        until_reaped.cpu += self.used_by_template()?.saturating_sub(of_template);
        Ok(Answer {
            until_first_instruction,
            until_reaped,
        })
    }

    fn make_and_reap(&self, way: Way) -> anyhow::Result<()> {
        let worker = match way {
            Way::Thread => {
                let stamp = self.stamp.clone();
                let thread = thread::Builder::new().spawn(move || stamp.leave());
                let joined = thread.context("cannot start a thread")?.join();
                return joined.map_err(|_| anyhow::anyhow!("a thread panicked; see above"))?;
            }
            Way::WarmClone => {
                ask_template(&self.template, MAKE)?;
                return Ok(());
            }
            Way::Fork => fork_to(&self.sole, || self.stamp.leave())?,
            Way::ForkExec => fork_to(&self.sole, || self.program.become_it())?,
            Way::PosixSpawn => self.program.spawn()?,
        };
        reap(worker)
    }

    fn used_by_template(&self) -> anyhow::Result<Duration> {
        ask_template(&self.template, TELL).map(Duration::from_nanos)
    }
}

/// This program, as a worker of its own.
struct Program {
    arguments: [CString; 3],
    file_actions: PosixSpawnFileActions,
    attributes: PosixSpawnAttr,
}

impl Program {
    /// Workers inherit the stamp's descriptor.
    fn new(stamp: &Stamp) -> anyhow::Result<Self> {
        let descriptor = stamp.0.as_fd();
        fcntl_setfd(descriptor, FdFlags::empty()).context("cannot pass a descriptor on")?;
        let number = CString::new(descriptor.as_raw_fd().to_string())?;
        Ok(Self {
            arguments: [c"spawned-worker".into(), AS_WORKER.into(), number],
            file_actions: PosixSpawnFileActions::init()?,
            attributes: PosixSpawnAttr::init()?,
        })
    }

    fn become_it(&self) -> anyhow::Result<()> {
        let Err(error) = execve::<_, &CStr>(PROGRAM, &self.arguments, &[]);
        Err(error).context("cannot execute this program anew; mount /proc")
    }

    fn spawn(&self) -> anyhow::Result<nix::unistd::Pid> {
        let (actions, attributes) = (&self.file_actions, &self.attributes);
        posix_spawn::<_, _, &CStr>(PROGRAM, actions, attributes, &self.arguments, &[])
            .context("cannot spawn this program; mount /proc")
    }
}

/// Where the program was executed as a worker: leave the time at which it began, with the descriptor that
/// it was told.
#[allow(unsafe_code)]
fn be_program(began: Duration, descriptor: &str) -> anyhow::Result<()> {
    let descriptor = descriptor
        .parse()
        .with_context(|| format!("{descriptor} is no descriptor; only the bench starts workers"))?;
    // SAFETY: nothing else in this process has it; who executed it has left it open.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let memory = SharedMemory::open(descriptor).context("cannot map the memory for the time")?;
    Stamp(Arc::new(memory)).leave_as(began)
}

/// What the template is asked: to make a worker, or what it has used. It answers with 8 bytes.
const MAKE: u8 = b'm';
const TELL: u8 = b't';

fn ask_template(template: &OwnedFd, what: u8) -> anyhow::Result<u64> {
    let mut answer = [0; 8];
    write(template, &[what]).context("the template has ended; see what it said")?;
    let length = read(template, &mut answer)?;
    ensure!(length == 8, "the template has ended; see what it said");
    Ok(u64::from_ne_bytes(answer))
}

/// Make workers as one is asked, until the other side is closed.
fn be_template(sole: &Sole, answers: &OwnedFd, stamp: &Stamp) -> anyhow::Result<()> {
    let mut question = [0];
    while read(answers, &mut question)? != 0 {
        let answer = match question {
            [MAKE] => {
                reap(fork_to(sole, || stamp.leave())?)?;
                0
            }
            _ => u64::try_from(forking::used()?.as_nanos())?,
        };
        write(answers, &answer.to_ne_bytes())?;
    }
    Ok(())
}

struct Spawn;

impl Bench for Spawn {
    type Job = Maker;

    fn measure<M: Metric>(suite: &mut Suite<'_, M>) -> anyhow::Result<()> {
        let by_the_clock = M::SUFFIX.is_empty();
        if by_the_clock {
            measure(suite, "spawn-first-instruction", |answer| Spent {
                wall: answer.until_first_instruction,
                cpu: Duration::ZERO,
            })?;
        }
        measure(suite, "spawn-reaped", |answer| answer.until_reaped)
    }
}

fn measure<M: Metric>(
    suite: &mut Suite<'_, M>,
    group: &str,
    figure: impl Fn(&Answer) -> Spent,
) -> anyhow::Result<()> {
    let workers = suite.workers;
    let mut group = suite.group(group);
    for mebibytes in MEBIBYTES {
        // Begun for the first benchmark that is measured, and ended before the next size has its own.
        let mut maker = None;
        for (way, name) in Way::ALL {
            let id = BenchmarkId::new(name, format!("{mebibytes}-MiB"));
            fallible::iter_custom(&mut group, id, |count| {
                let answer = ask(&mut maker, workers, mebibytes, way, count);
                let answer = answer.with_context(|| {
                    format!("cannot make workers from a process that has {mebibytes} MiB")
                })?;
                Ok(figure(&answer))
            })?;
        }
        maker.map_or(Ok(()), Dialogue::finish)?;
    }
    group.finish();
    Ok(())
}

fn ask<'a>(
    maker: &mut Option<Dialogue<'a>>,
    place: Workers<'a>,
    mebibytes: usize,
    way: Way,
    workers: u64,
) -> anyhow::Result<Answer> {
    let maker = match maker {
        Some(begun) => begun,
        none => none.insert(Dialogue::begin(place, Maker { mebibytes })?),
    };
    maker.ask(&Question { way, workers })
}

fn main() -> ExitCode {
    let began = now();
    let mut arguments = env::args().skip(1);
    if arguments
        .next()
        .is_none_or(|first| first.as_bytes() != AS_WORKER.to_bytes())
    {
        return suite::run::<Spawn>();
    }
    let descriptor = arguments.next().unwrap_or_default();
    match began.and_then(|began| be_program(began, &descriptor)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spawned worker: {error:#}");
            ExitCode::FAILURE
        }
    }
}
