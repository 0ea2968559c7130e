//! What else goes on, on the CPUs that are measured on.
//!
//! Time that a hypervisor takes stands in /proc/stat, by CPU, in ticks of 10 ms. CPU time of other
//! programs does not stand there well enough: the kernel charges a whole tick to whoever runs as it
//! ends, and a server on a quota is stopped at ticks. So it is added up from the tasks themselves, whose
//! schedstat counts nanoseconds: every task but the kernel's own threads and those under measurement,
//! by the CPU it ran on last. Tasks and programs that end within the window count through
//! their process and their parent, once it has reaped them.
//!
//! Looking at every task takes milliseconds, so it is done before the window opens and after it has
//! closed, and shares are over that longer time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Instant,
};

use procfs::process::{Process, all_processes};
use schema::{Mark, MarkKind, Noise};

/// `PF_KTHREAD` of the kernel's sched.h.
const KERNEL_THREAD: u32 = 0x0020_0000;
/// A tick of /proc/stat and /proc/PID/stat.
const TICK_NS: u64 = 10_000_000;

/// Other programs may use this share of the CPUs.
const MOST_FOREIGN: f64 = 0.05;
/// A hypervisor may take this share of real cores: it is taken from the server.
const MOST_STOLEN: f64 = 0.05;
/// And this of CPUs with emulated cores, as it is taken from what their slots leave over first.
const MOST_STOLEN_FROM_SLOTS: f64 = 0.20;

/// What tasks had used and hypervisors had taken, at one moment.
pub struct Sight {
    at: Instant,
    stolen_ns: BTreeMap<u32, u64>,
    tasks: BTreeMap<i32, Task>,
}

#[derive(Clone, Copy)]
struct Task {
    process: i32,
    parent: i32,
    cpu: u32,
    used_ns: u64,
    /// Of tasks of its process that have ended, and of children it has reaped; with the first task of a
    /// process alone.
    ended_ns: u64,
}

/// CPUs by what they are for.
#[derive(Clone, Copy)]
pub struct Watched<'a> {
    /// Of the servers.
    pub server: &'a [u32],
    /// Of the generator.
    pub generator: &'a [u32],
    /// Whether servers have slots there.
    pub slots: bool,
}

impl Sight {
    /// Looks at every task of this machine that is not below `own`, the processes under measurement
    /// and this one.
    pub fn now(own: &BTreeSet<i32>) -> Self {
        let at = Instant::now();
        let mut tasks = BTreeMap::new();
        for process in all_processes().into_iter().flatten().flatten() {
            if !own.contains(&process.pid) {
                look_at(&process, &mut tasks);
            }
        }
        Self {
            at,
            stolen_ns: stolen_ns().unwrap_or_default(),
            tasks,
        }
    }

    /// What happened since `earlier` on the CPUs watched.
    pub fn since(
        &self,
        earlier: &Self,
        watched: Watched<'_>,
        run_queue_wait_ns: Option<u64>,
    ) -> Noise {
        let elapsed_ns = (self.at - earlier.at).as_nanos().max(1) as f64;
        let share = |ns: u64, cpus: &[u32]| ns as f64 / elapsed_ns / cpus.len().max(1) as f64;
        let stolen = self.stolen_since(earlier, watched.server);
        let on_server = self.foreign_since(earlier, watched.server);
        let on_generator = self.foreign_since(earlier, watched.generator);
        let most_stolen = if watched.slots {
            MOST_STOLEN_FROM_SLOTS
        } else {
            MOST_STOLEN
        };
        let broken = |kind, figure: f64, limit| {
            (figure > limit).then_some(Mark {
                kind,
                figure,
                limit,
            })
        };
        let marks = [
            broken(
                MarkKind::Stolen,
                stolen.map_or(0.0, |ns| share(ns, watched.server)),
                most_stolen,
            ),
            broken(
                MarkKind::ForeignCpu,
                share(on_server, watched.server),
                MOST_FOREIGN,
            ),
            broken(
                MarkKind::GeneratorKeptWaiting,
                share(on_generator, watched.generator),
                MOST_FOREIGN,
            ),
        ];
        Noise {
            stolen_ns: stolen,
            foreign_ns: Some(on_server),
            run_queue_wait_ns,
            marks: marks.into_iter().flatten().collect(),
        }
    }

