//! Workers for tests of what primary and workers share: work that is done in a forked process, or in a
//! thread, as a worker of either kind would.

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    process::{self, Command},
    thread::{self, JoinHandle},
};

use nix::{
    sys::{
        prctl,
        signal::Signal,
        wait::{WaitStatus, waitpid},
    },
    unistd::{ForkResult, Pid, fork, gettid},
};
use procfs::process::Process;
use servers::messages::{PrimaryEnd, WorkerEnd, between_processes, between_threads};

/// What a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Process,
    Thread,
}

/// A test of each kind, of the same body: a function that takes a [`Kind`].
macro_rules! between_both {
    ($($body:ident)*) => { $(
        mod $body {
            use crate::workers::{Kind, in_own_process};

            #[test]
            fn processes() {
                in_own_process(|| super::$body(Kind::Process));
            }

            #[test]
            fn threads() {
                super::$body(Kind::Thread);
            }
        }
    )* };
}
pub(crate) use between_both;

/// Run the calling test where it may fork: in a process of its own whose only test it is.
pub fn in_own_process(body: impl FnOnce()) {
    const OWN: &str = "TEN_COUNTERS_TEST_IN_OWN_PROCESS";
    if env::var_os(OWN).is_some() {
        return body();
    }
    let this = thread::current();
    let name = this.name().expect("tests are named by their threads");
    let output = Command::new(env::current_exe().expect("the test is a program"))
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(OWN, "1")
        .output()
        .expect("the test starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complaint}");
    assert!(said.contains("1 passed"), "{name} is no test: {said}");
}

/// Fork a worker that ends with the calling test. Nothing for servers, which fork with one thread only.
#[allow(unsafe_code)]
fn fork_worker() -> ForkResult {
    let this = Process::myself().expect("/proc is mounted");
    let others: Vec<_> = this
        .tasks()
        .expect("it has threads")
        .filter_map(Result::ok)
        .filter(|task| task.tid != gettid().as_raw())
        .collect();
    assert_eq!(others.len(), 1, "fork in a process of the test's own");
    while others[0].stat().expect("the harness waits").state != 'S' {
        thread::yield_now();
    }
    // SAFETY: the one other thread is the test harness's, which has fallen asleep until this test has
    // ended (checked above), so it holds no lock that the child would wait for.
    let forked = unsafe { fork() }.expect("there is memory");
    if matches!(forked, ForkResult::Child) {
        prctl::set_pdeathsig(Signal::SIGKILL).expect("SIGKILL is a signal");
    }
    forked
}

/// One worker at work.
#[must_use]
pub enum Worker {
    Process(Pid),
    Thread(JoinHandle<()>),
}

impl Worker {
    /// Have a new worker do this, and then end.
    pub fn start(kind: Kind, work: impl FnOnce() + Send + 'static) -> Self {
        match kind {
            Kind::Thread => Self::Thread(thread::spawn(work)),
            Kind::Process => match fork_worker() {
                ForkResult::Parent { child: pid } => Self::Process(pid),
                ForkResult::Child => do_and_exit(work),
            },
        }
    }

    /// Have a new worker do this with its end of a channel.
    pub fn with_channel(
        kind: Kind,
        work: impl FnOnce(WorkerEnd) + Send + 'static,
    ) -> (PrimaryEnd, Self) {
        match kind {
            Kind::Thread => {
                let (primary, end) = between_threads().expect("there are descriptors");
                (primary, Self::start(kind, || work(end)))
            }
            Kind::Process => {
                let (primary, end) = between_processes().expect("there are descriptors");
                match fork_worker() {
                    ForkResult::Parent { child: pid } => (primary, Self::Process(pid)),
                    ForkResult::Child => {
                        // This copy would keep the channel open.
                        drop(primary);
                        do_and_exit(|| work(end))
                    }
                }
            }
        }
    }

    /// The process it is in.
    pub fn pid(&self) -> u32 {
        match self {
            Self::Thread(_) => process::id(),
            Self::Process(pid) => pid.as_raw().cast_unsigned(),
        }
    }

    /// Wait until it has ended, and tell whether all it did was well.
    pub fn end(self) {
        match self {
            Self::Thread(thread) => thread.join().expect("the worker finds all as it should be"),
            Self::Process(pid) => {
                let status = waitpid(pid, None).expect("it is a child");
                assert_eq!(status, WaitStatus::Exited(pid, 0), "the worker says why");
            }
        }
    }
}

fn do_and_exit(work: impl FnOnce()) -> ! {
    let done = catch_unwind(AssertUnwindSafe(work)).is_ok();
    process::exit(i32::from(!done))
}
