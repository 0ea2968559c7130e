//! Cores through the whole harness: emulated ones, what disturbs them, and when it is enough.

mod support;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use cores::Cgroups;
use nix::{
    sys::{
        prctl,
        signal::{Signal, kill},
        wait::waitpid,
    },
    unistd::Pid,
};
use schema::{Cores, HeadlineKind, MarkKind, Plan, Stop, StopReason, Verdicts};
use serde::de::DeserializeOwned;
use support::{
    COUNTERS, SHORT, WINDOWS, bin_dir, failures, fine_or_in_doubt, guards_of, has, lives, measured,
    observations, run_of, short_run, stderr, stdout, turn, wait_for_tree, was_read_late,
};

/// Whether slots can be made. A machine that does not let them be made skips these tests, aloud.
fn slots() -> bool {
    match Cgroups::here() {
        Ok(_) => true,
        Err(unavailable) => {
            eprintln!("skipped: {unavailable}");
            false
        }
    }
}

fn read<T: DeserializeOwned>(dir: &Path, file: &str) -> T {
    serde_json::from_slice(&fs::read(dir.join(file)).unwrap()).unwrap()
}

fn stops(dir: &Path) -> Vec<Stop> {
    let text = fs::read_to_string(dir.join("stops.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[track_caller]
fn fine(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
}

/// Groups that the harness of this id has made, by their names.
fn groups_of(harness: u32) -> Vec<PathBuf> {
    let mark = format!("-{harness}-");
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let roots = mounts
        .lines()
        .filter(|line| line.contains(" - cgroup"))
        .filter_map(|line| line.split(' ').nth(4).map(PathBuf::from));
    let mut open: Vec<PathBuf> = roots.collect();
    let mut found = BTreeSet::new();
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("ten-counters-") && name.contains(&mark) {
                found.insert(entry.path());
            } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(entry.path());
            }
        }
    }
    found.into_iter().collect()
}

