//! Servers of this project, each run in a worker process of the bench.
//!
//! What runs is the code of the server's binary, without an `exec`: the worker was forked by a process with
//! one thread, so a cluster may fork its own workers in it.
//!
//! # Order of events
//! [`Server::start`] has a worker take its CPU, put a pipe in the place of stdout, read its command line as
//! the binaries do, and serve; it returns once the server has said on that pipe that it is ready.
//! [`Server::stop`] sends SIGTERM and waits for the drain. A server that is dropped is killed, and the
//! kernel ends the workers that it forked.
//!
//! # What fails
//! A server that cannot serve says why on stderr, which is the bench's, and ends; so its start fails.

use std::{
    io::Read,
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, dup2_stdout},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    pipe::{PipeFlags, pipe_with},
};
use schema::Ready;
use serde::{Deserialize, Serialize};
use servers::{
    cluster, floor,
    options::{ClusterOptions, FloorOptions, SingleOptions, ThreadsOptions, Typed},
    single, threads,
};

use super::{
    cpus::stay_on,
    fork_server::{Job, Side, Worker, Workers},
};

/// How long a server may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// Which server, by the name of its binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// One process, one worker.
    Single,
    /// The physical limit.
    Floor,
    /// A primary and worker processes.
    Cluster,
    /// Worker threads.
    Threads,
}

impl Program {
    /// As its binary is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Floor => "floor",
            Self::Cluster => "cluster",
            Self::Threads => "threads",
        }
    }
}

/// What the worker is told. Its one descriptor becomes its stdout.
#[derive(Debug, Serialize, Deserialize)]
pub struct Serve {
    program: Program,
    /// The command line without the program's name.
    arguments: Vec<String>,
    /// Where all of the server runs.
    cpu: usize,
}

impl Job for Serve {
    fn run(self, descriptors: Vec<OwnedFd>) -> anyhow::Result<()> {
        stay_on(self.cpu)?;
        let stdout = descriptors.first().context("a descriptor is missing")?;
        dup2_stdout(stdout).context("cannot put a pipe in the place of stdout")?;
        // The pipe has to end with the server's processes, as a server's own does.
        drop(descriptors);
        match self.program {
            Program::Single => single::run(&self.options::<SingleOptions>()?)?,
            Program::Floor => floor::run(&self.options::<FloorOptions>()?)?,
            Program::Cluster => cluster::run(&self.options::<ClusterOptions>()?)?,
            Program::Threads => threads::run(&self.options::<ThreadsOptions>()?)?,
        }
        Ok(())
    }
}

impl Serve {
    fn options<T: Typed>(&self) -> anyhow::Result<T> {
        let name = std::iter::once(self.program.name());
        let words = name.chain(self.arguments.iter().map(String::as_str));
        let typed = T::try_parse_from(words)?;
        typed.check().map_err(anyhow::Error::msg)?;
        Ok(typed)
    }
}

/// A server that is ready. Dropping it kills it.
#[derive(Debug)]
pub struct Server<'a> {
    worker: Worker<'a>,
    /// Its first process, which takes signals.
    pub pid: Pid,
    /// Where it listens.
    pub address: SocketAddr,
}

impl<'a> Server<'a> {
    /// Start `program` on `cpu`, on a port that is free, and wait until it is ready. The bench's job has to
    /// be [`Serve`].
    ///
    /// # Errors
    /// It has ended, or is not ready in time.
    pub fn start(
        workers: Workers<'a>,
        program: Program,
        cpu: usize,
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let command = [&["--port", "0"], arguments].concat();
        let serve = Serve {
            program,
            arguments: command.iter().map(ToString::to_string).collect(),
            cpu,
        };
        let (said, stdout) = pipe_with(PipeFlags::CLOEXEC).context("cannot make a pipe")?;
        let worker = workers.begin(Side::Process, serve, &[stdout.as_fd()])?;
        drop(stdout);
        let pid = worker.pid().context("a server is a process")?;
        let ready = ready(said)
            .with_context(|| format!("cannot start {} {}", program.name(), command.join(" ")))?;
        ensure!(
            ready.pid.cast_signed() == pid.as_raw(),
            "{} says that its pid is {}, and {pid} was begun",
            program.name(),
            ready.pid
        );
        Ok(Self {
            worker,
            pid,
            address: ready.address,
        })
    }

    /// Have it finish what it does, and end.
    ///
    /// # Errors
    /// It failed, now or before.
    pub fn stop(self) -> anyhow::Result<()> {
        // Where it has ended it is a zombie until it is waited for, so the pid is still its own.
        kill(self.pid, Signal::SIGTERM).context("cannot stop a server")?;
        self.worker.finish()
    }
}

/// Read what a server says until it is ready. What it says later is for nobody: a server does not mind.
fn ready(said: OwnedFd) -> anyhow::Result<Ready> {
    let deadline = Instant::now() + READY_WITHIN;
    let mut said = std::fs::File::from(said);
    let (mut lines, mut more) = (Vec::new(), [0; 4096]);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left)?;
        match poll(&mut [PollFd::new(&said, PollFlags::IN)], Some(&left)) {
            Err(Errno::INTR) => continue,
            Ok(0) => bail!("it was not ready within {} s", READY_WITHIN.as_secs()),
            other => other?,
        };
        let count = said.read(&mut more)?;
        ensure!(
            count > 0,
            "it ended before it was ready; see what it said above"
        );
        lines.extend_from_slice(&more[..count]);
        // A line that has not come whole is no JSON yet.
        let mut lines = lines.split(|&byte| byte == b'\n');
        if let Some(ready) = lines.find_map(|line| serde_json::from_slice(line).ok()) {
            return Ok(ready);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Write, pipe};

    use super::*;

    const LINE: &str = r#"{"schema_version":2,"pid":12,"address":"127.0.0.1:4000","model":{"worker":"process","style":"evented","accept":"shared"},"workers":2}"#;

    #[test]
    fn the_ready_line_is_found_among_lines_for_people() {
        let (said, mut stdout) = pipe().unwrap();
        write!(stdout, "Primary 12 is running\n{LINE}\nmore\n").unwrap();
        let ready = ready(said.into()).unwrap();
        assert_eq!((ready.pid, ready.address.port()), (12, 4000));
    }

    #[test]
    fn a_server_that_ends_early_is_seen() {
        let (said, mut stdout) = pipe().unwrap();
        stdout.write_all(&LINE.as_bytes()[..40]).unwrap();
        drop(stdout);
        let error = ready(said.into()).unwrap_err().to_string();
        assert!(error.contains("ended before"), "{error}");
    }

    #[test]
    fn a_command_line_is_checked_as_the_binaries_check_it() {
        let serve = |arguments: &[&str]| Serve {
            program: Program::Cluster,
            arguments: arguments.iter().map(ToString::to_string).collect(),
            cpu: 0,
        };
        let handoff = serve(&["--accept", "handoff", "--workers", "2"]);
        assert!(handoff.options::<ClusterOptions>().is_ok());
        let stealing = serve(&["--accept", "stealing"]);
        let error = stealing.options::<ClusterOptions>().unwrap_err();
        assert!(error.to_string().contains("cannot be"), "{error}");
    }
}
