//! A command that cannot outlive the harness.
//!
//! `counters guard [--cpus LIST] [--group DIR] -- COMMAND…` stands between the harness and everything it starts,
//! guests included, whose own children nobody here wrote:
//!
//! - its standard input is a pipe that the harness holds open; the pipe's end means that the harness
//!   is gone, by whatever death, and everything below is killed;
//! - it is a child subreaper: a process whose parent died, or that made itself a daemon, becomes
//!   its child, so none escapes by leaving its process group;
//! - SIGTERM is passed on, once; when the command has ended, whatever it left behind is killed;
//! - if the guard itself is killed, the kernel kills the command (`PR_SET_PDEATHSIG`).
//!
//! It exits as the command does; a command that cannot be started is told by 127 where there is none
//! and 126 otherwise, as shells tell it.
//!
//! It stays single-threaded and waits for events alone: signals by signalfd, the pipe by poll.

use std::{
    ffi::OsString,
    io,
    os::{
        fd::AsFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, Stdio},
};

use anyhow::Context;
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        prctl,
        signal::{SigSet, Signal, kill},
        signalfd::{SfdFlags, SignalFd},
        wait::{WaitPidFlag, waitpid},
    },
    unistd::Pid,
};

use crate::{cli::GuardArgs, exit::Exit, resources, say};

/// The exit code where there is no such command.
pub const NOT_FOUND: u8 = 127;
const NOT_STARTED: u8 = 126;

/// Runs the command to its end, or to the harness's.
pub fn guard(args: &GuardArgs) -> anyhow::Result<Exit> {
    if !args.cpus.is_empty() {
        ::cores::bind(&args.cpus)?;
    }
    if let Some(group) = &args.group {
        ::cores::join(group)?;
    }
    prctl::set_child_subreaper(true).context("cannot become a child subreaper")?;
    let watched = SigSet::from_iter([
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
    ]);
    watched.thread_block().context("cannot block signals")?;
    let signals = SignalFd::with_flags(&watched, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .context("cannot watch signals")?;
    let mut child = match spawn(&args.command, watched) {
        Ok(child) => child,
        Err(error) => {
            let command = args.command[0].display();
            say::line(format_args!("guard: cannot start {command}: {error}"));
            return Ok(Exit::Code(match error.kind() {
                io::ErrorKind::NotFound => NOT_FOUND,
                _ => NOT_STARTED,
            }));
        }
    };
    let ended = watch(&mut child, &signals);
    kill_all_below()?;
    Ok(match ended? {
        Some(status) => Exit::Code(status),
        None => Exit::Interrupted,
    })
}

// pre_exec is unsafe: its closure runs between fork and exec.
#[allow(unsafe_code)]
fn spawn(words: &[OsString], watched: SigSet) -> io::Result<Child> {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    // SAFETY: the closure makes two system calls that are async-signal-safe and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            watched.thread_unblock()?;
            Ok(())
        });
    }
    command.spawn()
}

/// Waits for the command's end (its exit code, as a shell gives it) or the harness's (nothing).
fn watch(child: &mut Child, signals: &SignalFd) -> anyhow::Result<Option<u8>> {
    let pid = pid_of(child)?;
    let stdin = io::stdin();
    loop {
        let mut events = [
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut events, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("cannot wait for events"),
        }
        let harness_gone = events[1].any().unwrap_or(false);
        while let Some(signal) = signals.read_signal().context("cannot read signals")? {
            if signal.ssi_signo != Signal::SIGCHLD as u32 {
                // The command may have ended already; then its exit is what is seen next.
                let _ = kill(pid, Signal::SIGTERM);
            }
        }
        if let Some(status) = child.try_wait().context("cannot wait for the command")? {
            let code = status
                .code()
                .or_else(|| status.signal().map(|signal| 128 + signal));
            return Ok(Some(
                code.and_then(|code| u8::try_from(code).ok())
                    .unwrap_or(u8::MAX),
            ));
        }
        reap_adopted(pid);
        if harness_gone {
            return Ok(None);
        }
    }
}

/// Reaps processes that fell to this one, but never the command: its end is read by its `Child`.
fn reap_adopted(command: Pid) {
    for adopted in children() {
        if adopted != command {
            let _ = waitpid(adopted, Some(WaitPidFlag::WNOHANG));
        }
    }
}

/// Kills children until there are none: those of a killed child become children of this process.
fn kill_all_below() -> anyhow::Result<()> {
    loop {
        let children = children();
        if children.is_empty() {
            return Ok(());
        }
        for &child in &children {
            let _ = kill(child, Signal::SIGKILL);
        }
        for child in children {
            match waitpid(child, None) {
                Ok(_) | Err(nix::errno::Errno::ECHILD | nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(errno).context("cannot reap what was killed"),
            }
        }
    }
}

fn children() -> Vec<Pid> {
    let own = std::process::id().cast_signed();
    resources::children_of(own)
        .into_iter()
        .map(Pid::from_raw)
        .collect()
}

fn pid_of(child: &Child) -> anyhow::Result<Pid> {
    Ok(Pid::from_raw(
        i32::try_from(child.id()).context("the process id is out of range")?,
    ))
}
