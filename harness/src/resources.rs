//! What a process tree uses, from /proc and the processes' CPU clocks.
//!
//! CPU time in all comes from each process's CPU clock (`clock_getcpuclockid`), which counts
//! nanoseconds; /proc's user and system times count in ticks of 10 ms and only divide it. Children
//! that were reaped count through their parent, so a worker that dies in the window is not lost.
//!
//! The tree is found by parent ids over all of /proc: the kernel's own list of children is not
//! compiled into every kernel.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use nix::{sys::time::TimeValLike, time::clock_getcpuclockid, unistd::Pid};
use procfs::process::{Process, Stat, all_processes};
use schema::{CpuTime, TreeUsage};

/// Sums over a process tree since its processes began.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    cpu_ns: u64,
    user_ticks: u64,
    system_ticks: u64,
    voluntary_switches: u64,
    involuntary_switches: u64,
    processes: u32,
    threads: u32,
}

/// Children of a process, itself not among them.
pub fn children_of(parent: i32) -> Vec<i32> {
    stats()
        .into_iter()
        .filter(|stat| stat.ppid == parent)
        .map(|stat| stat.pid)
        .collect()
}

/// Everything below `root`, itself not among them.
pub fn descendants_of(root: i32) -> BTreeSet<i32> {
    let mut by_parent: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for stat in stats() {
        by_parent.entry(stat.ppid).or_default().push(stat.pid);
    }
    let mut found = BTreeSet::new();
    let mut open = vec![root];
    while let Some(parent) = open.pop() {
        for &child in by_parent.get(&parent).into_iter().flatten() {
            if found.insert(child) {
                open.push(child);
            }
        }
    }
    found
}

/// All processes that can be read; one that ends meanwhile is left out.
fn stats() -> Vec<Stat> {
    let Ok(processes) = all_processes() else {
        return Vec::new();
    };
    processes
        .filter_map(|process| process.ok()?.stat().ok())
        .collect()
}

impl Counters {
    /// Reads the counters of everything below `root`.
    ///
    /// # Errors
    /// Where nothing is below it, or a process's clock cannot be read.
    pub fn below(root: i32) -> anyhow::Result<Self> {
        let processes = descendants_of(root);
        if processes.is_empty() {
            bail!("the server's process is gone");
        }
        let mut sum = Self::default();
        for pid in processes {
            // A process that ends between the two looks counts through its parent at the next one.
            let _ = sum.add(pid);
        }
        if sum.processes == 0 {
            bail!("/proc shows none of the server's processes; is it mounted with hidepid?");
        }
        Ok(sum)
    }

    fn add(&mut self, pid: i32) -> anyhow::Result<()> {
        let process = Process::new(pid)?;
        let stat = process.stat()?;
        let clock = clock_getcpuclockid(Pid::from_raw(pid))?.now()?;
        let ns_per_tick = 1_000_000_000 / procfs::ticks_per_second();
        let reaped = u64::try_from(stat.cutime + stat.cstime).unwrap_or(0);
        self.cpu_ns += u64::try_from(clock.num_nanoseconds())? + reaped * ns_per_tick;
        self.user_ticks += stat.utime + u64::try_from(stat.cutime).unwrap_or(0);
        self.system_ticks += stat.stime + u64::try_from(stat.cstime).unwrap_or(0);
        for task in process.tasks()? {
            let status = task?.status()?;
            self.voluntary_switches += status.voluntary_ctxt_switches.unwrap_or(0);
            self.involuntary_switches += status.nonvoluntary_ctxt_switches.unwrap_or(0);
            self.threads += 1;
        }
        self.processes += 1;
        Ok(())
    }

    /// What was used between `earlier` and now; memory is read by [`pss_below`].
    pub fn since(&self, earlier: &Self, pss_bytes: Option<u64>) -> TreeUsage {
        let cpu_ns = self.cpu_ns.saturating_sub(earlier.cpu_ns);
        let user = self.user_ticks.saturating_sub(earlier.user_ticks);
        let system = self.system_ticks.saturating_sub(earlier.system_ticks);
        let user_ns = if user + system == 0 {
            cpu_ns
        } else {
            // Through u128: nanoseconds times ticks can pass 64 bits in a long window.
            let share = u128::from(cpu_ns) * u128::from(user) / u128::from(user + system);
            u64::try_from(share).unwrap_or(cpu_ns)
        };
        TreeUsage {
            cpu: CpuTime {
                user_ns,
                system_ns: cpu_ns - user_ns,
            },
            voluntary_switches: self
                .voluntary_switches
                .saturating_sub(earlier.voluntary_switches),
            involuntary_switches: self
                .involuntary_switches
                .saturating_sub(earlier.involuntary_switches),
            pss_bytes,
            processes: self.processes,
            threads: self.threads,
        }
    }
}

/// Proportional set size of everything below `root`; nothing where the kernel refuses it.
pub fn pss_below(root: i32) -> anyhow::Result<Option<u64>> {
    let mut sum = 0;
    for pid in descendants_of(root) {
        let rollup = match Process::new(pid).and_then(|process| process.smaps_rollup()) {
            Ok(rollup) => rollup,
            Err(procfs::ProcError::NotFound(_)) => continue,
            Err(procfs::ProcError::PermissionDenied(_)) => return Ok(None),
            Err(error) => return Err(error).context("cannot read a process's memory figures"),
        };
        for map in &rollup.memory_map_rollup {
            sum += map.extension.map.get("Pss").copied().unwrap_or(0);
        }
    }
    Ok(Some(sum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_tree_is_found_below_its_root_with_its_threads_and_memory() {
        let mut shell = Command::new("sh")
            .args(["-c", "cat & echo started; cat; wait"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = shell.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        let own = std::process::id().cast_signed();
        let shell_id = shell.id().cast_signed();
        assert!(children_of(own).contains(&shell_id));
        assert!(descendants_of(own).len() >= 2);
        let counters = Counters::below(own).unwrap();
        assert!(counters.processes >= 2 && counters.threads >= counters.processes);
        assert!(pss_below(own).unwrap().is_some_and(|bytes| bytes > 0));
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }

    #[test]
    fn user_and_system_time_add_up_to_the_clock() {
        let earlier = Counters {
            cpu_ns: 1_000,
            user_ticks: 1,
            system_ticks: 1,
            ..Counters::default()
        };
        let later = Counters {
            cpu_ns: 1_001_000,
            user_ticks: 4,
            system_ticks: 2,
            ..Counters::default()
        };
        let usage = later.since(&earlier, None);
        assert_eq!(
            usage.cpu,
            CpuTime {
                user_ns: 750_000,
                system_ns: 250_000
            }
        );
    }
}
