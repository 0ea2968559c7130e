//! What it costs to tell another worker something: messages of 16 bytes to 1 MiB between two threads, and between
//! two processes.
//!
//! # Groups
//! - `messages-round-trip`: a message goes there and back, by turns; one iteration is one round trip.
//! - `messages-throughput`: one way. One iteration is a batch, 64 messages (4 of 1 MiB), which the other side
//!   acknowledges together.
//!
//! # What carries them
//! - `pipe`, `socket-pair`: a pipe each way, a pair of Unix stream sockets. The bytes are copied into the
//!   kernel and out of it, by one call each where they fit.
//! - `ring`: [shared memory](benches::tools::ring), without the kernel as long as nobody sleeps. A side that waits
//!   looks for 20 µs before it sleeps. Between threads it is the same memory and the same calls: what
//!   differs is the address space alone.
//! - `own-channel`: what a cluster's primary and its workers speak over: packets between processes, a queue of
//!   the standard library and an eventfd between threads. It carries 64 KiB at most.
//! - `std-channel`, `crossbeam-channel`: between threads alone. What moves is the vector, so its length does not
//!   matter to them: in a round trip the same vector comes back. In a batch each message is a new vector, a copy of
//!   the sender's bytes. So are those of `own-channel`.
//! - `ring-spinning`, `pipe-spinning`: nobody ever sleeps; pipes are read again until there is something. Two
//!   CPUs needed, and both of them used up meanwhile: compare `messages-round-trip-cpu`.
//!
//! # Who runs where
//! The bench asks on the first CPU there is, the worker answers on the second. With one CPU both have that,
//! the ring does not spin, and the spinning ones are left out.
//!
//! # What is in the figure
//! Sending, waiting, waking, receiving; and for every message that both sides look at its length, its first byte
//! and its last. Making the worker is not, nor filling the vectors that bytes are read into.
//!
//! CPU time is measured for fewer lengths: 64 bytes, where it is the price of calls and wake-ups, and 1 MiB, where
//! it is that of copying.

mod channels;
mod exchange;
mod streams;

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process::ExitCode,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, bail};
use benches::tools::{
    cpus::Pin,
    fallible::{self, or_unwind},
    fork_server::{Job, Side, Worker, Workers},
    metric::Metric,
    ring::{End, Waiting},
    suite::{self, Bench, Suite},
};
use criterion::{BenchmarkGroup, BenchmarkId, Throughput};
use serde::{Deserialize, Serialize};
use servers::messages::{lane, link::Link, packets};

use channels::{Bytes, Own, crossbeam_channels, std_channels};
use exchange::{Asking, Exchange, Pattern, Way};
use streams::{Stream, ring};

/// How long a side of a ring looks before it sleeps, where both have a CPU: longer than waking it would take.
const PATIENCE: Duration = Duration::from_micros(20);

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// What carries messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Means {
    Pipe,
    PipeSpinning,
    SocketPair,
    Ring(Waiting),
    OwnChannel,
    StdChannel,
    CrossbeamChannel,
}

