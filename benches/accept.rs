//! How long from the first packet of a connection to the first byte of its answer, by accept policy: every
//! cell of the model grid, processes beside threads, each with two workers.
//!
//! One iteration is one connection, as the load generator makes it where it makes a new one for each
//! request: connect, send one `GET` with `Connection: close`, read the first bytes of the answer, read the
//! rest until the server has closed, check it, close. The next begins after that, so the server is idle as a
//! connection comes, and what is measured is how one finds its worker, not how many can.
//!
//! The client is the bench's own thread, on the last CPU that may be used; the whole server, a process tree
//! of its own, is on the first. So the figures of all policies are of the same path over the
//! same two CPUs, and two workers that wake for one connection do it one after the other.
//!
//! The wall figure ends with the first bytes of the answer: closing is not in it. The CPU figure has all the
//! client and the server did, closing included.
//!
//! A cluster with a process for each connection has most of its CPU time in workers that have ended, and
//! that is known in steps of 10 ms alone, user and system time each. So its measurements are few and long
//! ([`LONG`], whatever number of iterations criterion asks for): one of them may be wrong by some
//! percent, and they are right on average.
//!
//! The server closes first, so the connections that TCP has to remember are at its port, and the client
//! does not run out of ports of its own.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use benches::tools::{
    cpus::Pin,
    fallible,
    metric::{Metric, Spent},
    server::{Program, Serve, Server},
    suite::{self, Bench, Suite},
};
use criterion::{BenchmarkId, SamplingMode};
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, connect, socket_with,
    sockopt::{Timeout, set_socket_timeout},
};
use schema::{Accept, Model, Worker};

/// Length of all measurements of a benchmark, as a rule: there are many.
const USUAL: Duration = Duration::from_millis(500);

/// Length of a measurement where CPU time is known in steps of 10 ms.
const LONG: Duration = Duration::from_millis(250);

/// Nothing on this host takes so long.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// An answer is about 150 bytes.
const MOST_BYTES: usize = 1024;

/// Asks one server.
struct Client {
    address: SocketAddr,
    request: Vec<u8>,
}

impl Client {
    fn of(address: SocketAddr) -> Self {
        let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        Self {
            address,
            request: request.into(),
        }
    }

    /// One connection. How long until the first bytes of the answer.
    fn ask(&self) -> anyhow::Result<Duration> {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(ANSWERED_WITHIN))?;
        let began = Instant::now();
        connect(&socket, &self.address).context("cannot connect")?;
        let mut stream = TcpStream::from(socket);
        stream.write_all(&self.request).context("cannot send")?;
        let mut answer = [0; MOST_BYTES];
        let mut length = stream.read(&mut answer).context("no answer came")?;
        let first = began.elapsed();
        loop {
            ensure!(length < MOST_BYTES, "the answer is too long");
            match stream.read(&mut answer[length..]) {
                Ok(0) => break,
                Ok(more) => length += more,
                Err(error) => return Err(error).context("the server does not close"),
            }
        }
        let answer = &answer[..length];
        let body = b"\r\n\r\nHello from worker ";
        ensure!(
            answer.starts_with(b"HTTP/1.1 200 OK\r\n")
                && answer.windows(body.len()).any(|part| part == body)
                && answer.ends_with(b"\n"),
            "the answer is another than expected: {:?}",
            String::from_utf8_lossy(answer)
        );
        Ok(first)
    }

    /// So many connections, one after the other; more where they take less than `at_least`.
    fn ask_often(&self, iterations: u64, at_least: Duration) -> anyhow::Result<Spent> {
        let (mut asked, mut wall) = (0, Duration::ZERO);
        let (spent, result) = Spent::by(|| {
            let began = Instant::now();
            while asked < iterations || began.elapsed() < at_least {
                wall += self.ask()?;
                asked += 1;
            }
            anyhow::Ok(())
        });
        result.with_context(|| format!("connection {} to {}", asked + 1, self.address))?;
        let cpu = spent.cpu;
        Ok(Spent { wall, cpu }.scaled(iterations, asked))
    }
}

struct Connections;

impl Bench for Connections {
    type Job = Serve;

    fn measure<M: Metric>(suite: &mut Suite<'_, M>) -> anyhow::Result<()> {
        let workers = suite.workers;
        let here = suite.cpus[suite.cpus.len() - 1];
        let there = suite.cpus[0];
        let mut group = suite.group("accept");
        group.sampling_mode(SamplingMode::Flat);
        for model in Model::legal() {
            let (kind, style, accept) = (model.worker, model.style.name(), model.accept.name());
            let program = match kind {
                Worker::Process => Program::Cluster,
                Worker::Thread => Program::Threads,
            };
            let coarse = (kind, model.accept) == (Worker::Process, Accept::PerConnection);
            let (samples, length, at_least) = if coarse {
                (10, 10 * LONG, LONG)
            } else {
                (50, USUAL, Duration::ZERO)
            };
            group.sample_size(samples).measurement_time(length);
            let mut server = None;
            let id = BenchmarkId::new(format!("{kind}-{accept}"), style);
            fallible::iter_custom(&mut group, id, |iterations| {
                let running = match &mut server {
                    Some(running) => running,
                    none => {
                        let cell = ["--workers", "2", "--style", style, "--accept", accept];
                        none.insert(Server::start(workers, program, there, &cell)?)
                    }
                };
                let client = Client::of(running.address);
                let _pin = Pin::to(here)?;
                client.ask_often(iterations, at_least)
            })
            .with_context(|| model.to_string())?;
            server.map_or(Ok(()), Server::stop)?;
        }
        group.finish();
        Ok(())
    }
}

fn main() -> ExitCode {
    suite::run::<Connections>()
}
