//! What a process tree uses, from /proc and the processes' CPU clocks.
//!
//! CPU time in all comes from each process's CPU clock (`clock_getcpuclockid`), which counts
//! nanoseconds; /proc's user and system times count in ticks of 10 ms and only divide it. Children
//! that were reaped count through their parent, so a worker that dies in the window is not lost.
//!
//! Order of events: finding trees reads all of /proc and takes milliseconds, so it can be done ahead
//! of time ([`Forest::below`]); reading them ([`Forest::read`]) takes all CPU clocks first, back to back,
//! within microseconds, and everything that is slower to read and matters less afterwards. Processes
//! that began since the tree was found are not in it: where workers may have been replaced, find it
//! anew. A process that is reaped while one reading is under way may be missed or counted twice.
//!
//! Context switches are counted by thread. The kernel shows nobody the switches of a thread that has
//! ended, so what it did since the earlier reading is lost, and only that.
//!
//! The tree is found by parent ids over all of /proc: the kernel's own list of children is not
//! compiled into every kernel.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, bail};
use nix::{
    sys::time::{TimeSpec, TimeValLike},
    time::{ClockId, clock_getcpuclockid},
    unistd::Pid,
};
use procfs::{
    ProcError,
    process::{Process, Stat, all_processes},
};
use schema::{CpuTime, TreeUsage};

/// The processes below one root, found once, with their CPU clocks.
#[derive(Clone, Debug)]
struct Tree(Vec<(i32, ClockId)>);

/// The processes below each of several roots.
#[derive(Clone, Debug)]
pub struct Forest(BTreeMap<i32, Tree>);

/// Sums over a process tree since its processes began.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    cpu_ns: u64,
    user_ticks: u64,
    system_ticks: u64,
    /// By thread id.
    switches: BTreeMap<i32, Switches>,
    /// By thread id, ns; empty where the kernel does not tell.
    run_queue_wait_ns: BTreeMap<i32, u64>,
    processes: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Switches {
    voluntary: u64,
    involuntary: u64,
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
    below(root, &by_parent())
}

fn by_parent() -> BTreeMap<i32, Vec<i32>> {
    let mut by_parent: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for stat in stats() {
        by_parent.entry(stat.ppid).or_default().push(stat.pid);
    }
    by_parent
}

