//! Servers as child processes that end with the test, however it ends.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use schema::Ready;
use serde_json::Value;

/// Long enough for anything that comes at all, on any machine.
pub const PATIENCE: Duration = Duration::from_secs(45);

pub const SINGLE: &str = env!("CARGO_BIN_EXE_single");
pub const FLOOR: &str = env!("CARGO_BIN_EXE_floor");
pub const CLUSTER: &str = env!("CARGO_BIN_EXE_cluster");
pub const THREADS: &str = env!("CARGO_BIN_EXE_threads");

/// The servers that are compared, with one worker each, so that a test knows who will answer.
pub const ONE_WORKER_EACH: [(&str, &[&str]); 3] = [
    (SINGLE, &[]),
    (CLUSTER, &["--workers", "1"]),
    (THREADS, &["--workers", "1"]),
];

/// A running server.
pub struct Server {
    pub ready: Ready,
    /// What it printed before the ready line.
    pub greeting: Vec<String>,
    child: Child,
    stdout: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
}

/// What a server left behind.
#[derive(Debug)]
pub struct Ended {
    /// Absent where a signal ended it.
    pub code: Option<i32>,
    /// What it printed that the test had not read before.
    pub stdout: Vec<String>,
    pub stderr: String,
}

impl Server {
    /// Start `program`, on a free port unless `arguments` name one, and wait for its ready line.
    pub fn start(program: &str, arguments: &[&str]) -> Self {
        Self::spawn(&mut command(program, arguments))
    }

    /// As [`Self::start`], leading a process group as a shell's foreground job does.
    pub fn start_in_own_group(program: &str, arguments: &[&str]) -> Self {
        Self::spawn(command(program, arguments).process_group(0))
    }

    /// As [`Self::start`], allowed to use one CPU only.
    pub fn start_on_one_cpu(program: &str, arguments: &[&str]) -> Self {
        // A child takes its affinity from the thread that makes it; this one exists for that.
        thread::scope(|scope| {
            let pinned = scope.spawn(|| {
                pin_this_thread();
                Self::start(program, arguments)
            });
            pinned.join().expect("the server starts on one CPU")
        })
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server is built");
        let stdout = read_lines(child.stdout.take().expect("stdout is a pipe"));
        let stderr = read_to_end(child.stderr.take().expect("stderr is a pipe"));
        let mut server = Self {
            ready: NOT_READY,
            greeting: Vec::new(),
            child,
            stdout,
            stderr: Some(stderr),
        };
        server.ready = loop {
            let line = server.next_line();
            if line.starts_with('{') && event(&line).is_none() {
                break serde_json::from_str(&line).expect("the ready line is a schema::Ready");
            }
            server.greeting.push(line);
        };
        server
    }

    pub fn address(&self) -> SocketAddr {
        self.ready.address
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The pids in the lines `Worker <pid> started` that came before the ready line.
    pub fn workers(&self) -> Vec<u32> {
        self.greeting
            .iter()
            .filter_map(|line| started(line))
            .collect()
    }

    /// The next line on stdout.
    pub fn next_line(&mut self) -> String {
        match self.stdout.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => {
                let _ = self.child.kill();
                panic!("no line came ({error}); stderr: {}", self.take_stderr());
            }
        }
    }

    /// The next line for which `find` gives something; those before it are passed over.
    pub fn until<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> T {
        loop {
            if let Some(found) = find(&self.next_line()) {
                return found;
            }
        }
    }

    /// Wait for a line that is this.
    pub fn until_line(&mut self, expected: &str) {
        self.until(|line| (line == expected).then_some(()));
    }

    pub fn signal(&self, signal: Signal) {
        kill(pid(self.pid()), signal).expect("the server still runs");
    }

    pub fn signal_group(&self, signal: Signal) {
        killpg(pid(self.pid()), signal).expect("the server still runs");
    }

    /// Wait until the server and every process that has its stdout ended.
    pub fn end(mut self) -> Ended {
        let mut stdout = Vec::new();
        loop {
            match self.stdout.recv_timeout(PATIENCE) {
                Ok(line) => stdout.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the server does not end"),
            }
        }
        Ended {
            code: self.child.wait().expect("it is this test's child").code(),
            stdout,
            stderr: self.take_stderr(),
        }
    }

    fn take_stderr(&mut self) -> String {
        let reader = self.stderr.take().expect("stderr is read once");
        reader.join().expect("reading cannot fail")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Workers of a cluster follow their primary. One that has been waited for is left alone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The pid in `Worker <pid> started`.
pub fn started(line: &str) -> Option<u32> {
    line.strip_prefix("Worker ")?
        .strip_suffix(" started")?
        .parse()
        .ok()
}

/// A line of `--events`.
pub fn event(line: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(line).ok()?;
    value.get("event").is_some().then_some(value)
}

/// Look until there is something to be seen.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(began.elapsed() < PATIENCE, "{what}: it never comes");
        thread::yield_now();
    }
}

/// Wait until no process is left in the group that process `leader` led.
pub fn wait_for_empty_group(leader: u32) {
    wait_for("the group is empty", || {
        (killpg(pid(leader), None) == Err(Errno::ESRCH)).then_some(())
    });
}

/// The processes that `parent` made and that have not been reaped.
pub fn children(parent: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let text = text.expect("the process runs");
    let children = text.split_whitespace().map(str::parse);
    children
        .collect::<Result<_, _>>()
        .expect("pids are numbers")
}

pub fn pid(number: u32) -> Pid {
    Pid::from_raw(number.cast_signed())
}

/// Run a command that ends by itself. A server that serves instead is told to end when patience is
/// at its end, and its exit code is then 124.
pub fn run(program: &str, arguments: &[&str]) -> Ended {
    let output = Command::new("timeout")
        .arg(PATIENCE.as_secs().to_string())
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program exists");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("servers print UTF-8");
    Ended {
        code: output.status.code(),
        stdout: text(output.stdout).lines().map(str::to_owned).collect(),
        stderr: text(output.stderr),
    }
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    if !arguments.contains(&"--port") {
        command.args(["--port", "0"]);
    }
    // So long that no stall of the machine cuts what a test has under way.
    if !arguments.contains(&"--drain-timeout") {
        command.args(["--drain-timeout", "40s"]);
    }
    command
}

/// The CPUs that the calling thread may use; there is at least one.
pub fn allowed_cpus() -> Vec<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).expect("affinity can be read");
    (0..CpuSet::count())
        .filter(|&cpu| allowed.is_set(cpu) == Ok(true))
        .collect()
}

fn pin_this_thread() {
    let mut one = CpuSet::new();
    one.set(allowed_cpus()[0]).expect("the CPU exists");
    sched_setaffinity(Pid::from_raw(0), &one).expect("an allowed CPU may be chosen");
}

fn read_lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn read_to_end(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        text
    })
}

const NOT_READY: Ready = Ready {
    schema_version: 0,
    pid: 0,
    address: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0),
    model: servers::single::MODEL,
    workers: 0,
};
