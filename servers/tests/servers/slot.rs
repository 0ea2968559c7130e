//! Workers that join the slots they are given.
//!
//! A folder with an empty file stands in for a control group where the test is about what is written;
//! where it is about where threads are, the groups are the kernel's.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use nix::sys::signal::{Signal::SIGKILL, Signal::SIGTERM, kill};
use tempfile::TempDir;

use crate::{
    command_line::assert_one_line,
    groups::{Groups, Version},
    http::get,
    launch::{CLUSTER, FLOOR, SINGLE, Server, THREADS, allowed_cpus, pid, run, started},
};

/// Each server that is compared, and how many workers it has here.
const EACH: [(&str, usize); 3] = [(SINGLE, 1), (CLUSTER, 3), (THREADS, 3)];

/// Folders that look like groups.
struct Lookalikes {
    folders: Vec<PathBuf>,
    _parent: TempDir,
}

impl Lookalikes {
    /// So many folders with an empty file of each name.
    fn make(count: usize, names: &[&str]) -> Self {
        let parent = TempDir::new().unwrap();
        let folders = (0..count).map(|n| parent.path().join(n.to_string()));
        let lookalikes = Self {
            folders: folders.collect(),
            _parent: parent,
        };
        for folder in &lookalikes.folders {
            fs::create_dir(folder).unwrap();
            for name in names {
                fs::write(folder.join(name), "").unwrap();
            }
        }
        lookalikes
    }

    /// What was written to the files of this name.
    fn written(&self, name: &str) -> Vec<String> {
        let files = self.folders.iter().map(|folder| folder.join(name));
        files
            .map(|file| fs::read_to_string(file).unwrap())
            .collect()
    }

    /// Which of the files of this name was written to since the last look. It is the only one.
    fn take_only_written(&self, name: &str) -> usize {
        let written = self.written(name);
        for folder in &self.folders {
            fs::write(folder.join(name), "").unwrap();
        }
        let mut places = (0..written.len()).filter(|&place| written[place] == "0");
        let place = places.next().expect("one was written to");
        assert_eq!(places.next(), None, "{written:?}");
        place
    }
}

/// One CPU for each slot, in turn over those there are.
fn cpus(count: usize) -> Vec<usize> {
    allowed_cpus().into_iter().cycle().take(count).collect()
}

/// The options for so many workers on these folders.
fn options(program: &str, folders: &[impl AsRef<Path>]) -> Vec<String> {
    let count = folders.len();
    let workers = (program != SINGLE).then(|| format!("--workers={count}"));
    let slots = cpus(count)
        .into_iter()
        .zip(folders)
        .map(|(cpu, folder)| format!("--slot={cpu}={}", folder.as_ref().display()));
    workers.into_iter().chain(slots).collect()
}

fn as_strs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn start(program: &str, folders: &[impl AsRef<Path>]) -> Server {
    Server::start(program, &as_strs(&options(program, folders)))
}

/// The task ids of a server's workers.
fn workers(program: &str, server: &Server) -> Vec<u32> {
    match program {
        SINGLE => vec![server.pid()],
        CLUSTER => server.workers(),
        _ => fs::read_dir(format!("/proc/{}/task", server.pid()))
            .unwrap()
            .map(|task| task.unwrap().file_name().to_str().unwrap().parse().unwrap())
            .filter(|&thread| thread != server.pid())
            .collect(),
    }
}

fn cpus_allowed(thread: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).unwrap();
    let allowed = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    allowed.expect("every thread has CPUs").trim().to_owned()
}

#[test]
fn every_worker_writes_to_its_own_group() {
    for (program, count) in EACH {
        let groups = Lookalikes::make(count, &["tasks"]);
        let server = start(program, &groups.folders);
        assert_eq!(groups.written("tasks"), vec!["0"; count], "{program}");
        get(server.address(), "/").worker();
    }
}

#[test]
fn a_group_that_lists_threads_is_joined_as_such() {
    for (program, count) in EACH {
        let groups = Lookalikes::make(count, &["tasks", "cgroup.threads"]);
        let _server = start(program, &groups.folders);
        assert_eq!(groups.written("cgroup.threads"), vec!["0"; count]);
        assert_eq!(groups.written("tasks"), vec![""; count], "{program}");
    }
}

#[test]
fn every_worker_is_bound_to_the_cpu_of_its_slot_and_nobody_else_is() {
    for (program, count) in EACH {
        let groups = Lookalikes::make(count, &["tasks"]);
        let server = start(program, &groups.folders);
        let mut expected: Vec<String> = cpus(count).iter().map(usize::to_string).collect();
        let mut found: Vec<String> = workers(program, &server)
            .iter()
            .map(|worker| cpus_allowed(&worker.to_string()))
            .collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{program}");
        if program != SINGLE {
            assert_eq!(
                cpus_allowed(&server.pid().to_string()),
                cpus_allowed("thread-self")
            );
        }
    }
}

