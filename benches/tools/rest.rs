//! Waiting until nobody of a tree of processes runs.
//!
//! The clock of a process that runs on another CPU is behind by up to a tick (see [`tree`]); that of a
//! process that sleeps is right. Whoever gives a server work and waits for its rest before and after can
//! read what the work took, exactly.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;
use nix::unistd::Pid;
use procfs::process::Process;

use super::tree;

/// Whoever has had no work for so long and still runs does something of its own.
const AT_MOST: Duration = Duration::from_secs(10);

/// Between two looks.
const PAUSE: Duration = Duration::from_micros(100);

/// Wait until every thread of `process` and of those below it sleeps. Nobody may give them work meanwhile.
///
/// # Errors
/// They do not come to rest.
pub fn await_rest(process: Pid) -> anyhow::Result<()> {
    let began = Instant::now();
    while is_anyone_running(process) {
        ensure!(
            began.elapsed() < AT_MOST,
            "process {process} has run for {} s without being given work; it may be in a loop",
            AT_MOST.as_secs()
        );
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Whoever has ended meanwhile does not run.
fn is_anyone_running(process: Pid) -> bool {
    let Ok(tasks) = Process::new(process.as_raw()).and_then(|process| process.tasks()) else {
        return false;
    };
    let mut states = tasks.filter_map(|task| Some(task.ok()?.stat().ok()?.state));
    // D: in the kernel, and back soon.
    states.any(|state| matches!(state, 'R' | 'D'))
        || tree::children(process).into_iter().any(is_anyone_running)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        process::{Command, Stdio},
    };

    use super::*;

    #[test]
    fn a_child_of_a_sleeping_process_is_waited_for() {
        let script =
            "echo begun; while read -r word _; do [ $word = end ] && break; done; read -r word";
        let mut shell = Command::new("sh")
            .args(["-c", &format!("sh -c '{script}'; true")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(shell.id().cast_signed());
        let (mut begun, mut input) = (shell.stdout.take().unwrap(), shell.stdin.take().unwrap());
        begun.read_exact(&mut [0; 5]).unwrap();
        let work = "go on\n".repeat(5000) + "end\n";
        input.write_all(work.as_bytes()).unwrap();
        await_rest(pid).unwrap();
        assert!(!is_anyone_running(pid));
        let before = tree::used_below(pid);
        assert!(before > Duration::ZERO);
        assert_eq!(tree::used_below(pid), before);
        input.write_all(b"bye\n").unwrap();
        shell.wait().unwrap();
    }

    #[test]
    fn a_process_that_is_not_there_is_at_rest() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        child.wait().unwrap();
        await_rest(pid).unwrap();
    }
}
