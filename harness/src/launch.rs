//! One server's life: start it behind a guard, wait until it is ready, watch it, end it.
//!
//! Order of events: the guard starts with the server's CPUs, a held-open pipe as its standard input
//! and a process group of its own, so that a terminal's Ctrl-C reaches the harness alone; the
//! server's stdout is read line by line until it is ready and drained afterwards, so that a server that
//! says much neither stops nor fills this program's memory; the end of the stderr is kept for the
//! report. [`Server::stop`] asks with SIGTERM, waits, and lets the guard kill
//! what is left. Dropping a [`Server`] kills it without asking.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Read},
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};
use schema::{Failure, Ready, Stage};

use crate::{
    contenders::{ReadyBy, Recipe},
    guarded::{self, KILL_TIMEOUT, attend},
    interrupt::Interrupt,
    ready, resources,
};

/// How long a server may take to end once asked; above the servers' own drain timeout of 5 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(8);
/// How often a server that announces nothing is asked whether it answers.
const ASK_EVERY: Duration = Duration::from_millis(5);
/// How soon an interrupt is seen while nothing happens.
const LOOK_UP_EVERY: Duration = Duration::from_millis(50);
/// Lines that may wait to be read before the server has to.
const LINES_AHEAD: usize = 256;
/// A longer line is read in pieces.
const LONGEST_LINE_BYTES: u64 = 64 * 1024;
const KEPT_STDERR_LINES: usize = 20;
const KEPT_STDERR_LINE_BYTES: usize = 400;

/// Why a trial did not come to its end.
#[derive(Debug)]
pub enum Trouble {
    /// The user wants to leave.
    Interrupted,
    /// Something failed.
    Failed(Failure),
}

/// A server that is ready.
pub struct Server {
    guard: Child,
    lifeline: Option<ChildStdin>,
    /// Something, or nobody to send it, once the server has ended.
    end: mpsc::Receiver<()>,
    stderr: Arc<Mutex<VecDeque<String>>>,
    ended: bool,
    /// What it said of itself, where that was not known before.
    pub announced: Option<Ready>,
    /// Where it listens.
    pub address: SocketAddr,
    /// From the start of its process until it was ready.
    pub ready_after: Duration,
}

/// Starts a server on `cpus`, in `group` where there is one, and waits until it is ready.
pub fn launch(
    recipe: &Recipe,
    cpus: &[u32],
    group: Option<&Path>,
    timeout: Duration,
    interrupt: &Interrupt,
) -> Result<Server, Trouble> {
    let began = Instant::now();
    let (mut server, lines) = start(recipe, cpus, group).map_err(|error| {
        Trouble::Failed(Failure {
            stage: Stage::Launch,
            reason: format!("{error:#}"),
            stderr: String::new(),
        })
    })?;
    server.address = server.wait_until_ready(&lines, &recipe.ready_by, timeout, interrupt)?;
    server.ready_after = began.elapsed();
    Ok(server)
}