#[test]
fn the_successor_of_a_worker_takes_its_slot() {
    let groups = Lookalikes::make(3, &["tasks"]);
    let mut cluster = start(CLUSTER, &groups.folders);
    for folder in &groups.folders {
        fs::write(folder.join("tasks"), "").unwrap();
    }
    let mut slots = BTreeSet::new();
    for mut worker in cluster.workers() {
        let mut replace = || {
            kill(pid(worker), SIGKILL).unwrap();
            assert!(cluster.next_line().contains("died"));
            worker = started(&cluster.next_line()).expect("a worker started");
            groups.take_only_written("tasks")
        };
        let slot = replace();
        assert_eq!(replace(), slot);
        slots.insert(slot);
    }
    assert_eq!(slots.len(), 3);
}

#[test]
fn without_a_group_no_server_becomes_ready() {
    for (program, count) in EACH {
        let groups = Lookalikes::make(count, &["tasks"]);
        // Of several, the others are all right.
        let missing = groups.folders.last().unwrap();
        fs::remove_dir_all(missing).unwrap();
        let options = options(program, &groups.folders);
        let ended = run(program, &[&as_strs(&options)[..], &["--port=0"]].concat());

        assert_eq!(ended.code, Some(1), "{ended:?}");
        let ready = ended.stdout.iter().any(|line| line.starts_with('{'));
        assert!(!ready, "{ended:?}");
        let missing = missing.to_str().unwrap();
        let complaints: Vec<&str> = ended.stderr.lines().collect();
        if program == CLUSTER {
            let (last, workers) = complaints.split_last().expect("it says why");
            assert!(last.contains("5 workers in a row"), "{ended:?}");
            // More than 5 where others that became ready interrupted the row.
            assert!(workers.len() >= 5, "{ended:?}");
            assert!(workers.iter().all(|line| line.contains(missing)));
        } else {
            assert_one_line(&ended, 1, missing);
        }
    }
}

#[test]
fn a_cpu_that_cannot_be_used_is_one_line_that_names_it() {
    for program in [SINGLE, THREADS] {
        let groups = Lookalikes::make(1, &["tasks"]);
        let slot = format!("--slot=1023={}", groups.folders[0].display());
        let workers: &[&str] = if program == SINGLE {
            &[]
        } else {
            &["--workers=1"]
        };
        let ended = run(program, &[workers, &["--port=0", &slot]].concat());
        assert_one_line(&ended, 1, "CPU 1023");
    }
}

#[test]
fn as_many_slots_as_workers_are_given_or_none() {
    for program in [CLUSTER, THREADS] {
        for (workers, slots) in [(2, 1), (1, 2), (1024, 3)] {
            let slots = vec!["--slot=0=/nowhere"; slots];
            let workers = format!("--workers={workers}");
            let ended = run(program, &[&slots[..], &[&workers]].concat());
            assert_one_line(&ended, 2, &format!("slots {}", slots.len()));
        }
    }
    let ended = run(SINGLE, &["--slot=0=/nowhere", "--slot=1=/nowhere"]);
    assert_one_line(&ended, 2, "slots 2");
}

#[test]
fn what_is_no_slot_is_wrong_usage() {
    for program in [SINGLE, CLUSTER, THREADS] {
        for slot in ["0", "/sys", "one=/sys", "1024=/sys", "0="] {
            let ended = run(program, &[&format!("--slot={slot}")]);
            assert_one_line(&ended, 2, &format!("'{slot}'"));
        }
    }
    assert_one_line(&run(FLOOR, &["--slot=0=/sys"]), 2, "'--slot'");
}

/// Each server in real groups, or a word why not.
fn workers_are_where_they_belong(version: Version) {
    for (program, count) in EACH {
        let groups = match Groups::make(version, count) {
            Ok(groups) => groups,
            Err(error) => {
                eprintln!("skipped: control groups {version:?} cannot be made here: {error}");
                return;
            }
        };
        let options = options(program, &groups.inner);
        let server = groups.start(program, &as_strs(&options));
        let workers = workers(program, &server);
        assert_eq!(workers.len(), count);
        let places: BTreeSet<_> = workers.iter().map(|&worker| groups.place(worker)).collect();
        assert_eq!(places, (0..count).map(Some).collect(), "{program}");
        if program != SINGLE {
            assert_eq!(groups.place(server.pid()), None, "{program}");
        }
        assert!(workers.contains(&get(server.address(), "/").worker()));
        server.signal(SIGTERM);
        assert_eq!(server.end().code, Some(0));
    }
}

#[test]
fn workers_are_in_the_groups_of_a_hierarchy_of_the_cpu_controller() {
    workers_are_where_they_belong(Version::V1);
}

#[test]
fn workers_are_in_threaded_groups_of_the_unified_hierarchy() {
    workers_are_where_they_belong(Version::V2);
}

#[test]
fn a_group_that_takes_no_threads_is_refused_with_the_cure() {
    let groups = match Groups::make(Version::V2, 1) {
        Ok(groups) => groups,
        Err(error) => {
            eprintln!("skipped: control groups V2 cannot be made here: {error}");
            return;
        }
    };
    // This test's own process is not in the group above, whose threads alone may join.
    let ended = run(SINGLE, &["--port=0", &options(SINGLE, &groups.inner)[0]]);
    assert_one_line(&ended, 1, "cgroup.threads");
    assert!(ended.stderr.contains("threaded"), "{ended:?}");
}