    fn stolen_since(&self, earlier: &Self, cpus: &[u32]) -> Option<u64> {
        let of = |cpu| {
            let (now, then) = (self.stolen_ns.get(cpu)?, earlier.stolen_ns.get(cpu)?);
            Some(now.saturating_sub(*then))
        };
        cpus.iter().map(of).sum()
    }

    /// CPU time of tasks that ran on one of `cpus` last; of those that did so at one of the two moments,
    /// half of it.
    fn foreign_since(&self, earlier: &Self, cpus: &[u32]) -> u64 {
        let ended_ns = self.ended_since(earlier);
        let used = |(tid, now): (&i32, &Task)| {
            let then = earlier
                .tasks
                .get(tid)
                .filter(|then| then.process == now.process);
            // What began since has used all of it since.
            let used = now
                .used_ns
                .saturating_sub(then.map_or(0, |then| then.used_ns));
            let ended = now
                .ended_ns
                .saturating_sub(then.map_or(0, |then| then.ended_ns));
            // What they had used before the first look is in it too.
            let before = if *tid == now.process {
                ended_ns.get(&now.process).copied().unwrap_or(0)
            } else {
                0
            };
            let here = |task: &Task| u64::from(cpus.contains(&task.cpu));
            (used + ended.saturating_sub(before)) * (here(now) + here(then.unwrap_or(now))) / 2
        };
        self.tasks.iter().map(used).sum()
    }

    /// What tasks that have ended since had used before: by their process, or, where that has ended, by
    /// its parent.
    fn ended_since(&self, earlier: &Self) -> BTreeMap<i32, u64> {
        let alive: BTreeSet<i32> = self.tasks.values().map(|task| task.process).collect();
        let mut ended = BTreeMap::new();
        for (tid, task) in &earlier.tasks {
            if !self.tasks.contains_key(tid) {
                let heir = if alive.contains(&task.process) {
                    task.process
                } else {
                    task.parent
                };
                *ended.entry(heir).or_default() += task.used_ns + task.ended_ns;
            }
        }
        ended
    }
}

/// Every task of a process; one that ends meanwhile is left out.
fn look_at(process: &Process, tasks: &mut BTreeMap<i32, Task>) {
    let Ok(stat) = process.stat() else { return };
    if stat.flags & KERNEL_THREAD != 0 {
        return;
    }
    let reaped = u64::try_from(stat.cutime + stat.cstime).unwrap_or(0);
    let mut ended_ns = (stat.utime + stat.stime + reaped) * TICK_NS;
    for task in process.tasks().into_iter().flatten().flatten() {
        let (Ok(seen), Ok(schedule)) = (task.stat(), task.schedstat()) else {
            continue;
        };
        ended_ns = ended_ns.saturating_sub(schedule.sum_exec_runtime);
        let cpu = seen.processor.and_then(|cpu| u32::try_from(cpu).ok());
        let seen = Task {
            process: process.pid,
            parent: stat.ppid,
            cpu: cpu.unwrap_or(0),
            used_ns: schedule.sum_exec_runtime,
            ended_ns: 0,
        };
        tasks.insert(task.tid, seen);
    }
    if let Some(first) = tasks.get_mut(&process.pid) {
        first.ended_ns = ended_ns;
    }
}

/// Time a hypervisor has kept each CPU from this machine although it had work; the eighth figure of
/// its line in /proc/stat.
fn stolen_ns() -> Option<BTreeMap<u32, u64>> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let of_cpu = |line: &str| {
        let mut fields = line.strip_prefix("cpu")?.split_whitespace();
        let cpu = fields.next()?.parse().ok()?;
        let ticks: u64 = fields.nth(7)?.parse().ok()?;
        Some((cpu, ticks * TICK_NS))
    };
    Some(text.lines().filter_map(of_cpu).collect())
}

#[cfg(test)]
mod tests {
    use nix::{
        sched::{CpuSet, sched_getaffinity, sched_setaffinity},
        unistd::Pid,
    };

