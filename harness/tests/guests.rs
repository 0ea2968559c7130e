//! Guests as they come: each that is installed is measured, answers by its workers and leaves nobody
//! behind, and each that is not is told with the cure.

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use cores::Cgroups;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use procfs::{
    FromBufReadSI, current_system_info,
    net::TcpNetEntries,
    process::{FDTarget, Process},
};
use schema::{Measured, Outcome};
use support::{
    COUNTERS, WINDOWS, below, bin_dir, failures, fine_or_in_doubt, has, lives, measured,
    observations, program, run_of, short_run, stats, stderr, stdout, turn,
};

const WORKERS: usize = 2;
const CONNECTIONS: u64 = 8;

/// `counters run` of one cell of one guest.
fn run_of_one(guest: &str, out: &Path, timing: &[&str]) -> Command {
    let mut command = Command::new(COUNTERS);
    command
        .args(["run", "--preset", "smoke", "--only", "throughput"])
        .args(["--servers", guest, "--workers", &WORKERS.to_string()])
        .args(["--connections", &CONNECTIONS.to_string()])
        .args(timing)
        .arg("--bin-dir")
        .arg(bin_dir())
        .arg("--out")
        .arg(out)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// A run's guards, the guests' main processes, and these ones' workers, as soon as there are so many.
fn wait_for_workers(counters: &mut Child) -> [BTreeSet<i32>; 3] {
    loop {
        let mut above = BTreeSet::from([counters.id().cast_signed()]);
        let stats = stats();
        let generations = [(); 3].map(|()| {
            let below = stats.iter().filter(|stat| above.contains(&stat.ppid));
            above = below.map(|stat| stat.pid).collect();
            above.clone()
        });
        if generations[2].len() == WORKERS {
            return generations;
        }
        assert!(
            counters.try_wait().unwrap().is_none(),
            "the run ended before its guest had {WORKERS} workers"
        );
    }
}

/// Runs it, looks at its processes meanwhile, and at what it left; in longer windows where the machine
/// was too busy for shorter ones.
#[track_caller]
fn assert_measured_by_its_workers(guest: &str) -> Measured {
    for window in WINDOWS {
        if let Some(trial) = trial_of_workers(guest, window) {
            return trial;
        }
    }
    panic!("{guest}: no window in which everything was answered");
}

/// What was measured while its workers were looked at; nothing where an answer did not come in time.
#[track_caller]
fn trial_of_workers(guest: &str, window: &str) -> Option<Measured> {
    let folder = tempfile::tempdir().unwrap();
    let timing = ["--warm-up", "200ms", "--measure", window, "--blocks", "1"];
    let mut counters: Child = run_of_one(guest, folder.path(), &timing).spawn().unwrap();
    let seen = wait_for_workers(&mut counters);
    let output = counters.wait_with_output().unwrap();
    // 3: on a busy machine the generator's own checks may fail; what counts here stands below.
    assert!(
        matches!(output.status.code(), Some(0 | 3)),
        "{guest}: {}",
        stderr(&output)
    );
    let left: Vec<_> = seen.iter().flatten().filter(|&&pid| lives(pid)).collect();
    assert!(left.is_empty(), "{guest} left {left:?}");

    let workers: BTreeSet<u64> = seen[2]
        .iter()
        .map(|pid| u64::from(pid.unsigned_abs()))
        .collect();
    let mut found = None;
    for one in observations(folder.path()) {
        let Outcome::Measured(trial) = one.outcome else {
            eprintln!("{}: {:?}", one.cell, one.outcome);
            continue;
        };
        let load = &trial.load;
        assert_eq!(load.errors, 0, "{guest}: {:?}", load.error_kinds);
        assert_eq!(
            load.requests_by_worker.values().sum::<u64>(),
            load.completed,
            "{guest}"
        );
        assert_eq!(trial.server.processes as usize, 1 + WORKERS, "{guest}");
        assert_eq!(trial.stop, None, "{guest}");
        // A second trial, of other processes, may follow where the machine was not quiet.
        let mut answered = load.requests_by_worker.keys();
        if load.completed > 0 && load.timeouts == 0 && answered.all(|id| workers.contains(id)) {
            found = Some(*trial);
        }
    }
    found
}

#[test]
fn nginx_with_one_listener_is_measured_by_its_workers() {
    let _turn = turn();
    if has("nginx") {
        assert_measured_by_its_workers("nginx-shared");
    }
}

#[test]
fn nginx_with_a_listener_for_each_worker_is_measured_by_its_workers() {
    let _turn = turn();
    if has("nginx") {
        assert_measured_by_its_workers("nginx-reuseport");
    }
}

#[test]
fn nodes_cluster_is_measured_by_its_workers_with_either_policy() {
    let _turn = turn();
    if has("node") {
        for guest in ["node-cluster", "node-cluster-none"] {
            assert_measured_by_its_workers(guest);
        }
    }
}

#[test]
fn gunicorn_is_measured_by_its_workers_with_a_connection_for_each_request() {
    let _turn = turn();
    if has("gunicorn") {
        let load = assert_measured_by_its_workers("gunicorn-sync").load;
        // The connections of the first answers may have been made before the window.
        assert!(
            load.connections_opened + CONNECTIONS >= load.completed,
            "{load:?}"
        );
    }
}

/// Sockets that listen, by inode. The kernel's table has them first, and after them maybe ten
/// thousands of connections that would take a while to read.
fn listening_sockets() -> BTreeMap<u64, SocketAddr> {
    const LISTEN: &str = "0A";
    let file = BufReader::new(File::open("/proc/net/tcp").unwrap());
    let mut lines = file.lines().map(Result::unwrap);
    let header = lines.next().unwrap();
    let listeners = lines.take_while(|line| line.split_whitespace().nth(3) == Some(LISTEN));
    let table: String = std::iter::once(header)
        .chain(listeners)
        .map(|line| line + "\n")
        .collect();
    let entries = TcpNetEntries::from_buf_read(table.as_bytes(), current_system_info()).unwrap();
    let sockets = entries.0.into_iter();
    sockets
        .map(|socket| (socket.inode, socket.local_address))
        .collect()
}

/// Which of these processes hold a socket that listens, and where.
fn listening(pids: &BTreeSet<i32>) -> BTreeMap<i32, SocketAddr> {
    let listeners = listening_sockets();
    let address = |pid: i32| {
        // A process that ends meanwhile holds nothing.
        let files = Process::new(pid).and_then(|process| process.fd());
        let mut files = files.into_iter().flatten().flatten();
        files.find_map(|file| match file.target {
            FDTarget::Socket(inode) => listeners.get(&inode).copied(),
            _ => None,
        })
    };
    pids.iter()
        .filter_map(|&pid| Some((pid, address(pid)?)))
        .collect()
}

/// The line with which a server names its worker, on a connection of its own.
fn worker_at(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let named = text.lines().find(|line| line.contains("worker"));
    named
        .map(str::to_owned)
        .ok_or(ErrorKind::UnexpectedEof.into())
}

/// Who listens, once as many do as are expected and as many workers as `answering` have answered.
fn listeners_of(
    counters: &mut Child,
    expected: usize,
    answering: usize,
) -> BTreeMap<i32, SocketAddr> {
    let mut answers = BTreeSet::new();
    loop {
        let holders = listening(&below(counters.id()));
        if holders.len() >= expected && answers.len() >= answering {
            return holders;
        }
        let address = holders.values().next();
        answers.extend(address.and_then(|&address| worker_at(address).ok()));
        assert!(
            counters.try_wait().unwrap().is_none(),
            "the run ended with answers of {answers:?} and listeners {holders:?}"
        );
    }
}

#[test]
fn the_surroundings_do_not_change_who_listens_in_nodes_cluster() {
    let _turn = turn();
    if !has("node") {
        return;
    }
    // A listener that all workers have may give every connection to one of them.
    for (guest, other, listeners, answering) in [
        ("node-cluster", "none", 1, WORKERS),
        ("node-cluster-none", "rr", 1 + WORKERS, 1),
    ] {
        let folder = tempfile::tempdir().unwrap();
        // It is stopped as soon as it was looked at.
        let timing = ["--warm-up", "50ms", "--measure", "1min", "--blocks", "1"];
        let mut counters = run_of_one(guest, folder.path(), &timing)
            .env("NODE_CLUSTER_SCHED_POLICY", other)
            .spawn()
            .unwrap();
        let holders = listeners_of(&mut counters, listeners, answering);
        kill(Pid::from_raw(counters.id().cast_signed()), Signal::SIGINT).unwrap();
        counters.wait_with_output().unwrap();
        assert_eq!(holders.len(), listeners, "{guest}: {holders:?}");
    }
}

#[test]
fn workers_of_guests_have_an_emulated_core_each() {
    let _turn = turn();
    if let Err(unavailable) = Cgroups::here() {
        eprintln!("skipped: {unavailable}");
        return;
    }
    let guests = [
        ("nginx", "nginx-shared"),
        ("nginx", "nginx-reuseport"),
        ("node", "node-cluster-none"),
        ("gunicorn", "gunicorn-sync"),
    ];
    let present: Vec<_> = guests
        .into_iter()
        .filter(|(program, _)| has(program))
        .map(|(_, guest)| guest)
        .collect();
    if present.is_empty() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let timing = ["--warm-up", "200ms", "--measure", "300ms", "--blocks", "1"];
    let output = run_of("scaling-guests", folder.path(), &timing)
        .args(["--core-kind", "emulated", "--servers", &present.join(",")])
        .output()
        .unwrap();
    assert!(
        failures(folder.path()).is_empty(),
        "{:?}: {}",
        failures(folder.path()),
        stderr(&output)
    );
    let measured = measured(folder.path());
    assert_eq!(measured.len(), 2 * present.len(), "{}", stderr(&output));
    for (cell, trial) in measured {
        let workers = if cell.contains("-w2-") { 2 } else { 1 };
        assert_eq!(trial.slots.len(), workers, "{cell}");
        assert!(trial.slots.iter().any(|slot| slot.given_ns > 0), "{cell}");
        assert_eq!(trial.load.errors, 0, "{cell}: {:?}", trial.load.error_kinds);
    }
}

#[test]
fn guests_that_are_not_installed_are_reported_with_the_cure() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let guests = [
        ("nginx-shared", "nginx", "nginx"),
        ("nginx-reuseport", "nginx", "nginx"),
        ("node-cluster-none", "node", "nodejs"),
        ("gunicorn-sync", "gunicorn", "gunicorn"),
    ];
    let named = guests.map(|(guest, ..)| guest).join(",");
    let output = short_run(folder.path(), &format!("single,{named}"))
        .env("PATH", folder.path().join("nothing-here"))
        .output()
        .unwrap();
    fine_or_in_doubt(&output, folder.path());
    let absent: Vec<_> = observations(folder.path())
        .into_iter()
        .filter_map(|observation| match observation.outcome {
            Outcome::NotMeasured { reason, cure } => Some((observation.cell, reason, cure)),
            _ => None,
        })
        .collect();
    let text = fs::read_to_string(folder.path().join("report.md")).unwrap();
    for (guest, program, package) in guests {
        let reason = format!("{program} not found");
        let cure = format!("install it with: apt-get install {package}");
        for workers in 1..=2 {
            let cell = format!("{guest}-w{workers}-hello");
            let expected = (cell, reason.clone(), cure.clone());
            assert!(absent.contains(&expected), "{expected:?} not in {absent:?}");
        }
        let told = format!("{reason}, {cure}");
        assert!(text.contains(guest) && text.contains(&told), "{text}");
    }
}

#[test]
fn a_server_is_found_in_the_sbin_beside_a_bin_of_path() {
    let folder = tempfile::tempdir().unwrap();
    let (bin, sbin) = (folder.path().join("bin"), folder.path().join("sbin"));
    fs::create_dir(&sbin).unwrap();
    program(
        &sbin,
        "nginx",
        "#!/bin/sh\necho 'nginx version: nginx/9.8.7 (Ours)' >&2\n",
    );
    let output = Command::new(COUNTERS)
        .args(["list", "--bin-dir"])
        .arg(bin_dir())
        .env("PATH", bin)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output).matches("[9.8.7]").count(), 2);
}
