//! What it costs to give a connection to another worker: connections that are passed on, beside connections that
//! the worker accepts by itself.
//!
//! # One connection
//! The bench connects over loopback. Somebody accepts. The worker writes one byte and closes; the bench reads the
//! byte and closes. The figure is of one connection, and has all that in it, the client's part too, the same in all
//! four functions:
//! - `thread-channel`: the bench accepts and passes the connection on over the
//!   [lane](servers::accept::handoff::lane) that the servers have for threads. The thread says that it took it.
//! - `process-scm-rights`: the bench accepts, and passes on a descriptor (`SCM_RIGHTS`) as the servers do to a
//!   process. The process says that it took it, and then the bench closes its copy.
//! - `thread-none`, `process-none`: the worker accepts by itself, from a listener with `SO_REUSEPORT` of its own.
//!
//! So what passing on costs is the first or second less the third or fourth. Both times one connection is accepted,
//! once here and once there.
//!
//! # The batch
//! The parameter: so many connections are made before anybody waits. To a process they go with one message, whose
//! receipt is one word; to a thread one after another, as a channel takes them. With 1 both do exactly what the
//! servers do, which pass on one connection at a time to each worker.
//!
//! # Who runs where
//! Both sides on the first CPU, [by turns](benches::tools::turns): the bench does all it can for a batch and waits
//! for the answer to the last connection, and only then the worker runs, does all it can and waits. So every batch
//! has two switches, in all four functions, and none depends on chance. On two CPUs the worker would wake up for the
//! first connection while the next ones are made, and how often it sleeps in between would be most of the
//! difference. What it costs to wake somebody on another CPU is the question of `switch`. A server whose acceptor
//! and workers sleep between connections pays that for each connection passed on, in addition: the acceptor
//! is woken for it, and again by the worker's word.
//!
//! # Ports
//! The bench closes with `SO_LINGER` 0, so no connection stays in `TIME_WAIT`, and its port is free at once.

mod lanes;
mod worker;

use std::{
    io::Read,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsFd, OwnedFd},
    process::ExitCode,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use benches::tools::{
    fallible,
    fork_server::{Side, Worker, Workers},
    metric::{Metric, Spent},
    suite::{self, Bench, Suite},
    turns::Turns,
};
use criterion::{BenchmarkGroup, BenchmarkId};
use rustix::net::{
    AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair,
    sockopt::set_socket_linger,
};
use schema::Style;
use servers::{
    accept::handoff::lane::{self, Words},
    listener::listen_beside,
    poll::readable,
};

use lanes::{Lane, packets};
use worker::{Serving, Source, serve};

/// Connections that are passed on at once.
const BATCHES: [usize; 3] = [1, 8, lanes::MOST];

/// How connections come to the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Channel,
    ScmRights,
    None(Side),
}

impl Way {
    const ALL: [Self; 4] = [
        Self::Channel,
        Self::ScmRights,
        Self::None(Side::Thread),
        Self::None(Side::Process),
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Channel => "thread-channel",
            Self::ScmRights => "process-scm-rights",
            Self::None(Side::Thread) => "thread-none",
            Self::None(Side::Process) => "process-none",
        }
    }
}

/// Whoever serves.
enum Server<'a> {
    Begun(Worker<'a>),
    Spawned(JoinHandle<anyhow::Result<()>>),
}

/// Client and acceptor, and the worker that they have.
struct Shop<'a> {
    address: SocketAddr,
    listener: TcpListener,
    /// How connections are passed on, where they are.
    lane: Option<Lane>,
    /// Closed by the kernel as the worker ends, however it does: nobody writes to it.
    lifeline: OwnedFd,
    server: Server<'a>,
    clients: Vec<TcpStream>,
}

impl<'a> Shop<'a> {
    fn open(way: Way, cpu: usize, workers: Workers<'a>) -> anyhow::Result<Self> {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (listener, address) = listen_beside(anywhere, Style::Blocking)?;
        let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
        let (lifeline, theirs) = socketpair(family, kind, SocketFlags::CLOEXEC, None)?;
        let (lane, server) = match way {
            Way::Channel => {
                let words = Words::new()?;
                let (lane, end) = lane::to_thread(0, words.clone());
                let server = thread::Builder::new()
                    .spawn(move || {
                        let served = serve(&mut Source::from(end), cpu);
                        drop(theirs);
                        served
                    })
                    .context("cannot start a thread")?;
                (Some(Lane::Thread(lane, words)), Server::Spawned(server))
            }
            Way::ScmRights => {
                let (ours, line) = packets()?;
                let job = Serving { passed: true, cpu };
                let worker = workers.begin(Side::Process, job, &[line.as_fd(), theirs.as_fd()])?;
                (Some(Lane::Process(ours)), Server::Begun(worker))
            }
            Way::None(side) => {
                let job = Serving { passed: false, cpu };
                let worker = workers.begin(side, job, &[listener.as_fd(), theirs.as_fd()])?;
                (None, Server::Begun(worker))
            }
        };
        Ok(Self {
            address,
            listener,
            lane,
            lifeline,
            server,
            clients: Vec::with_capacity(lanes::MOST),
        })
    }

