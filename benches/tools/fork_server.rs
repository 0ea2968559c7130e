//! Workers of both kinds for a bench, made so that forking is safe.
//!
//! A process with threads must not go on after a fork as if nothing had been: another thread may have held
//! the allocator's lock. Criterion has threads from its first calculation on. So the bench forks a server
//! while it has one thread, and that server, which never has another, forks every worker.
//!
//! # Order of events
//! [`ForkServer::start`] before anything else. [`Workers::begin`] sends a [`Job`] and its descriptors; the
//! server forks, the child runs the job and ends, and the server tells its pid. [`Worker::finish`] has the
//! server wait for the end and tell what the worker has used.
//!
//! # What fails
//! A worker whose job fails says why on stderr and ends with 1, which [`Worker::finish`] reports. When the
//! bench ends, however it does, the server and all workers end with it.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
    process,
    sync::Mutex,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use nix::{
    libc,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use servers::cluster::fork::{Forked, Sole, fork_worker};

use super::{packet, tree};

/// What a worker does, told to it as bytes.
pub trait Job: Serialize + DeserializeOwned + Send + 'static {
    /// Do it, with the descriptors that came along, in their order. Where the bench needs to end it, it ends
    /// by what it hears over these.
    ///
    /// # Errors
    /// Whatever keeps it from being done; said on stderr.
    fn run(self, descriptors: Vec<OwnedFd>) -> anyhow::Result<()>;
}

/// Who does a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// A thread of the bench.
    Thread,
    /// A process of its own.
    Process,
}

impl Side {
    /// Both, in the order of tables.
    pub const BOTH: [Self; 2] = [Self::Thread, Self::Process];

    /// As names of benches begin.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Thread => "thread",
            Self::Process => "process",
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
enum Request<J> {
    Begin(J),
    Wait(i32),
}

#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    Began(i32),
    Refused(String),
    Ended { code: i32, cpu: Duration },
}

/// The server, from the bench's side.
#[derive(Debug)]
pub struct ForkServer {
    /// One question at a time.
    socket: Mutex<OwnedFd>,
}

impl ForkServer {
    /// Fork the server. Returns in the bench alone.
    ///
    /// # Errors
    /// The bench has threads already, or the kernel makes no process.
    pub fn start<J: Job>() -> anyhow::Result<Self> {
        let sole = Sole::check()?;
        let (ours, theirs) = packet::pair().context("cannot make a pair of sockets")?;
        match fork_worker(&sole) {
            Ok(Forked::Primary(_)) => Ok(Self {
                socket: Mutex::new(ours),
            }),
            Ok(Forked::Worker) => {
                drop(ours);
                end_with(serve::<J>(&sole, &theirs))
            }
            Err(error) if error.is_of_worker() => end_with(Err(error.into())),
            Err(error) => Err(error.into()),
        }
    }

    /// To ask it for workers.
    #[must_use]
    pub fn workers(&self) -> Workers<'_> {
        Workers(self)
    }

    fn ask<J: Job>(
        &self,
        request: &Request<J>,
        descriptors: &[BorrowedFd<'_>],
    ) -> anyhow::Result<Reply> {
        let socket = self.socket.lock().map_err(|_| {
            anyhow::anyhow!("a bench panicked while it asked its fork server; see above")
        })?;
        packet::send(&socket, request, descriptors).context("the fork server has ended")?;
        let (reply, _) =
            packet::receive(&socket)?.context("the fork server has ended; see what it said")?;
        Ok(reply)
    }
}

/// Where workers come from.
#[derive(Clone, Copy, Debug)]
pub struct Workers<'a>(&'a ForkServer);

impl<'a> Workers<'a> {
    /// Have a worker do `job`, in a thread or in a process, with copies of `descriptors`.
    ///
    /// # Errors
    /// No thread, process or descriptor is to be had.
    pub fn begin<J: Job>(
        self,
        side: Side,
        job: J,
        descriptors: &[BorrowedFd<'_>],
    ) -> anyhow::Result<Worker<'a>> {
        match side {
            Side::Thread => {
                let own: io::Result<Vec<OwnedFd>> = descriptors
                    .iter()
                    .map(BorrowedFd::try_clone_to_owned)
                    .collect();
                let own = own.context("cannot copy descriptors for a worker")?;
                let thread = thread::Builder::new()
                    .spawn(move || job.run(own))
                    .context("cannot start a thread")?;
                Ok(Worker(Some(Kind::Thread(thread))))
            }
            Side::Process => match self.0.ask(&Request::Begin(job), descriptors)? {
                Reply::Began(pid) => {
                    let pid = Pid::from_raw(pid);
                    tree::watch(pid);
                    let wait = wait::<J>;
                    Ok(Worker(Some(Kind::Process {
                        pid,
                        server: self.0,
                        wait,
                    })))
                }
                Reply::Refused(why) => bail!("cannot fork a worker: {why}"),
                Reply::Ended { .. } => bail!("the fork server answered something else"),
            },
        }
    }
}

