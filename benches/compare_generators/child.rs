//! A child that keeps to one CPU, cannot outlive this program, and says what CPU time it took.
//!
//! The CPU time is what the kernel adds to this process's reaped children
//! (`getrusage(RUSAGE_CHILDREN)`) when the child is reaped, so it covers the child from its first
//! instruction to its last and all that it has waited for itself. Nothing else may be reaped
//! meanwhile: one child is run at a time, and the server is not reaped before the end.
//!
//! All children are started by the main thread: the kernel's promise to kill them is kept when the
//! *thread* that started them ends.

use std::{
    ffi::OsStr,
    io::{self, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, bail};
use nix::{
    errno::Errno,
    sched::{CpuSet, sched_setaffinity},
    sys::{
        prctl,
        resource::{UsageWho, getrusage},
        signal::Signal,
        time::TimeValLike,
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::{Pid, getpid, getppid},
};

/// A child that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// What it said.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
    /// CPU time in user mode.
    pub user_ns: u64,
    /// CPU time in the kernel.
    pub system_ns: u64,
}

/// Starts a program on one CPU; it is killed when this thread ends.
// pre_exec is unsafe: its closure runs between fork and exec.
#[allow(unsafe_code)]
pub fn spawn(
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    cpu: usize,
    stderr: Stdio,
) -> anyhow::Result<Child> {
    let mut only = CpuSet::new();
    only.set(cpu)
        .with_context(|| format!("CPU {cpu} is out of range"))?;
    let parent = getpid();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr);
    // SAFETY: the closure makes system calls that are async-signal-safe and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            // The parent may have died before the call above, which then promises nothing.
            if getppid() != parent {
                return Err(io::Error::from(Errno::ESRCH));
            }
            sched_setaffinity(Pid::from_raw(0), &only)?;
            Ok(())
        });
    }
    command
        .spawn()
        .with_context(|| format!("cannot start {} on CPU {cpu}", program.display()))
}

/// Runs a program on one CPU to its end, and no longer than `limit`.
pub fn run(
    program: &Path,
    arguments: &[String],
    cpu: usize,
    limit: Duration,
) -> anyhow::Result<Ended> {
    let (user_before, system_before) = reaped_cpu_time()?;
    let mut child = spawn(program, arguments, cpu, Stdio::piped())?;
    let stdout = child.stdout.take().map(read_all);
    let stderr = child.stderr.take().map(read_all);
    let in_time = ends_within(&child, limit);
    if !in_time {
        child.kill().context("cannot kill what takes too long")?;
    }
    let status = child.wait().context("cannot wait for the end")?;
    let (user_after, system_after) = reaped_cpu_time()?;
    let (stdout, stderr) = (said(stdout), said(stderr));
    if !in_time {
        bail!(
            "it was killed as it had not ended after {} s",
            limit.as_secs()
        );
    }
    Ok(Ended {
        status,
        stdout,
        stderr,
        user_ns: user_after - user_before,
        system_ns: system_after - system_before,
    })
}

fn read_all(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is worth reading all the same.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

fn said(reader: Option<JoinHandle<Vec<u8>>>) -> String {
    let bytes = reader.and_then(|reader| reader.join().ok());
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}

/// Whether a child ends in time; it is left to be reaped either way, so that its id stays its own.
fn ends_within(child: &Child, limit: Duration) -> bool {
    let pid = Pid::from_raw(child.id().cast_signed());
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(pid), flags) == Err(Errno::EINTR) {}
        // Nobody listens any more where it came too late.
        let _ = sender.send(());
    });
    ended.recv_timeout(limit).is_ok()
}

/// User and system CPU time of all children reaped so far, in ns.
fn reaped_cpu_time() -> anyhow::Result<(u64, u64)> {
    let usage =
        getrusage(UsageWho::RUSAGE_CHILDREN).context("cannot read the CPU time of children")?;
    let ns = |time: nix::sys::time::TimeVal| u64::try_from(time.num_nanoseconds()).unwrap_or(0);
    Ok((ns(usage.user_time()), ns(usage.system_time())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpus;

    fn shell(script: &str, limit: Duration) -> anyhow::Result<Ended> {
        let cpu = cpus::allowed().unwrap()[0];
        let arguments = ["-c".to_owned(), script.to_owned()];
        run(Path::new("/bin/sh"), &arguments, cpu, limit)
    }

    #[test]
    fn a_child_keeps_to_its_cpu_and_all_it_says_is_kept() {
        let cpu = cpus::allowed().unwrap()[0];
        let ended = shell(
            "grep Cpus_allowed_list /proc/self/status; echo trouble >&2; exit 3",
            Duration::from_mins(1),
        )
        .unwrap();
        assert_eq!(ended.status.code(), Some(3));
        assert_eq!(
            ended.stdout.split_whitespace().last(),
            Some(&*cpu.to_string())
        );
        assert_eq!(ended.stderr, "trouble\n");
    }

    #[test]
    fn cpu_time_is_that_of_the_child_and_of_what_it_waited_for() {
        let busy = "sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'";
        let ended = shell(busy, Duration::from_mins(1)).unwrap();
        assert!(ended.user_ns + ended.system_ns > 0);
    }

    #[test]
    fn a_child_that_never_ends_is_killed_and_named_so() {
        let error = shell("exec sleep 1000", Duration::from_millis(1)).unwrap_err();
        assert!(error.to_string().contains("had not ended"), "{error}");
    }
}