    use super::*;
    use std::{
        process::{Child, Command, Stdio},
        time::Duration,
    };

    fn used_by(pid: i32, sight: &Sight) -> Option<u64> {
        sight.tasks.get(&pid).map(|task| task.used_ns)
    }

    /// A program that never sleeps, on the first CPU there is: half of what a program has used that changed its
    /// CPU counts there.
    fn busy() -> Child {
        let child = Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
        let first = (0..CpuSet::count()).find(|&cpu| allowed.is_set(cpu).unwrap());
        let mut only = CpuSet::new();
        only.set(first.unwrap()).unwrap();
        sched_setaffinity(Pid::from_raw(child.id().cast_signed()), &only).unwrap();
        child
    }

    /// Looks until the process has used so much since `earlier`.
    fn look_until(pid: i32, earlier: &Sight, used: Duration) -> Sight {
        loop {
            let now = Sight::now(&BTreeSet::new());
            let since = used_by(pid, &now).unwrap() - used_by(pid, earlier).unwrap_or(0);
            if Duration::from_nanos(since) >= used {
                return now;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn another_program_on_the_servers_cpu_marks_the_trial_and_one_of_ours_does_not() {
        let mut hog = busy();
        let pid = hog.id().cast_signed();
        let earlier = Sight::now(&BTreeSet::new());
        let later = look_until(pid, &earlier, Duration::from_millis(100));
        hog.kill().unwrap();
        hog.wait().unwrap();
        let cpu = later.tasks[&pid].cpu;
        let watched = Watched {
            server: &[cpu],
            generator: &[],
            slots: false,
        };
        let noise = later.since(&earlier, watched, None);
        assert!(noise.foreign_ns.unwrap() >= 100_000_000, "{noise:?}");
        let share = noise.foreign_ns.unwrap() as f64 / (later.at - earlier.at).as_nanos() as f64;
        let marked = noise
            .marks
            .iter()
            .any(|mark| mark.kind == MarkKind::ForeignCpu);
        assert_eq!(marked, share > MOST_FOREIGN, "{noise:?}");
        let ours = Sight::now(&BTreeSet::from([std::process::id().cast_signed()]));
        assert!(used_by(std::process::id().cast_signed(), &ours).is_none());
    }

    #[test]
    fn what_a_child_had_used_before_is_not_held_against_its_parent() {
        let at = Instant::now();
        let task = |process, parent, used_ns, ended_ns| {
            let task = Task {
                process,
                parent,
                cpu: 0,
                used_ns,
                ended_ns,
            };
            (process, task)
        };
        let sight = |at, tasks: &[(i32, Task)]| Sight {
            at,
            stolen_ns: BTreeMap::new(),
            tasks: tasks.iter().copied().collect(),
        };
        let earlier = sight(at, &[task(1, 0, 50, 0), task(2, 1, 9_000, 500)]);
        let later = sight(at + Duration::from_secs(1), &[task(1, 0, 60, 9_800)]);
        // 10 by itself; its child used 300 more before it ended.
        assert_eq!(later.foreign_since(&earlier, &[0]), 310);
        assert_eq!(later.foreign_since(&earlier, &[1]), 0);
    }

    #[test]
    fn what_a_hypervisor_takes_is_held_against_the_limit_of_what_runs_there() {
        let at = Instant::now();
        let sight = |at, ns| Sight {
            at,
            stolen_ns: [(0, ns)].into(),
            tasks: BTreeMap::new(),
        };
        let (earlier, later) = (
            sight(at, 0),
            sight(at + Duration::from_secs(1), 100_000_000),
        );
        let marks = |slots| {
            let watched = Watched {
                server: &[0],
                generator: &[1],
                slots,
            };
            later.since(&earlier, watched, None).marks
        };
        assert_eq!(marks(false)[0].kind, MarkKind::Stolen);
        assert!((marks(false)[0].figure - 0.1).abs() < 1e-9);
        assert_eq!(marks(true), []);
    }

    #[test]
    fn every_cpu_has_its_stolen_time() {
        let online = std::thread::available_parallelism().unwrap().get();
        assert!(stolen_ns().unwrap().len() >= online.min(2) - 1);
    }
}
