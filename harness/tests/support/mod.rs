//! Runs the real `counters` with the real servers, and looks at what it leaves.

#![allow(dead_code, reason = "each test file uses a part")]

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use nix::{
    sched::{CpuSet, sched_getaffinity},
    unistd::Pid,
};
use procfs::process::Stat;
use schema::{Failure, MarkKind, Measured, Observation, Outcome, Verdicts};

pub const COUNTERS: &str = env!("CARGO_BIN_EXE_counters");

/// Two CPUs are all that a small machine has: measurements of one test file take turns.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The folder with the built servers.
pub fn bin_dir() -> PathBuf {
    let dir = Path::new(COUNTERS).parent().unwrap().to_owned();
    assert!(
        dir.join("cluster").is_file(),
        "the servers are not built; build them with: cargo build -p servers"
    );
    dir
}

/// The shortest that trials can be.
pub const SHORT: &[&str] = &["--warm-up", "200ms", "--measure", "500ms", "--blocks", "1"];

/// `counters run` into `out`, as short as it can be, over the servers named, on CPUs that workers share.
pub fn short_run(out: &Path, servers: &str) -> Command {
    run_of_throughput(out, servers, SHORT)
}

/// `counters run` over the servers named, in windows of this length and otherwise as short as it can be.
pub fn run_with_windows(out: &Path, servers: &str, window: &str) -> Command {
    let timing = ["--warm-up", "200ms", "--measure", window, "--blocks", "1"];
    run_of_throughput(out, servers, &timing)
}

fn run_of_throughput(out: &Path, servers: &str, timing: &[&str]) -> Command {
    let mut command = run_of("throughput", out, timing);
    command.args(["--servers", servers]);
    command
}

/// `counters run` of some experiments with one worker and two, in trials of this timing.
pub fn run_of(experiments: &str, out: &Path, timing: &[&str]) -> Command {
    let mut command = Command::new(COUNTERS);
    command
        .args(["run", "--preset", "smoke", "--workers", "1,2"])
        .args(["--only", experiments])
        .args(timing)
        .arg("--bin-dir")
        .arg(bin_dir())
        .arg("--out")
        .arg(out)
        .stdin(Stdio::null());
    command
}

/// Whether a program of the machine can be used. Where it is missing the test fails, unless its
/// name stands in `COUNTERS_SKIP`.
pub fn has(program: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()));
    let skipped = std::env::var("COUNTERS_SKIP").unwrap_or_default();
    if !found {
        assert!(
            skipped.split(',').any(|name| name == program),
            "{program} not found: install it, or leave its tests out with COUNTERS_SKIP={program}"
        );
        eprintln!("skipped: {program} not found");
    }
    found
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The program ended with `code`, said one line that contains `words`, and did not panic.
#[track_caller]
pub fn assert_one_line(output: &Output, code: i32, words: &[&str]) {
    let stderr = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    let lines: Vec<_> = stderr
        .lines()
        .filter(|line| line.starts_with("counters:"))
        .collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    for word in words {
        assert!(lines[0].contains(word), "'{word}' is missing in: {stderr}");
    }
}

/// What a run may doubt itself for, and nobody is to blame: short windows on a machine that others use
/// as well, and a generator that was not optimised.
const DOUBTS: [&str; 4] = [
    "load generator",
    "Little's law fails",
    "completed no request",
    // One that waited for the whole of a window counts as a timeout, however short the window.
    ": 0 errors and",
];

/// The run in `dir` ended well; or it doubts its figures, and says so by its exit code and first of all.
#[track_caller]
pub fn fine_or_in_doubt(output: &Output, dir: &Path) {
    let said = stderr(output);
    let file = fs::read(dir.join("verdicts.json")).unwrap_or_else(|_| panic!("{said}"));
    let verdicts: Verdicts = serde_json::from_slice(&file).unwrap();
    let code = if verdicts.valid { 0 } else { 3 };
    assert_eq!(output.status.code(), Some(code), "{said}");
    if !verdicts.valid {
        let first = &verdicts.caveats[0];
        assert!(
            DOUBTS.iter().any(|doubt| first.contains(doubt)),
            "{:?}",
            verdicts.caveats
        );
    }
}

