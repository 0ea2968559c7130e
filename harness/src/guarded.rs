//! Commands that end with this program, whatever its death: the harness's side of a [`crate::guard`].
//!
//! The guard's standard input is the lifeline. Whoever spawns a [`command`] takes it out of the child
//! and holds it for as long as the command may live; letting go of it has everything below the guard
//! killed. [`Child::wait`] lets go of it too, where it was not taken out.
//!
//! [`Child::wait`]: std::process::Child::wait

use std::{
    ffi::OsString,
    path::Path,
    process::{Command, ExitStatus, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::Context;

/// How long a guard may take to kill what is below it.
pub const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// A command behind a guard, bound to `cpus` where there are any.
pub fn command(cpus: &[u32], command: &[OsString]) -> Command {
    command_in(None, cpus, command)
}

/// The same, in a control group where one is given.
pub fn command_in(group: Option<&Path>, cpus: &[u32], command: &[OsString]) -> Command {
    // This very program, even where a build has put another one in its place since.
    let mut guard = Command::new("/proc/self/exe");
    guard.arg("guard");
    if !cpus.is_empty() {
        let cpus: Vec<String> = cpus.iter().map(ToString::to_string).collect();
        guard.args(["--cpus", &cpus.join(",")]);
    }
    if let Some(group) = group {
        guard.arg("--group").arg(group);
    }
    guard.arg("--").args(command).stdin(Stdio::piped());
    guard
}

/// Runs a [`command`] to its end.
pub fn status(mut command: Command) -> anyhow::Result<ExitStatus> {
    let mut guard = command.spawn().context("cannot start a guard process")?;
    let _lifeline = guard.stdin.take();
    guard.wait().context("cannot wait for a guard process")
}

/// What a [`command`] prints and how it ends; nothing where it takes longer than `patience`, and then
/// it is killed.
pub fn output_within(mut command: Command, patience: Duration) -> anyhow::Result<Option<Output>> {
    let mut guard = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start a guard process")?;
    let lifeline = guard.stdin.take();
    let (sender, ended) = mpsc::channel();
    attend("output", move || {
        // The receiver is gone only where nobody waits for an answer any more.
        let _ = sender.send(guard.wait_with_output());
    })?;
    if let Ok(output) = ended.recv_timeout(patience) {
        return Ok(Some(output.context("cannot read a command's output")?));
    }
    drop(lifeline);
    // Until the guard has done so, and is reaped.
    let _ = ended.recv_timeout(KILL_TIMEOUT);
    Ok(None)
}

/// A thread that attends to one of a guard's pipes, or its end.
pub fn attend<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<thread::JoinHandle<T>> {
    thread::Builder::new()
        .name(what.to_owned())
        .spawn(work)
        .context("cannot start a thread; raise the limit of processes (ulimit -u)")
}
