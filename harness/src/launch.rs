//! One server's life: start it behind a guard, wait until it is ready, watch it, end it.
//!
//! Order of events: the guard starts with the server's CPUs, a held-open pipe as its standard input
//! and a process group of its own, so that a terminal's Ctrl-C reaches the harness alone; the
//! server's stdout is read line by line until it is ready and drained afterwards; the end of the
//! stderr is kept for the report. [`Server::stop`] asks with SIGTERM, waits, and lets the guard kill
//! what is left. Dropping a [`Server`] kills it without asking.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use load::{Fed, Parser};
use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};
use schema::{Failure, Ready, SCHEMA_VERSION, Stage};

use crate::{
    contenders::{ReadyBy, Recipe},
    interrupt::Interrupt,
};

/// How long a server may take to end once asked; above the servers' own drain timeout of 5 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(8);
/// How long the guard may take to kill what is left.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a server that announces nothing is asked whether it answers.
const ASK_EVERY: Duration = Duration::from_millis(5);
/// How soon an interrupt is seen while nothing happens.
const LOOK_UP_EVERY: Duration = Duration::from_millis(50);
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

enum Event {
    Line(String),
    Ended,
}

/// A server that is ready.
pub struct Server {
    guard: Child,
    lifeline: Option<ChildStdin>,
    events: mpsc::Receiver<Event>,
    stderr: Arc<Mutex<VecDeque<String>>>,
    ended: bool,
    /// Where it listens.
    pub address: SocketAddr,
    /// From the start of its process until it was ready.
    pub ready_after: Duration,
}

/// Starts a server on `cpus` and waits until it is ready.
pub fn launch(
    recipe: &Recipe,
    cpus: &[u32],
    timeout: Duration,
    interrupt: &Interrupt,
) -> Result<Server, Trouble> {
    let began = Instant::now();
    let mut server = start(recipe, cpus).map_err(|error| {
        Trouble::Failed(Failure {
            stage: Stage::Launch,
            reason: format!("{error:#}"),
            stderr: String::new(),
        })
    })?;
    server.address = server.wait_until_ready(&recipe.ready_by, timeout, interrupt)?;
    server.ready_after = began.elapsed();
    Ok(server)
}

fn start(recipe: &Recipe, cpus: &[u32]) -> anyhow::Result<Server> {
    let cpus: Vec<String> = cpus.iter().map(ToString::to_string).collect();
    // This very program, even where a build has put another one in its place since.
    let mut guard = Command::new("/proc/self/exe")
        .arg("guard")
        .args(["--cpus", &cpus.join(",")])
        .arg("--")
        .args(&recipe.command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .context("cannot start a guard process")?;
    let (sender, events) = mpsc::channel();
    let stderr = Arc::new(Mutex::new(VecDeque::new()));
    if let Some(stdout) = guard.stdout.take() {
        let sender = sender.clone();
        thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                // Whatever becomes of the lines, the pipe must be drained to its end.
                let _ = sender.send(Event::Line(String::from_utf8_lossy(&line).into_owned()));
            }
        });
    }
    let reader = guard.stderr.take().map(|pipe| {
        let kept = Arc::clone(&stderr);
        thread::spawn(move || keep_last_lines(pipe, &kept))
    });
    let pid = guard.id();
    thread::spawn(move || {
        wait_for_end(pid);
        // What the server said last is in the pipe still; it ends, as the guard left nobody behind.
        if let Some(reader) = reader {
            let _ = reader.join();
        }
        let _ = sender.send(Event::Ended);
    });
    Ok(Server {
        lifeline: guard.stdin.take(),
        guard,
        events,
        stderr,
        ended: false,
        address: SocketAddr::from(([0, 0, 0, 0], 0)),
        ready_after: Duration::ZERO,
    })
}

/// Waits for a child's end and leaves it to be reaped, so that its id stays its own.
fn wait_for_end(pid: u32) {
    let pid = Pid::from_raw(pid.cast_signed());
    while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
}

fn keep_last_lines(pipe: impl Read, kept: &Mutex<VecDeque<String>>) {
    for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
        let mut line = String::from_utf8_lossy(&line).into_owned();
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

impl Server {
    /// The process above the server's; the server is what lies below it.
    pub fn guard_pid(&self) -> i32 {
        self.guard.id().cast_signed()
    }

    /// Whether the server has ended, waiting `patience` for it.
    pub fn has_ended(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while !self.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(Event::Ended) | Err(mpsc::RecvTimeoutError::Disconnected) => self.ended = true,
                Ok(Event::Line(_)) => {}
                Err(mpsc::RecvTimeoutError::Timeout) => return false,
            }
        }
        true
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
        ready_by: &ReadyBy,
        timeout: Duration,
        interrupt: &Interrupt,
    ) -> Result<SocketAddr, Trouble> {
        let deadline = Instant::now() + timeout;
        let mut worker_lines = 0;
        loop {
            let step = match ready_by {
                ReadyBy::Answers { address, lines, .. } if worker_lines >= *lines => {
                    if answers(*address) {
                        return Ok(*address);
                    }
                    ASK_EVERY
                }
                _ => LOOK_UP_EVERY,
            };
            match self.events.recv_timeout(step) {
                Ok(Event::Line(line)) => match ready_by {
                    ReadyBy::ReadyLine => {
                        if let Some(address) = self.read_ready(&line)? {
                            return Ok(address);
                        }
                    }
                    ReadyBy::Answers { prefix, .. } => {
                        let started = line.starts_with(prefix) && line.ends_with("started");
                        worker_lines += u32::from(started);
                    }
                },
                Ok(Event::Ended) | Err(mpsc::RecvTimeoutError::Disconnected) => {
                    self.ended = true;
                    let how = self.reap();
                    return Err(self.failure(
                        Stage::Ready,
                        format!(
                            "the server ended ({how}) before it was ready; its stderr says why"
                        ),
                    ));
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
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

    /// The address in a ready line; nothing in any other line.
    fn read_ready(&self, line: &str) -> Result<Option<SocketAddr>, Trouble> {
        if !line.starts_with('{') {
            return Ok(None);
        }
        match serde_json::from_str::<Ready>(line) {
            Ok(ready) if ready.schema_version == SCHEMA_VERSION => Ok(Some(ready.address)),
            Ok(ready) => Err(self.failure(
                Stage::Ready,
                format!(
                    "the server's ready line has schema version {}, this program knows {SCHEMA_VERSION}; \
                     build both from the same checkout: cargo build --release",
                    ready.schema_version
                ),
            )),
            Err(_) => Ok(None),
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

/// Whether a whole answer comes from there.
fn answers(address: SocketAddr) -> bool {
    let patience = Duration::from_secs(1);
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        write!(
            stream,
            "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )?;
        let (mut parser, mut buffer) = (Parser::default(), [0; 4096]);
        loop {
            let length = stream.read(&mut buffer)?;
            if length == 0 {
                return Ok(parser.close().is_ok());
            }
            match parser.feed(&buffer[..length]) {
                Ok(Fed::Whole { .. }) => return Ok(true),
                Ok(Fed::Partial) => {}
                Err(_) => return Ok(false),
            }
        }
    };
    ask().unwrap_or(false)
}