    /// Have so many connections served.
    fn batch(&mut self, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            let client = TcpStream::connect(self.address).context("cannot connect to the bench")?;
            self.clients.push(client);
        }
        if let Some(lane) = &self.lane {
            let accepted = (0..count).map(|_| Ok(self.listener.accept()?.0));
            let accepted: anyhow::Result<Vec<_>> = accepted.collect();
            let passed = lane.pass(accepted?)?;
            self.wait()?;
            lane.let_go(passed)?;
        } else {
            self.wait()?;
        }
        for mut client in self.clients.drain(..) {
            let mut bytes = [0; 2];
            let read = client.read(&mut bytes).context("a client was not served")?;
            ensure!(
                bytes[..read] == [worker::BYTE],
                "a client read {:?}, not what the worker writes",
                &bytes[..read]
            );
            set_socket_linger(&client, Some(Duration::ZERO))?;
        }
        Ok(())
    }

    /// Sleep until the last client was served. Clients are served in the order in which they came, so this is
    /// woken once.
    fn wait(&self) -> anyhow::Result<()> {
        let last = self.clients.last().context("there is no client")?;
        let served = readable(&[last.as_fd(), self.lifeline.as_fd()], None)?;
        ensure!(
            served != [false, true],
            "the worker has ended; see what it said"
        );
        Ok(())
    }

    /// End the worker.
    fn close(self) -> anyhow::Result<()> {
        drop(self.lane);
        // Whoever sleeps in accept wakes up. Where the worker has ended there is nobody.
        let _ = shutdown(&self.listener, Shutdown::Both);
        match self.server {
            Server::Begun(worker) => worker.finish(),
            Server::Spawned(thread) => match thread.join() {
                Ok(result) => result.context("a worker failed"),
                Err(_) => bail!("a worker panicked; see above"),
            },
        }
    }
}

/// A way with its size of batches, and the CPU of both sides.
#[derive(Clone, Copy)]
struct Case<'a> {
    way: Way,
    count: usize,
    cpu: usize,
    workers: Workers<'a>,
}

impl<'a> Case<'a> {
    fn measure<M: Metric>(self, group: &mut BenchmarkGroup<'_, M>) -> anyhow::Result<()> {
        let mut shop = None;
        let id = BenchmarkId::new(self.way.name(), self.count);
        let measured =
            fallible::iter_custom(group, id, |connections| self.spend(&mut shop, connections));
        let closed = shop.map_or(Ok(()), Shop::close);
        // A worker that failed knows best why.
        closed.and(measured)
    }

    /// What so many connections take. Batches are whole; what they have more than was asked for is scaled away.
    fn spend(self, shop: &mut Option<Shop<'a>>, connections: u64) -> anyhow::Result<Spent> {
        let shop = match shop {
            Some(shop) => shop,
            None => shop.insert(Shop::open(self.way, self.cpu, self.workers)?),
        };
        let _turns = Turns::on(self.cpu)?;
        let batches = connections.div_ceil(self.count as u64);
        let (spent, served) = Spent::by(|| (0..batches).try_for_each(|_| shop.batch(self.count)));
        served?;
        Ok(spent.scaled(connections, batches * self.count as u64))
    }
}

struct Handoff;

impl Bench for Handoff {
    type Job = Serving;

    fn measure<M: Metric>(suite: &mut Suite<'_, M>) -> anyhow::Result<()> {
        let (cpu, workers) = (suite.cpus[0], suite.workers);
        let mut group = suite.group("handoff");
        for count in BATCHES {
            for way in Way::ALL {
                let case = Case {
                    way,
                    count,
                    cpu,
                    workers,
                };
                case.measure(&mut group)?;
            }
        }
        group.finish();
        Ok(())
    }
}

fn main() -> ExitCode {
    suite::run::<Handoff>()
}