#[test]
fn emulated_cores_answer_the_main_questions_and_leave_no_group_behind() {
    let _turn = turn();
    if !slots() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let timing = ["--warm-up", "50ms", "--measure", "500ms", "--blocks", "3"];
    let child = run_of("headline,scaling", folder.path(), &timing)
        .args(["--core-kind", "emulated", "--seed", "41"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let harness = child.id();
    let output = child.wait_with_output().unwrap();
    assert_eq!(groups_of(harness), Vec::<PathBuf>::new());

    let plan: Plan = read(folder.path(), "plan.json");
    assert_eq!((plan.cores.kind, plan.seed), (Cores::Emulated, 41));
    let measured = measured(folder.path());
    let copies: u32 = plan.cells.iter().map(|cell| cell.copies).sum();
    let failed = failures(folder.path());
    assert_eq!(measured.len(), 3 * copies as usize, "{failed:?}");
    for (cell, trial) in &measured {
        let planned = plan.cells.iter().find(|one| one.id == *cell).unwrap();
        assert_eq!(trial.slots.len(), planned.workers as usize, "{cell}");
        let given = trial.slots.iter().any(|slot| slot.given_ns > 0);
        assert!(given || was_read_late(trial), "{cell}");
        assert_eq!(trial.load.errors, 0, "{cell}");
    }
    let verdicts: Verdicts = read(folder.path(), "verdicts.json");
    fine_or_in_doubt(&output, folder.path());
    let asked: Vec<_> = verdicts.headlines.iter().map(|one| one.kind).collect();
    assert_eq!(
        asked,
        [
            HeadlineKind::Processes,
            HeadlineKind::Threads,
            HeadlineKind::ProcessesOverThreads
        ]
    );
    assert!(
        verdicts
            .headlines
            .iter()
            .all(|one| one.cores == Cores::Emulated && one.throughput.ratio.interval.is_some())
    );
    assert_eq!(verdicts.scaling.len(), 2);
    for page in ["report.html", "report.md"] {
        let text = fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(text.contains("emulated") && text.contains("41"), "{page}");
    }
    assert!(stdout(&output).contains("emulated"));
    let reasons: Vec<_> = stops(folder.path()).into_iter().map(|s| s.reason).collect();
    assert_eq!(reasons, [StopReason::Blocks, StopReason::Blocks]);
}

#[test]
fn an_experiment_ends_at_its_width_or_its_budget_and_says_which() {
    let _turn = turn();
    let run = |rule: &[&str], window: &str| {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(COUNTERS)
            .args(["run", "--preset", "smoke", "--only", "throughput"])
            .args(["--servers", "threads", "--workers", "1,2"])
            .args(["--warm-up", "50ms", "--measure", window])
            .args(rule)
            .arg("--bin-dir")
            .arg(bin_dir())
            .arg("--out")
            .arg(folder.path())
            .output()
            .unwrap();
        fine_or_in_doubt(&output, folder.path());
        let mut stops = stops(folder.path());
        assert_eq!(stops.len(), 1);
        let markdown = fs::read_to_string(folder.path().join("report.md")).unwrap();
        (stops.remove(0), markdown, stderr(&output))
    };
    // A ratio of windows that no stall fills is known to within a hundred per cent as soon as enough were
    // made, given the time for them, and never to a millionth.
    let mut runs = WINDOWS
        .iter()
        .map(|window| run(&["--half-width", "100%", "--budget", "60s"], window));
    let (stop, _, said) = runs
        .find(|(stop, ..)| stop.reason == StopReason::Target)
        .expect("no windows gave a ratio known to within a hundred per cent");
    assert!(stop.widest.unwrap() <= 1.0 && said.contains("narrow enough"));
    let (stop, markdown, said) = run(&["--half-width", "0.0001%", "--budget", "2s"], WINDOWS[0]);
    assert_eq!(stop.reason, StopReason::Budget, "{stop:?}");
    assert!(said.contains("its time is spent"), "{said}");
    assert!(markdown.contains("throughput"), "{markdown}");
}

/// A program that keeps a CPU busy until it is dropped.
struct Hog(Child);

impl Hog {
    fn on(cpu: u32) -> Self {
        let shell = "while :; do :; done";
        let child = Command::new("taskset")
            .args(["-c", &cpu.to_string(), "sh", "-c", shell])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_run_beside_another_program_comes_out_marked() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let hog = Hog::on(cores::sides(&cores::Topology::read().unwrap()).0[0]);
    let output = short_run(folder.path(), "single").output().unwrap();
    drop(hog);
    fine_or_in_doubt(&output, folder.path());
    let all = observations(folder.path());
    assert_eq!(
        all.iter().map(|one| one.attempt).collect::<Vec<_>>(),
        [0, 1]
    );
    for (cell, trial) in measured(folder.path()) {
        let kinds: Vec<_> = trial.noise.marks.iter().map(|mark| mark.kind).collect();
        assert!(kinds.contains(&MarkKind::ForeignCpu), "{cell}: {kinds:?}");
    }
    let said = stderr(&output);
    let again = said.lines().find(|line| line.contains("measured again: "));
    assert!(
        again.is_some_and(|line| line.contains("other programs used the server's CPUs")),
        "{said}"
    );
    let verdicts: Verdicts = read(folder.path(), "verdicts.json");
    assert!(
        verdicts.caveats.iter().any(|one| one.contains("marked")),
        "{:?}",
        verdicts.caveats
    );
}

#[test]
fn slots_of_a_harness_that_was_killed_are_removed_by_the_next() {
    let _turn = turn();
    if !slots() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = run_of(
        "headline",
        &folder.path().join("killed"),
        &["--measure", "10m"],
    )
    .args(["--core-kind", "emulated"])
    .stdout(Stdio::null())
    .stderr(Stdio::null())
    .spawn()
    .unwrap();
    // Four guards, four servers, and the workers of two clusters.
    // The guards fall to this process, which so sees them end.
    prctl::set_child_subreaper(true).unwrap();
    let tree = wait_for_tree(&mut child, 11);
    let (harness, guards) = (child.id(), guards_of(&child));
    assert_eq!(groups_of(harness).len(), 1);
    kill(Pid::from_raw(harness.cast_signed()), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    for guard in guards {
        waitpid(Pid::from_raw(guard), None).unwrap();
    }
    assert!(!tree.into_iter().any(lives));
    assert_eq!(groups_of(harness).len(), 1);
    // The kernel may still be busy with a group whose last process has just been reaped.
    let began = Instant::now();
    let mut said = String::new();
    while !groups_of(harness).is_empty() {
        assert!(began.elapsed() < Duration::from_mins(1), "{said}");
        let output = doctor(&[]);
        fine(&output);
        said = stdout(&output);
    }
    assert!(said.contains("removed"), "{said}");
}

fn doctor(arguments: &[&str]) -> Output {
    Command::new(COUNTERS)
        .arg("doctor")
        .args(arguments)
        .arg("--bin-dir")
        .arg(bin_dir())
        .env("XDG_STATE_HOME", "/nowhere")
        .output()
        .unwrap()
}

#[test]
fn doctor_names_what_there_is_and_the_cure_for_what_there_is_not() {
    let _turn = turn();
    let output = doctor(&["--json"]);
    fine(&output);
    let diagnosis: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = diagnosis["findings"].as_array().unwrap();
    let about: BTreeSet<_> = findings
        .iter()
        .map(|finding| finding["about"].as_str().unwrap())
        .collect();
    for what in [
        "CPUs",
        "core plan",
        "emulation",
        "open files",
        "noise",
        "stolen time",
        "server",
        "guest",
        "calibration",
    ] {
        assert!(about.contains(what), "{what} in {about:?}");
    }
    for finding in findings {
        let fine = finding["grade"] == "fine";
        assert_eq!(finding["cure"].is_null(), fine, "{finding}");
    }
    let text = Command::new(COUNTERS)
        .args(["doctor", "--bin-dir", "/nowhere"])
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    let text = stdout(&text);
    assert!(
        text.contains("node not found")
            && text.contains("→ install it with: apt-get install nodejs"),
        "{text}"
    );
}

#[test]
fn guests_get_a_core_for_each_worker_too() {
    let _turn = turn();
    if !slots() || !has("node") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = run_of("scaling-guests", folder.path(), SHORT)
        .args(["--core-kind", "emulated"])
        .output()
        .unwrap();

    fine_or_in_doubt(&output, folder.path());
    let measured = measured(folder.path());
    assert_eq!(measured.len(), 2);
    for (cell, trial) in measured {
        let workers = if cell.contains("-w2-") { 2 } else { 1 };
        assert_eq!(trial.slots.len(), workers, "{cell}");
        assert_eq!(trial.server.processes as usize, workers + 1, "{cell}");
        assert!(trial.slots.iter().all(|slot| slot.given_ns > 0), "{cell}");
    }
}

#[test]
fn a_calibration_is_kept_and_carried_into_later_reports() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let calibrate = |number| {
        Command::new(COUNTERS)
            .args([
                "calibrate",
                "--comparisons",
                "4",
                "--blocks",
                "3",
                "--slowdowns",
                "50%",
            ])
            .args(["--runs", "1", "--run-time", "6s", "--out"])
            .arg(folder.path().join(format!("calibration-{number}")))
            .arg("--bin-dir")
            .arg(bin_dir())
            .env("XDG_STATE_HOME", &state)
            .output()
            .unwrap()
    };
    // A busy machine may keep an answer for the whole of a window, and says so.
    let refused =
        |output: &Output| stderr(output).contains("an instrument is not calibrated on that");
    let mut outputs = (0..5).map(calibrate);
    let output = outputs.find(|output| !refused(output));
    let output = output.expect("five times over an answer did not come in time");
    fine(&output);
    let said = stdout(&output);
    assert!(said.contains("of 4 comparisons of 3 blocks"), "{said}");
    assert!(said.contains("a slowdown of 50.0 %: found in"), "{said}");
    let kept = state.join("ten-counters/calibration.json");
    assert_eq!(said.lines().last().unwrap(), kept.display().to_string());
    let run = folder.path().join("run");
    let output = short_run(&run, "single")
        .env("XDG_STATE_HOME", &state)
        .output()
        .unwrap();
    fine_or_in_doubt(&output, &run);
    let verdicts: Verdicts = read(&run, "verdicts.json");
    assert_eq!(verdicts.calibration.unwrap().same.comparisons, 4);
    fs::write(&kept, "{\"schema_version\": 1}").unwrap();
    let output = short_run(&folder.path().join("again"), "single")
        .env("XDG_STATE_HOME", &state)
        .output()
        .unwrap();
    fine_or_in_doubt(&output, &folder.path().join("again"));
    assert!(
        stderr(&output).contains("another version"),
        "{}",
        stderr(&output)
    );
}