fn below(root: i32, by_parent: &BTreeMap<i32, Vec<i32>>) -> BTreeSet<i32> {
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

impl Forest {
    /// Finds everything below each root, the roots not among them; /proc is read once.
    pub fn below(roots: &[i32]) -> Self {
        let by_parent = by_parent();
        let tree = |&root: &i32| (root, Tree::of(below(root, &by_parent)));
        Self(roots.iter().map(tree).collect())
    }

    /// Reads every tree, by root: all CPU clocks first.
    pub fn read(&self) -> BTreeMap<i32, anyhow::Result<Counters>> {
        let clocks: Vec<_> = self
            .0
            .iter()
            .map(|(&root, tree)| (root, tree.clocks()))
            .collect();
        clocks
            .into_iter()
            .map(|(root, clocks)| (root, Counters::of(clocks)))
            .collect()
    }
}

impl Tree {
    fn of(processes: BTreeSet<i32>) -> Self {
        let clock = |pid| Some((pid, clock_getcpuclockid(Pid::from_raw(pid)).ok()?));
        Self(processes.into_iter().filter_map(clock).collect())
    }

    /// The CPU clocks of those that live still.
    fn clocks(&self) -> Vec<(i32, TimeSpec)> {
        self.0
            .iter()
            .filter_map(|&(pid, clock)| Some((pid, clock.now().ok()?)))
            .collect()
    }
}

impl Counters {
    /// Reads those that live still; the others count through their parents.
    ///
    /// # Errors
    /// Where none does.
    fn of(clocks: Vec<(i32, TimeSpec)>) -> anyhow::Result<Self> {
        let mut sum = Self::default();
        for (pid, clock) in clocks {
            let ns =
                u64::try_from(clock.num_nanoseconds()).context("a CPU clock runs backwards")?;
            // A process that has ended meanwhile counts through its parent.
            let _ = sum.add(pid, ns);
        }
        if sum.processes == 0 {
            bail!(
                "the server's processes are gone, or /proc does not show them (is it mounted with hidepid?)"
            );
        }
        Ok(sum)
    }

    fn add(&mut self, pid: i32, clock_ns: u64) -> anyhow::Result<()> {
        let process = Process::new(pid)?;
        let stat = process.stat()?;
        let tasks = process.tasks()?;
        let ns_per_tick = 1_000_000_000 / procfs::ticks_per_second();
        let reaped = u64::try_from(stat.cutime + stat.cstime).unwrap_or(0);
        self.cpu_ns += clock_ns + reaped * ns_per_tick;
        self.user_ticks += stat.utime + u64::try_from(stat.cutime).unwrap_or(0);
        self.system_ticks += stat.stime + u64::try_from(stat.cstime).unwrap_or(0);
        self.processes += 1;
        for task in tasks.flatten() {
            // Threads come and go, of the process's own accord.
            let Ok(status) = task.status() else { continue };
            let switches = Switches {
                voluntary: status.voluntary_ctxt_switches.unwrap_or(0),
                involuntary: status.nonvoluntary_ctxt_switches.unwrap_or(0),
            };
            self.switches.insert(task.tid, switches);
            if let Ok(schedule) = task.schedstat() {
                self.run_queue_wait_ns.insert(task.tid, schedule.run_delay);
            }
        }
        Ok(())
    }

    /// Switches since `earlier`; those of a thread that began since then are all new.
    fn switches_since(&self, earlier: &Self) -> Switches {
        let mut sum = Switches::default();
        for (thread, now) in &self.switches {
            let then = earlier.switches.get(thread).copied().unwrap_or_default();
            sum.voluntary += now.voluntary.saturating_sub(then.voluntary);
            sum.involuntary += now.involuntary.saturating_sub(then.involuntary);
        }
        sum
    }

    /// Time that threads could have run but waited for a CPU, since `earlier`, ns.
    pub fn run_queue_wait_since(&self, earlier: &Self) -> Option<u64> {
        let wait = |(thread, now): (&i32, &u64)| {
            let then = earlier.run_queue_wait_ns.get(thread).unwrap_or(&0);
            now.saturating_sub(*then)
        };
        let known = !self.run_queue_wait_ns.is_empty();
        known.then(|| self.run_queue_wait_ns.iter().map(wait).sum())
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
        let switches = self.switches_since(earlier);
        TreeUsage {
            cpu: CpuTime {
                user_ns,
                system_ns: cpu_ns - user_ns,
            },
            voluntary_switches: switches.voluntary,
            involuntary_switches: switches.involuntary,
            pss_bytes,
            processes: self.processes,
            threads: u32::try_from(self.switches.len()).unwrap_or(u32::MAX),
        }
    }
}

/// Proportional set size of everything below `root`; nothing where the kernel does not tell.
pub fn pss_below(root: i32) -> anyhow::Result<Option<u64>> {
    pss_of(Path::new("/proc"), &descendants_of(root))
}

fn pss_of(proc: &Path, processes: &BTreeSet<i32>) -> anyhow::Result<Option<u64>> {
    let mut sum = None;
    for pid in processes {
        let folder = proc.join(pid.to_string());
        let process = Process::new_with_root(folder.clone());
        let rollup = match process.and_then(|process| process.smaps_rollup()) {
            Ok(rollup) => rollup,
            // Not every kernel has the file; a process that has ended has no memory to show.
            Err(ProcError::NotFound(_)) => {
                if !folder.join("smaps_rollup").exists() && folder.exists() {
                    return Ok(None);
                }
                continue;
            }
            Err(ProcError::PermissionDenied(_)) => return Ok(None),
            Err(error) => return Err(error).context("cannot read a process's memory figures"),
        };
        for map in &rollup.memory_map_rollup {
            if let Some(bytes) = map.extension.map.get("Pss") {
                sum = Some(sum.unwrap_or(0) + bytes);
            }
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{BufRead, BufReader, Write},
        process::{Child, ChildStdout, Command, Stdio},
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    /// A shell and what it runs, alive until told.
    struct Shell {
        child: Child,
        said: BufReader<ChildStdout>,
    }

    impl Shell {
        fn run(script: &str) -> Self {
            let mut child = Command::new("sh")
                .args(["-c", script])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let said = BufReader::new(child.stdout.take().unwrap());
            Self { child, said }
        }

        fn pid(&self) -> i32 {
            self.child.id().cast_signed()
        }

        fn line(&mut self) -> String {
            let mut line = String::new();
            self.said.read_line(&mut line).unwrap();
            line.trim().to_owned()
        }

        fn tell(&mut self) {
            writeln!(self.child.stdin.as_mut().unwrap()).unwrap();
        }

        fn end(mut self) {
            drop(self.child.stdin.take());
            self.child.wait().unwrap();
        }
    }

    // Shells give a background command /dev/null as standard input, but leave it other descriptors.
    const WITH_A_CHILD: &str = "exec 3<&0; cat <&3 & echo $!; cat; wait";

    #[test]
    fn a_tree_is_found_below_its_root_with_its_threads_and_memory() {
        let mut shell = Shell::run(WITH_A_CHILD);
        let cat: i32 = shell.line().parse().unwrap();
        let own = std::process::id().cast_signed();
        assert!(children_of(own).contains(&shell.pid()));
        assert!(children_of(shell.pid()).contains(&cat));
        assert!(descendants_of(own).is_superset(&[shell.pid(), cat].into()));
        let mut read = Forest::below(&[own]).read();
        let usage = read
            .remove(&own)
            .unwrap()
            .unwrap()
            .since(&Counters::default(), None);
        assert!(usage.processes >= 2 && usage.threads >= usage.processes);
        assert!(usage.cpu.total_ns() > 0);
        assert!(pss_below(own).unwrap().is_some_and(|bytes| bytes > 0));
        shell.end();
    }

    fn tree_of(processes: &[i32]) -> Tree {
        Tree::of(processes.iter().copied().collect())
    }

    fn read(tree: &Tree) -> anyhow::Result<Counters> {
        Counters::of(tree.clocks())
    }

    #[test]
    fn a_tree_that_has_lost_a_process_is_read_without_it() {
        let mut shell = Shell::run("exec 3<&0; read line <&3 & echo $!; wait; echo gone; cat");
        let child = shell.line().parse().unwrap();
        let tree = tree_of(&[shell.pid(), child]);
        assert_eq!(read(&tree).unwrap().processes, 2);
        shell.tell();
        assert_eq!(shell.line(), "gone");
        assert_eq!(read(&tree).unwrap().processes, 1);
        shell.end();
        assert!(read(&tree).is_err());
    }

    #[test]
    fn a_process_whose_threads_come_and_go_is_never_lost() {
        let tree = tree_of(&[std::process::id().cast_signed()]);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    // Many at once, so that some end while the list of threads is being read.
                    thread::scope(|batch| (0..32).for_each(|_| drop(batch.spawn(|| {}))));
                }
            });
            let all_read = (0..300).all(|_| read(&tree).is_ok_and(|now| now.switches.len() >= 2));
            stop.store(true, Ordering::Relaxed);
            assert!(all_read);
        });
    }

    #[test]
    fn switches_of_a_thread_that_ended_take_nothing_from_the_others() {
        let counters = |switches: &[(i32, u64)]| Counters {
            switches: switches
                .iter()
                .map(|&(thread, voluntary)| {
                    let switches = Switches {
                        voluntary,
                        involuntary: 1,
                    };
                    (thread, switches)
                })
                .collect(),
            ..Counters::default()
        };
        let earlier = counters(&[(1, 10), (2, 5_000)]);
        let later = counters(&[(1, 30), (3, 7)]);
        let usage = later.since(&earlier, None);
        assert_eq!(
            (usage.voluntary_switches, usage.involuntary_switches),
            (27, 1)
        );
    }

    #[test]
    fn memory_that_the_kernel_does_not_show_is_absent_and_not_zero() {
        let proc = tempfile::tempdir().unwrap();
        let own = std::process::id().cast_signed();
        let stat = std::fs::read("/proc/self/stat").unwrap();
        let folder = proc.path().join(own.to_string());
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("stat"), stat).unwrap();
        assert_eq!(pss_of(proc.path(), &[own].into()).unwrap(), None);
        assert_eq!(pss_of(proc.path(), &BTreeSet::new()).unwrap(), None);
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