impl Means {
    /// All there are to be had on so many CPUs.
    fn on(cpus: usize) -> Vec<Self> {
        let patience = if cpus > 1 { PATIENCE } else { Duration::ZERO };
        let mut means = vec![
            Self::Pipe,
            Self::SocketPair,
            Self::Ring(Waiting::Sleeping(patience)),
            Self::OwnChannel,
            Self::StdChannel,
            Self::CrossbeamChannel,
        ];
        if cpus > 1 {
            means.extend([Self::PipeSpinning, Self::Ring(Waiting::Spinning)]);
        }
        means
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Pipe => "pipe",
            Self::PipeSpinning => "pipe-spinning",
            Self::SocketPair => "socket-pair",
            Self::Ring(Waiting::Sleeping(_)) => "ring",
            Self::Ring(Waiting::Spinning) => "ring-spinning",
            Self::OwnChannel => "own-channel",
            Self::StdChannel => "std-channel",
            Self::CrossbeamChannel => "crossbeam-channel",
        }
    }

    /// Between whom.
    const fn sides(self) -> &'static [Side] {
        match self {
            Self::StdChannel | Self::CrossbeamChannel => &[Side::Thread],
            _ => &Side::BOTH,
        }
    }

    const fn spins(self) -> bool {
        matches!(self, Self::PipeSpinning | Self::Ring(Waiting::Spinning))
    }

    /// Whether bytes are copied, so that there is more to it the longer a message is.
    const fn copies(self) -> bool {
        !matches!(self, Self::StdChannel | Self::CrossbeamChannel)
    }

    /// The lengths that tell something of round trips; of their CPU time, where `cpu`.
    const fn round_trips(self, cpu: bool) -> &'static [usize] {
        match self {
            _ if self.spins() => &[64],
            Self::OwnChannel if cpu => &[64],
            Self::OwnChannel => &[64, 4 * KIB, channels::MOST_BYTES],
            _ if cpu && self.copies() => &[64, MIB],
            _ if cpu => &[64],
            _ if self.copies() => &[16, 64, 4 * KIB, 64 * KIB, MIB],
            _ => &[64, MIB],
        }
    }

    /// The same of batches.
    const fn batches(self, cpu: bool) -> &'static [usize] {
        match self {
            _ if self.spins() => &[],
            _ if !self.copies() => &[64],
            Self::OwnChannel if cpu => &[64],
            Self::OwnChannel => &[64, 4 * KIB],
            _ if cpu => &[64, MIB],
            _ => &[64, 4 * KIB, MIB],
        }
    }
}

/// The side that answers, where it gets its end as descriptors.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Answering {
    means: Means,
    exchange: Exchange,
    cpu: usize,
}

impl Job for Answering {
    fn run(self, descriptors: Vec<OwnedFd>) -> anyhow::Result<()> {
        let Self {
            means,
            exchange,
            cpu,
        } = self;
        match means {
            Means::Pipe | Means::PipeSpinning | Means::SocketPair => {
                let stream = Stream::of_descriptors(exactly(descriptors)?);
                exchange.answer(stream, cpu)
            }
            Means::Ring(waiting) => exchange.answer(ring(exactly(descriptors)?, waiting)?, cpu),
            Means::OwnChannel => {
                let [socket] = exactly(descriptors)?;
                exchange.answer(Own(packets::Packets::<Bytes, Bytes>::from(socket)), cpu)
            }
            Means::StdChannel | Means::CrossbeamChannel => {
                bail!("{} has no descriptor", means.name())
            }
        }
    }
}

fn exactly<const N: usize>(descriptors: Vec<OwnedFd>) -> anyhow::Result<[OwnedFd; N]> {
    let came = descriptors.len();
    let all = descriptors.try_into().ok();
    all.with_context(|| format!("{came} descriptors came, not {N}"))
}

/// Whoever answers.
enum Answerer<'a> {
    Begun(Worker<'a>),
    Spawned(JoinHandle<anyhow::Result<()>>),
}

impl Answerer<'_> {
    fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Begun(worker) => worker.finish(),
            Self::Spawned(thread) => match thread.join() {
                Ok(result) => result.context("a worker failed"),
                Err(_) => bail!("a worker panicked; see above"),
            },
        }
    }
}

/// One benchmark: who asks whom by what.
#[derive(Clone, Copy)]
struct Bout<'a> {
    workers: Workers<'a>,
    side: Side,
    job: Answering,
}

type Opened<'a> = (Asking<Box<dyn Way>>, Answerer<'a>);

