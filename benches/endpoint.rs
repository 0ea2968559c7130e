//! What one request costs, end to end: each server under the load generator, with connections that are
//! kept and with a new one for each request.
//!
//! The generator has 8 connections in a closed loop and one thread, on the last CPU that may be used. The
//! whole server, a process tree of its own, is on the first CPU: where that is another than the generator's,
//! it is the server's alone, and what more workers cost there is seen and not what they gain. Cluster
//! and threads are as they come (evented; `shared` and `stealing`), with two workers.
//!
//! The generator runs for a time and not for a number of requests. So a measurement is one window, as long
//! as the iterations took by the last known rate and at least [`SHORTEST`], and what was found for the
//! requests that were completed in it is brought to the number of iterations.
//!
//! # The figures
//! - Wall: the window by the completed requests, so the inverse of the throughput. With 8 connections it is
//!   not how long a request takes: that is about 8 times as long.
//! - CPU: of the server's process tree alone, by the completed requests. It is read while the server is at
//!   rest, before the generator connects and after it has closed all connections. So making and closing the
//!   8 connections is in it, and what the up to 8 requests cost that are under way as the window closes:
//!   together about 1 % at most where connections are kept, and less where they are not.
//!
//! A wrong answer, an error or a timeout fails the bench; but a window in which a request waited for all of
//! its length is repeated with one four times as long first, up to [`LAST`].

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::{Context, ensure};
use benches::tools::{
    fallible,
    metric::{Metric, Spent},
    rest::await_rest,
    server::{Program, Serve, Server},
    suite::{self, Bench, Suite},
    tree,
};
use criterion::SamplingMode;
use load::LoadSpec;
use schema::{LoadResult, Reuse};

/// Connections of the generator.
const CONNECTIONS: u32 = 8;

/// The shortest window: some thousand requests, which 8 more or less do not change by much.
const SHORTEST: Duration = Duration::from_millis(50);

/// The longest to begin with: it has as many requests as any figure needs.
const LONGEST: Duration = Duration::from_secs(2);

/// The last that is tried where shorter ones saw a request wait for all of their length.
const LAST: Duration = Duration::from_secs(16);

/// The servers: name of the benchmark, program, command line.
const SERVERS: [(&str, Program, &[&str]); 4] = [
    ("single", Program::Single, &[]),
    ("floor", Program::Floor, &[]),
    ("process-cluster", Program::Cluster, &["--workers", "2"]),
    ("thread-threads", Program::Threads, &["--workers", "2"]),
];

/// A server under load.
struct Loaded<'a> {
    server: Server<'a>,
    /// A load to change from.
    spec: LoadSpec,
    /// Time a request, as last seen.
    each: Duration,
}

impl<'a> Loaded<'a> {
    fn new(server: Server<'a>, cpu: usize, reuse: Reuse) -> anyhow::Result<Self> {
        let spec = spec(server.address, u32::try_from(cpu)?, reuse);
        Ok(Self {
            server,
            spec,
            each: Duration::ZERO,
        })
    }

    /// What so many requests took, from as many as a window had.
    fn serve(&mut self, iterations: u64) -> anyhow::Result<Spent> {
        let expected = self.each.as_secs_f64() * iterations as f64;
        let mut length = expected.clamp(SHORTEST.as_secs_f64(), LONGEST.as_secs_f64());
        loop {
            let (cpu, result) = self.window(Duration::from_secs_f64(length))?;
            if is_too_short(&result) && length < LAST.as_secs_f64() {
                length = (4.0 * length).min(LAST.as_secs_f64());
                continue;
            }
            check(&result)?;
            let wall = Duration::from_nanos(result.elapsed_ns);
            let spent = Spent { wall, cpu };
            self.each = spent.scaled(1, result.completed).wall;
            return Ok(spent.scaled(iterations, result.completed));
        }
    }

    /// The server's CPU time, and the generator's account.
    fn window(&self, measure: Duration) -> anyhow::Result<(Duration, LoadResult)> {
        let server = self.server.pid;
        await_rest(server)?;
        let before = tree::used_below(server);
        let spec = self.spec.clone();
        let loaded = load::start(LoadSpec { measure, ..spec })?.finish()?;
        await_rest(server)?;
        let used = tree::used_below(server).saturating_sub(before);
        Ok((used, loaded.result))
    }
}

fn spec(address: SocketAddr, cpu: u32, reuse: Reuse) -> LoadSpec {
    LoadSpec {
        connections: CONNECTIONS,
        reuse,
        ..LoadSpec::to(address, cpu)
    }
}

/// Where something else has the CPU for most of a window, nothing is answered in it, or a request waits for
/// the whole of it, which the generator counts as a timeout.
fn is_too_short(result: &LoadResult) -> bool {
    result.errors == 0 && (result.completed == 0 || result.timeouts > 0)
}

fn check(result: &LoadResult) -> anyhow::Result<()> {
    let first = result.error_kinds.first().map(|kind| kind.first.as_str());
    ensure!(
        result.errors == 0 && result.timeouts == 0,
        "under load {} errors and {} timeouts were counted; the first error: {}",
        result.errors,
        result.timeouts,
        first.unwrap_or("none")
    );
    ensure!(
        result.completed > 0,
        "no request was completed in {} ms",
        result.elapsed_ns / 1_000_000
    );
    Ok(())
}

struct Endpoint;

impl Bench for Endpoint {
    type Job = Serve;

    fn measure<M: Metric>(suite: &mut Suite<'_, M>) -> anyhow::Result<()> {
        let workers = suite.workers;
        let here = suite.cpus[suite.cpus.len() - 1];
        let there = suite.cpus[0];
        for (name, reuse) in [
            ("endpoint-keep-alive", Reuse::KeepAlive),
            ("endpoint-new-connection", Reuse::NewConnection),
        ] {
            let mut group = suite.group(name);
            group.sampling_mode(SamplingMode::Flat).sample_size(20);
            for (name, program, arguments) in SERVERS {
                let mut loaded = None;
                let serve = |iterations| {
                    let loaded = match &mut loaded {
                        Some(loaded) => loaded,
                        none => {
                            let server = Server::start(workers, program, there, arguments)?;
                            none.insert(Loaded::new(server, here, reuse)?)
                        }
                    };
                    loaded.serve(iterations)
                };
                fallible::caught(|| {
                    group.bench_function(name, fallible::custom(serve));
                })
                .with_context(|| name.to_owned())?;
                loaded.map_or(Ok(()), |loaded| loaded.server.stop())?;
            }
            group.finish();
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    suite::run::<Endpoint>()
}
