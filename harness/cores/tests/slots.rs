//! Slots made by the kernel of this machine, under whichever version of cgroups it has.
//!
//! Each test works in a group of its own below this process's, so that tests that run at the same
//! time, and other suites, leave each other alone. Where no group can be made, they are left out,
//! aloud.

use std::{
    fs,
    io::{self, BufReader, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use cores::{Cgroups, Hierarchies, SlotError, Slots, bind::allowed, clean, slots::Reading};
use schema::SlotPlan;

const PLAN: SlotPlan = SlotPlan {
    quota_ns: 1_000_000,
    period_ns: 10_000_000,
};

/// A group for one test.
struct Home {
    cgroups: Cgroups,
    dir: PathBuf,
    /// What /proc/self/cgroup says of a process in it.
    own: String,
}

/// Which of the two versions a test is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

impl Home {
    /// None where this machine offers nothing of that version, which is said on stderr.
    fn new(version: Version) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ten-counters-test-{}-{number}", std::process::id());
        let made = Self::make(version, &name);
        // Past the test harness, which keeps what a passing test prints.
        if let Err(reason) = &made {
            let line = format!("SKIPPED: a test of slots: {reason}\n");
            io::stderr().write_all(line.as_bytes()).unwrap();
        }
        made.ok()
    }

    fn make(version: Version, name: &str) -> Result<Self, String> {
        let text = fs::read_to_string("/proc/self/cgroup").unwrap();
        let line = text
            .lines()
            .find(|line| match version {
                Version::V1 => line
                    .split(':')
                    .nth(1)
                    .is_some_and(|names| names.split(',').any(|name| name == "cpu")),
                Version::V2 => line.starts_with("0::"),
            })
            .ok_or("this machine has no such hierarchy")?;
        let own = format!("{}/{name}\n", line.trim_end_matches('/'));
        let here = Hierarchies::parse(Path::new("/"), &mountinfo(), line);
        let above = Cgroups::find(&here).map_err(|why| why.to_string())?;
        let dir = above.home().join(name);
        fs::create_dir(&dir).map_err(|why| format!("{}: {why}", dir.display()))?;
        let cgroups = Cgroups::find(&Hierarchies::parse(Path::new("/"), &mountinfo(), &own));
        match cgroups {
            Ok(cgroups) if cgroups.home() == dir => Ok(Self { cgroups, dir, own }),
            other => {
                fs::remove_dir(&dir).unwrap();
                Err(format!("{}: {other:?}", dir.display()))
            }
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let gone = fs::remove_dir(&self.dir);
        if !thread::panicking() {
            gone.unwrap();
        }
    }
}

fn mountinfo() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
}

/// A process that never stops by itself, and ends with this value.
struct Endless(Child);

impl Endless {
    /// Uses all the CPU time it gets.
    fn burner() -> Self {
        let burn = ["-c", "while :; do :; done"];
        Self(Command::new("sh").args(burn).spawn().unwrap())
    }

    /// Uses none.
    fn sleeper() -> Self {
        Self(Command::new("sleep").arg("infinity").spawn().unwrap())
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Reads until `enough`; the kernel has no event for it.
fn until(slots: &Slots, enough: impl Fn(&[Reading]) -> bool) -> Vec<Reading> {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let readings = slots.read().unwrap();
        if enough(&readings) {
            return readings;
        }
        assert!(Instant::now() < deadline, "{readings:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn a_burner_gets_its_quota(version: Version) {
    let Some(home) = Home::new(version) else {
        return;
    };
    let cpu = allowed().unwrap()[0];
    let slots = Slots::make(&home.cgroups, &[cpu], PLAN).unwrap();
    let burner = Endless::burner();
    slots.enter(burner.0.id()).unwrap();
    slots.move_in(0, burner.0.id()).unwrap();
    let membership = fs::read_to_string(format!("/proc/{}/cgroup", burner.0.id())).unwrap();
    let leaf = slots.dir(0).strip_prefix(&home.dir).unwrap();
    assert!(membership.contains(leaf.to_str().unwrap()), "{membership}");
    let status = fs::read_to_string(format!("/proc/{}/status", burner.0.id())).unwrap();
    let bound = format!("Cpus_allowed_list:\t{cpu}\n");
    assert!(status.contains(&bound), "{status}");

    let first = &slots.read().unwrap()[0];
    let unlimited = until(&slots, |now| {
        now[0].since(first, PLAN, 1).given_ns > 20_000_000
    });
    assert_eq!(unlimited[0].since(first, PLAN, 1).throttled_periods, 0);

    slots.limit().unwrap();
    let (start, began) = (Instant::now(), slots.read().unwrap());
    let ended = until(&slots, |now| now[0].since(&began[0], PLAN, 1).periods >= 50);
    let elapsed_ns = u64::try_from(start.elapsed().as_nanos()).unwrap();
    let usage = ended[0].since(&began[0], PLAN, elapsed_ns);
    assert!(usage.throttled_periods > 0, "{usage:?}");
    assert!(usage.throttled_ns > 0, "{usage:?}");
    assert!(usage.given_ns > 0, "{usage:?}");
    assert!(usage.given_ns <= usage.quota_ns * 3 / 2, "{usage:?}");

    slots.unlimit().unwrap();
    // Of a period that was begun with a quota the kernel may yet count the end.
    let free = until(&slots, |now| {
        now[0].since(&ended[0], PLAN, 1).given_ns > 20_000_000
    });
    until(&slots, |now| {
        now[0].since(&free[0], PLAN, 1).given_ns > 100_000_000
    });

    let group = slots.dir(0).parent().unwrap().to_owned();
    drop(burner);
    slots.remove().unwrap();
    assert!(!group.exists());
}

#[test]
fn under_v1_a_burner_gets_its_quota_and_all_it_wants_without() {
    a_burner_gets_its_quota(Version::V1);
}

#[test]
fn under_v2_a_burner_gets_its_quota_and_all_it_wants_without() {
    a_burner_gets_its_quota(Version::V2);
}

/// Starts this test program again as the child named by `role`, with a pipe each way.
fn again(
    role: &str,
    envs: &[(&str, String)],
) -> (Child, ChildStdin, BufReader<std::process::ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", role, "--ignored", "--nocapture", "--quiet"])
        .envs(envs.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    (child, stdin, stdout)
}

/// The next line that a child says to its test, past what the test harness says.
fn told(from: &mut impl io::BufRead) -> String {
    loop {
        let mut line = String::new();
        assert_ne!(
            from.read_line(&mut line).unwrap(),
            0,
            "the child ended early"
        );
        if let Some((_, told)) = line.trim_end().split_once("child: ") {
            return told.to_owned();
        }
    }
}

const HOME: &str = "TEST_SLOTS_HOME";
const LEAVES: &str = "TEST_SLOTS_LEAVES";

fn threads_of_one_process_run_in_two_slots(version: Version) {
    let Some(home) = Home::new(version) else {
        return;
    };
    let slots = Slots::make(&home.cgroups, &[0, 0], PLAN).unwrap();
    let leaves = format!("{}\n{}", slots.dir(0).display(), slots.dir(1).display());
    let (mut child, mut stdin, mut stdout) =
        again("child_with_a_thread_in_each_slot", &[(LEAVES, leaves)]);
    assert_eq!(told(&mut stdout), "started");
    slots.enter(child.id()).unwrap();
    writeln!(stdin).unwrap();
    let membership = [told(&mut stdout), told(&mut stdout)];
    for i in 0..2 {
        let leaf = slots
            .dir(i)
            .strip_prefix(&home.dir)
            .unwrap()
            .to_str()
            .unwrap();
        assert!(
            membership.iter().any(|of| of.ends_with(leaf)),
            "{membership:?}"
        );
    }
    let first = slots.read().unwrap();
    until(&slots, |now| {
        let both = now.iter().zip(&first);
        both.into_iter()
            .all(|(now, first)| now.since(first, PLAN, 1).given_ns > 5_000_000)
    });
    drop(stdin);
    assert!(child.wait().unwrap().success());
    slots.remove().unwrap();
}

#[test]
fn under_v1_threads_of_one_process_run_in_two_slots() {
    threads_of_one_process_run_in_two_slots(Version::V1);
}

#[test]
fn under_v2_threads_of_one_process_run_in_two_slots() {
    threads_of_one_process_run_in_two_slots(Version::V2);
}

#[test]
#[ignore = "a child of the tests above"]
fn child_with_a_thread_in_each_slot() {
    let Ok(leaves) = std::env::var(LEAVES) else {
        return;
    };
    println!("child: started");
    let mut line = String::new();
    io::stdin().read_line(&mut line).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let burners: Vec<_> = leaves
        .lines()
        .map(|leaf| {
            let (leaf, stop) = (PathBuf::from(leaf), Arc::clone(&stop));
            thread::spawn(move || {
                let threads = leaf.join("cgroup.threads");
                let file = if threads.exists() {
                    threads
                } else {
                    leaf.join("tasks")
                };
                fs::write(file, "0").unwrap();
                let own = fs::read_to_string("/proc/thread-self/cgroup").unwrap();
                let group = leaf
                    .parent()
                    .unwrap()
                    .file_name()
                    .unwrap()
                    .to_str()
                    .unwrap();
                let mine = own.lines().find(|line| line.contains(group)).unwrap();
                println!("child: {mine}");
                while !stop.load(Ordering::Relaxed) {}
            })
        })
        .collect();
    // Ends as the test does.
    io::stdin().read_line(&mut line).unwrap();
    stop.store(true, Ordering::Relaxed);
    for burner in burners {
        burner.join().unwrap();
    }
}

fn what_a_killed_owner_left_is_removed(version: Version) {
    let Some(home) = Home::new(version) else {
        return;
    };
    let (mut owner, _stdin, mut stdout) =
        again("child_that_owns_slots", &[(HOME, home.own.clone())]);
    let left = PathBuf::from(told(&mut stdout));
    assert!(left.join("0").exists());
    let mine = Slots::make(&home.cgroups, &[0], PLAN).unwrap();
    assert!(clean(&home.cgroups).unwrap().is_empty(), "both owners live");

    let burner = Endless::burner();
    let procs = left.join("0/cgroup.procs");
    fs::write(procs, burner.0.id().to_string()).unwrap();
    owner.kill().unwrap();
    assert_eq!(owner.wait().unwrap().signal(), Some(9));
    let held = clean(&home.cgroups).unwrap();
    assert_eq!(held.len(), 1);
    let Err(SlotError::Held { tasks, .. }) = &held[0].outcome else {
        panic!("{held:?}");
    };
    assert_eq!(tasks[..], [i32::try_from(burner.0.id()).unwrap()]);
    assert!(left.join("0").exists());

    drop(burner);
    // The kernel lets go of a task a moment after its parent has seen it end.
    let deadline = Instant::now() + Duration::from_mins(1);
    while left.exists() {
        clean(&home.cgroups).unwrap();
        assert!(Instant::now() < deadline);
    }
    assert!(mine.dir(0).exists(), "the group of a living owner stays");
    mine.remove().unwrap();
}

#[test]
fn under_v1_what_a_killed_owner_left_is_removed_once_nothing_runs_there_and_never_anothers() {
    what_a_killed_owner_left_is_removed(Version::V1);
}

#[test]
fn under_v2_what_a_killed_owner_left_is_removed_once_nothing_runs_there_and_never_anothers() {
    what_a_killed_owner_left_is_removed(Version::V2);
}

#[test]
#[ignore = "a child of the tests above"]
fn child_that_owns_slots() {
    let Ok(own) = std::env::var(HOME) else {
        return;
    };
    let here = Hierarchies::parse(Path::new("/"), &mountinfo(), &own);
    let slots = Slots::make(&Cgroups::find(&here).unwrap(), &[0, 0], PLAN).unwrap();
    println!("child: {}", slots.dir(0).parent().unwrap().display());
    // Until it is killed, or its test has failed.
    io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn sixty_eight_slots_with_a_task_each_are_read_in_their_order() {
    let Some(home) = Home::new(Version::V1) else {
        return;
    };
    let cpus: Vec<u32> = allowed().unwrap().into_iter().cycle().take(68).collect();
    let slots = Slots::make(&home.cgroups, &cpus, PLAN).unwrap();
    slots.limit().unwrap();
    let sleepers: Vec<Endless> = cpus.iter().map(|_| Endless::sleeper()).collect();
    for (slot, sleeper) in sleepers.iter().enumerate() {
        slots.move_in(slot, sleeper.0.id()).unwrap();
    }
    let before = slots.read().unwrap();
    let start = Instant::now();
    let after = slots.read().unwrap();
    // For people: how long it takes is the machine's affair.
    println!("68 slots read in {:?}", start.elapsed());
    for (slot, (before, after)) in before.iter().zip(&after).enumerate() {
        let cpu = after.since(before, PLAN, 1).cpu;
        assert_eq!(cpu, cpus[slot]);
    }
    drop(sleepers);
    slots.remove().unwrap();
}

#[test]
fn under_v1_a_limit_above_that_allows_less_is_told_with_the_cure_though_the_kernel_may_not() {
    let Some(home) = Home::new(Version::V1) else {
        return;
    };
    let slots = Slots::make(&home.cgroups, &[0, 0], PLAN).unwrap();
    // More than a slot is to have, a tenth of a CPU, and less than both.
    fs::write(home.dir.join("cpu.cfs_quota_us"), "15000").unwrap();
    let error = slots.limit().unwrap_err().to_string();
    assert!(
        error.contains("to have 0.20 CPUs") && error.contains("allows 0.15; raise that limit"),
        "{error}"
    );
    slots.remove().unwrap();
}