/// A worker that was begun. Dropped before it is finished, a process is killed and a thread left alone.
#[derive(Debug)]
pub struct Worker<'a>(Option<Kind<'a>>);

#[derive(Debug)]
enum Kind<'a> {
    Thread(JoinHandle<anyhow::Result<()>>),
    Process {
        pid: Pid,
        server: &'a ForkServer,
        wait: fn(&ForkServer, Pid) -> anyhow::Result<i32>,
    },
}

impl Worker<'_> {
    /// Its process, where it is one of its own.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        match self.0 {
            Some(Kind::Process { pid, .. }) => Some(pid),
            _ => None,
        }
    }

    /// Wait for its end, which somebody else has to bring about.
    ///
    /// # Errors
    /// It failed.
    pub fn finish(mut self) -> anyhow::Result<()> {
        match self.0.take() {
            None => Ok(()),
            Some(Kind::Thread(thread)) => match thread.join() {
                Ok(result) => result.context("a worker failed"),
                Err(_) => bail!("a worker panicked; see above"),
            },
            Some(Kind::Process { pid, server, wait }) => {
                let code = wait(server, pid)?;
                ensure!(
                    code == 0,
                    "worker {pid} ended with {code}; see what it said"
                );
                Ok(())
            }
        }
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        if let Some(Kind::Process { pid, server, wait }) = self.0.take() {
            // It may have ended; it is a zombie until it is waited for, so the pid is still its own.
            let _ = kill(pid, Signal::SIGKILL);
            let _ = wait(server, pid);
        }
    }
}

fn wait<J: Job>(server: &ForkServer, pid: Pid) -> anyhow::Result<i32> {
    match server.ask(&Request::<J>::Wait(pid.as_raw()), &[])? {
        Reply::Ended { code, cpu } => {
            tree::ended(pid, cpu);
            Ok(code)
        }
        Reply::Refused(why) => bail!("cannot wait for worker {pid}: {why}"),
        Reply::Began(_) => bail!("the fork server answered something else"),
    }
}

/// The server's side: forks and waits as it is asked, until the bench closes its end.
fn serve<J: Job>(sole: &Sole, socket: &OwnedFd) -> anyhow::Result<()> {
    while let Some((request, descriptors)) = packet::receive(socket)? {
        let reply = match request {
            Request::Begin(job) => begin::<J>(sole, job, descriptors),
            Request::Wait(pid) => ended(pid),
        };
        packet::send(socket, &reply, &[])?;
    }
    Ok(())
}

fn begin<J: Job>(sole: &Sole, job: J, descriptors: Vec<OwnedFd>) -> Reply {
    match fork_worker(sole) {
        Ok(Forked::Primary(pid)) => Reply::Began(pid.as_raw()),
        Ok(Forked::Worker) => end_with(job.run(descriptors)),
        Err(error) if error.is_of_worker() => end_with(Err(error.into())),
        Err(error) => Reply::Refused(error.to_string()),
    }
}

/// Ends a forked process: nothing of the bench's is to be run in it, no destructor and no handler.
#[allow(unsafe_code)]
pub(super) fn end_with(result: anyhow::Result<()>) -> ! {
    let code = match result {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("bench worker {}: {error:#}", process::id());
            1
        }
    };
    // SAFETY: the process ends here, and nothing after this line relies on anything.
    unsafe { libc::_exit(code) }
}

#[allow(unsafe_code)]
fn ended(pid: i32) -> Reply {
    let mut status = 0;
    // SAFETY: all zeros are a usage of nothing.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both places are written to and outlive the call.
        if unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) } == pid {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Reply::Refused(error.to_string());
        }
    }
    let code = if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        128 + libc::WTERMSIG(status)
    };
    Reply::Ended {
        code,
        cpu: duration(usage.ru_utime) + duration(usage.ru_stime),
    }
}

/// A usage is never negative.
fn duration(time: libc::timeval) -> Duration {
    let micros = time.tv_sec * 1_000_000 + time.tv_usec;
    Duration::from_micros(micros.cast_unsigned())
}