/// Starts it, and gives the lines of its stdout for as long as somebody receives them.
fn start(
    recipe: &Recipe,
    cpus: &[u32],
    group: Option<&Path>,
) -> anyhow::Result<(Server, mpsc::Receiver<String>)> {
    let mut guard = guarded::command_in(group, cpus, &recipe.command)
        .envs(recipe.environment.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .context("cannot start a guard process")?;
    let (stdout, stderr) = (guard.stdout.take(), guard.stderr.take());
    let pid = guard.id();
    let (end_sender, end) = mpsc::channel();
    let (line_sender, lines) = mpsc::sync_channel(LINES_AHEAD);
    // From here on an error drops the server, and that ends it.
    let server = Server {
        lifeline: guard.stdin.take(),
        guard,
        end,
        stderr: Arc::default(),
        ended: false,
        announced: None,
        address: SocketAddr::from(([0, 0, 0, 0], 0)),
        ready_after: Duration::ZERO,
    };
    if let Some(pipe) = stdout {
        attend("stdout", move || pass_on_lines(pipe, &line_sender))?;
    }
    let kept = Arc::clone(&server.stderr);
    let reader = stderr
        .map(|pipe| attend("stderr", move || keep_last_lines(pipe, &kept)))
        .transpose()?;
    attend("end", move || {
        wait_for_end(pid);
        // What the server said last is in the pipe still; it ends, as the guard left nobody behind.
        if let Some(reader) = reader {
            let _ = reader.join();
        }
        let _ = end_sender.send(());
    })?;
    Ok((server, lines))
}

/// Waits for a child's end and leaves it to be reaped, so that its id stays its own.
fn wait_for_end(pid: u32) {
    let pid = Pid::from_raw(pid.cast_signed());
    while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
}

/// Passes lines on while somebody receives them, and drains the pipe ever after: a full one would stop
/// the server.
fn pass_on_lines(pipe: impl Read, receiver: &mpsc::SyncSender<String>) {
    let mut pipe = BufReader::new(pipe);
    while let Some(line) = next_line(&mut pipe) {
        if receiver.send(line).is_err() {
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
    }
}

fn keep_last_lines(pipe: impl Read, kept: &Mutex<VecDeque<String>>) {
    let mut pipe = BufReader::new(pipe);
    while let Some(mut line) = next_line(&mut pipe) {
        if let Some((cut, _)) = line.char_indices().nth(KEPT_STDERR_LINE_BYTES) {
            line.truncate(cut);
        }
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT_STDERR_LINES {
            kept.pop_front();
        }
        kept.push_back(line);
    }
}

/// A line without its end, or a piece of one that is too long; nothing at the end of the pipe.
fn next_line(pipe: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    let mut piece = pipe.take(LONGEST_LINE_BYTES);
    if piece.read_until(b'\n', &mut line).ok()? == 0 {
        return None;
    }
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    Some(String::from_utf8_lossy(line).into_owned())
}

impl Server {
    /// The process above the server's; the server is what lies below it.
    pub fn guard_pid(&self) -> i32 {
        self.guard.id().cast_signed()
    }

    /// The children of the server's main process.
    pub fn worker_pids(&self) -> Vec<i32> {
        let main = resources::children_of(self.guard_pid());
        main.into_iter().flat_map(resources::children_of).collect()
    }

    /// Whether the server has ended, waiting `patience` for it.
    pub fn has_ended(&mut self, patience: Duration) -> bool {
        self.ended |= self.end.recv_timeout(patience) != Err(RecvTimeoutError::Timeout);
        self.ended
    }

    /// A failure at `stage`, with what the server wrote to stderr.
    pub fn failure(&self, stage: Stage, reason: String) -> Trouble {
        let kept = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let stderr = kept
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("\n");
        Trouble::Failed(Failure {
            stage,
            reason,
            stderr,
        })
    }

    /// The failure that the server's end is.
    pub fn ended_at(&mut self, stage: Stage) -> Trouble {
        let how = self.reap();
        self.failure(
            stage,
            format!("the server ended by itself ({how}) before the trial was over"),
        )
    }

    fn wait_until_ready(
        &mut self,
        lines: &mpsc::Receiver<String>,
        ready_by: &ReadyBy,
        timeout: Duration,
        interrupt: &Interrupt,
    ) -> Result<SocketAddr, Trouble> {
        let deadline = Instant::now() + timeout;
        let mut worker_lines = 0;
        loop {
            let (askable, step) = match ready_by {
                ReadyBy::Answers { address, lines, .. } if worker_lines >= *lines => {
                    (Some(*address), ASK_EVERY)
                }
                ReadyBy::Forked { address, workers } => {
                    let all_there = self.worker_pids().len() >= *workers as usize;
                    (all_there.then_some(*address), ASK_EVERY)
                }
                _ => (None, LOOK_UP_EVERY),
            };
            if let Some(address) = askable
                && ready::answers(address)
            {
                return Ok(address);
            }
            let ended = match lines.recv_timeout(step) {
                Ok(line) => {
                    match ready_by {
                        ReadyBy::ReadyLine { model, workers } => {
                            let address = ready::address(&line, *model, *workers)
                                .map_err(|error| self.failure(Stage::Ready, error.to_string()))?;
                            if let Some(address) = address {
                                return Ok(address);
                            }
                        }
                        ReadyBy::AnyReadyLine => {
                            let announced = ready::announced(&line)
                                .map_err(|error| self.failure(Stage::Ready, error.to_string()))?;
                            if let Some(announced) = announced {
                                let address = announced.address;
                                self.announced = Some(announced);
                                return Ok(address);
                            }
                        }
                        ReadyBy::Answers { prefix, .. } => {
                            let started = line.starts_with(prefix) && line.ends_with("started");
                            worker_lines += u32::from(started);
                        }
                        ReadyBy::Forked { .. } => {}
                    }
                    // Its last words are heard before its end is looked for.
                    false
                }
                Err(RecvTimeoutError::Timeout) => self.has_ended(Duration::ZERO),
                Err(RecvTimeoutError::Disconnected) => self.has_ended(step),
            };
            if ended {
                let how = self.reap();
                return Err(self.failure(
                    Stage::Ready,
                    format!("the server ended ({how}) before it was ready; its stderr says why"),
                ));
            }
            if interrupt.is_set() {
                return Err(Trouble::Interrupted);
            }
            if Instant::now() >= deadline {
                let timeout = humantime::format_duration(timeout);
                return Err(self.failure(
                    Stage::Ready,
                    format!("the server was not ready within the ready timeout of {timeout}; see its stderr, or allow more with --ready-timeout"),
                ));
            }
        }
    }

    /// Ends the server. What did not go as it should is returned in words.
    pub fn stop(mut self) -> Option<String> {
        let asked = kill(Pid::from_raw(self.guard_pid()), Signal::SIGTERM);
        let in_time = self.has_ended(STOP_TIMEOUT);
        drop(self.lifeline.take());
        if !in_time {
            self.has_ended(KILL_TIMEOUT);
        }
        let how = self.reap();
        match (asked, in_time) {
            (Err(errno), _) => Some(format!("could not be asked to end: {errno}")),
            (_, false) => Some(format!(
                "did not end within {} of SIGTERM and was killed",
                humantime::format_duration(STOP_TIMEOUT)
            )),
            // 128 + SIGTERM: a guest that leaves the signal to its default.
            _ if how.is_success_or(128 + Signal::SIGTERM as i32) => None,
            _ => Some(format!("ended with {how} when asked to")),
        }
    }

    /// Reaps the guard, killing it and its group first if it lives still.
    fn reap(&mut self) -> Ending {
        drop(self.lifeline.take());
        if !self.has_ended(KILL_TIMEOUT) {
            // The group is the guard's own; it holds what the guard can no longer kill.
            let _ = kill(Pid::from_raw(-self.guard_pid()), Signal::SIGKILL);
        }
        Ending(self.guard.wait().ok().and_then(|status| status.code()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.reap();
    }
}

/// How the server ended, as the guard passed it on.
struct Ending(Option<i32>);

impl Ending {
    fn is_success_or(&self, other: i32) -> bool {
        self.0 == Some(0) || self.0 == Some(other)
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(code @ 129..=192) => match Signal::try_from(code - 128) {
                Ok(signal) => write!(f, "killed by {signal}"),
                Err(_) => write!(f, "killed by signal {}", code - 128),
            },
            Some(code) => write!(f, "exit code {code}"),
            None => write!(f, "killed together with its guard"),
        }
    }
}