impl<'a> Bout<'a> {
    /// Begin the other side.
    fn open(self) -> anyhow::Result<Opened<'a>> {
        match (self.job.means, self.side) {
            (Means::Pipe, _) => self.by_stream(Stream::pipes(false)?),
            (Means::PipeSpinning, _) => self.by_stream(Stream::pipes(true)?),
            (Means::SocketPair, _) => self.by_stream(Stream::sockets()?),
            (Means::Ring(waiting), _) => {
                let (own, other) = End::new(waiting).context("cannot make a ring")?;
                self.begin(own, &other.each_ref().map(AsFd::as_fd))
            }
            (Means::OwnChannel, Side::Process) => {
                let (own, other) = packets::pair::<Bytes, Bytes>()?;
                self.begin(Own(own), &[other.descriptor().as_fd()])
            }
            (Means::OwnChannel, Side::Thread) => {
                let (own, other) = lane::pair::<Bytes, Bytes>()?;
                self.spawn(Own(own), Own(other))
            }
            (Means::StdChannel, _) => {
                let (own, other) = std_channels();
                self.spawn(own, other)
            }
            (Means::CrossbeamChannel, _) => {
                let (own, other) = crossbeam_channels();
                self.spawn(own, other)
            }
        }
    }

    fn by_stream(self, (own, other): (Stream, Stream)) -> anyhow::Result<Opened<'a>> {
        self.begin(own, &other.descriptors())
    }

    /// The other side's end is what these are copies of; the caller drops its own, so that it learns when a worker
    /// has ended.
    fn begin(
        self,
        own: impl Way + 'static,
        other: &[BorrowedFd<'_>],
    ) -> anyhow::Result<Opened<'a>> {
        let exchange = self.job.exchange;
        let worker = self.workers.begin(self.side, self.job, other)?;
        Ok((
            Asking::new(Box::new(own), exchange),
            Answerer::Begun(worker),
        ))
    }

    fn spawn(
        self,
        own: impl Way + 'static,
        other: impl Way + Send + 'static,
    ) -> anyhow::Result<Opened<'a>> {
        let Answering { exchange, cpu, .. } = self.job;
        let thread = thread::Builder::new()
            .spawn(move || exchange.answer(other, cpu))
            .context("cannot start a thread")?;
        Ok((
            Asking::new(Box::new(own), exchange),
            Answerer::Spawned(thread),
        ))
    }

    /// Measure it, with this thread on its CPU.
    fn measure<M: Metric>(
        self,
        group: &mut BenchmarkGroup<'_, M>,
        here: usize,
    ) -> anyhow::Result<()> {
        let name = format!("{}-{}", self.side.name(), self.job.means.name());
        let id = BenchmarkId::new(name, self.job.exchange.bytes);
        let mut opened = None;
        let measured = fallible::caught(|| {
            group.bench_function(id, |bencher| {
                let _pin = or_unwind(Pin::to(here));
                let (asking, _) = match &mut opened {
                    Some(open) => open,
                    none => {
                        let open = none.insert(or_unwind(self.open()));
                        // It has begun, and found its CPU and its memory, once it answers.
                        or_unwind(open.0.ask());
                        open
                    }
                };
                bencher.iter(|| or_unwind(asking.ask()));
                // Whoever spins would take a CPU from criterion while it calculates.
                if self.job.means.spins() {
                    or_unwind(close(opened.take()));
                }
            });
        });
        // A worker that failed knows best why.
        close(opened).and(measured)
    }
}

/// End the other side, which does as it hears nothing more.
fn close(opened: Option<Opened<'_>>) -> anyhow::Result<()> {
    opened.map_or(Ok(()), |(asking, answerer)| {
        drop(asking);
        answerer.finish()
    })
}

/// Messages of a batch.
const fn count(bytes: usize) -> u64 {
    if bytes >= MIB { 4 } else { 64 }
}

struct Messages;

impl Bench for Messages {
    type Job = Answering;

    fn measure<M: Metric>(suite: &mut Suite<'_, M>) -> anyhow::Result<()> {
        let cpu_time = !M::SUFFIX.is_empty();
        let here = suite.cpus[0];
        let there = suite.cpus.get(1).copied().unwrap_or(here);
        let means = Means::on(suite.cpus.len());
        let workers = suite.workers;
        let bout = |side, means, pattern, bytes| Bout {
            workers,
            side,
            job: Answering {
                means,
                exchange: Exchange { pattern, bytes },
                cpu: there,
            },
        };

        let mut group = suite.group("messages-round-trip");
        for &means in &means {
            for &bytes in means.round_trips(cpu_time) {
                for &side in means.sides() {
                    bout(side, means, Pattern::RoundTrip, bytes).measure(&mut group, here)?;
                }
            }
        }
        group.finish();

        let mut group = suite.group("messages-throughput");
        for &means in &means {
            for &bytes in means.batches(cpu_time) {
                let count = count(bytes);
                group.throughput(Throughput::Bytes(count * bytes as u64));
                for &side in means.sides() {
                    bout(side, means, Pattern::Batch(count), bytes).measure(&mut group, here)?;
                }
            }
        }
        group.finish();
        Ok(())
    }
}

fn main() -> ExitCode {
    suite::run::<Messages>()
}