/// Windows to try one after the other: the shortest that can do, then such as stand out longer stalls of
/// the machine.
pub const WINDOWS: [&str; 5] = ["200ms", "500ms", "1s", "2s", "4s"];

/// What a command, that is made for a length of windows, gives without doubting its figures; or with
/// doubts where even the longest windows left some.
pub fn undoubted(command: impl Fn(&str) -> Command) -> Output {
    let mut last = None;
    for window in WINDOWS {
        let output = command(window).output().unwrap();
        if output.status.code() != Some(3) {
            return output;
        }
        eprintln!("in doubt with windows of {window}: {}", stderr(&output));
        last = Some(output);
    }
    last.expect("there are windows")
}

pub fn observations(dir: &Path) -> Vec<Observation> {
    let text = fs::read_to_string(dir.join("observations.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Every trial that was measured; of one that was made again, as the machine was not quiet, the second.
pub fn measured(dir: &Path) -> Vec<(String, Measured)> {
    let mut measured = Vec::new();
    for observation in observations(dir) {
        if let Outcome::Measured(trial) = observation.outcome {
            let launch = (observation.cell, observation.block, observation.copy);
            if observation.attempt > 0 {
                measured.retain(|(earlier, _)| *earlier != launch);
            }
            measured.push((launch, *trial));
        }
    }
    measured
        .into_iter()
        .map(|((cell, ..), trial)| (cell, trial))
        .collect()
}

/// Whether the window had opened before it was read what the server had used: nothing may be left of that.
pub fn was_read_late(trial: &Measured) -> bool {
    let mut marks = trial.noise.marks.iter();
    marks.any(|mark| mark.kind == MarkKind::ReadLate)
}

pub fn failures(dir: &Path) -> Vec<(String, Failure)> {
    let only = |observation: Observation| match observation.outcome {
        Outcome::Failed(failure) => Some((observation.cell, failure)),
        _ => None,
    };
    observations(dir).into_iter().filter_map(only).collect()
}

/// Writes an executable file.
pub fn program(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The first CPU that this process may use.
pub fn first_cpu() -> String {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let cpu = (0..CpuSet::count()).find(|&cpu| allowed.is_set(cpu).unwrap());
    cpu.unwrap().to_string()
}

pub fn stats() -> Vec<Stat> {
    procfs::process::all_processes()
        .unwrap()
        .filter_map(|process| process.ok()?.stat().ok())
        .collect()
}

/// Children of a process.
pub fn children_of(parent: i32) -> Vec<i32> {
    let children = stats().into_iter().filter(|stat| stat.ppid == parent);
    children.map(|stat| stat.pid).collect()
}

/// The guards that a `counters` has started: its children.
pub fn guards_of(counters: &Child) -> Vec<i32> {
    children_of(counters.id().cast_signed())
}

/// The only one.
pub fn guard_of(counters: &Child) -> i32 {
    let guards = guards_of(counters);
    *guards.first().expect("counters has started no guard")
}

/// Every process below `root`, by parent ids.
pub fn below(root: u32) -> BTreeSet<i32> {
    let stats = stats();
    let mut found = BTreeSet::new();
    let mut open = vec![root.cast_signed()];
    while let Some(parent) = open.pop() {
        for stat in stats.iter().filter(|stat| stat.ppid == parent) {
            if found.insert(stat.pid) {
                open.push(stat.pid);
            }
        }
    }
    found
}

/// Whether a process is there and no zombie.
pub fn lives(pid: i32) -> bool {
    procfs::process::Process::new(pid)
        .and_then(|process| process.stat())
        .is_ok_and(|s| s.state != 'Z')
}

/// Waits until a child has at least `count` processes below it; fails if it ends before.
pub fn wait_for_tree(child: &mut Child, count: usize) -> BTreeSet<i32> {
    loop {
        let tree = below(child.id());
        if tree.len() >= count {
            return tree;
        }
        assert!(
            child.try_wait().unwrap().is_none(),
            "counters ended before it started its servers"
        );
        std::thread::yield_now();
    }
}
