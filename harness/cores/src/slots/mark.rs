//! Whose group it is: `ten-counters-<pid namespace>-<pid>-<start time>-<number>`.
//!
//! The name is the mark because it is there as soon as the group is, and because a cgroup keeps no
//! other text. A pid means something in its pid namespace only, and is given out again; with the
//! process's start time it names one process for as long as the machine runs.

use std::{
    fmt, fs,
    os::unix::fs::MetadataExt as _,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
};

use procfs::{ProcError, process::Process};

use super::SlotError;

const PREFIX: &str = "ten-counters";

/// An owner, and a number among its groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Inode of the pid namespace.
    pub namespace: u64,
    /// As seen in that namespace.
    pub pid: i32,
    /// Clock ticks since the machine started (field 22 of /proc/pid/stat).
    pub start: u64,
    /// Never the same twice within a process.
    pub number: u64,
}

impl Mark {
    /// For another group of this process.
    pub fn next() -> Result<Self, SlotError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let identity = |what| move |why: ProcError| identity(what, why.to_string());
        let stat = Process::myself()
            .and_then(|process| process.stat())
            .map_err(identity("start time"))?;
        Ok(Self {
            namespace: own_namespace()?,
            pid: stat.pid,
            start: stat.starttime,
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
        })
    }

    /// Whether the process that made the group still lives. True where that cannot be known.
    pub fn owner_lives(&self) -> bool {
        let stat = match Process::new(self.pid).and_then(|process| process.stat()) {
            Ok(stat) => stat,
            Err(ProcError::NotFound(_)) => return false,
            Err(_) => return true,
        };
        // A zombie waits for its parent only. With other threads it is a process whose first thread
        // ended early.
        let ended = matches!(stat.state, 'Z' | 'X') && stat.num_threads <= 1;
        stat.starttime == self.start && !ended
    }
}

/// The inode of this process's pid namespace.
pub(super) fn own_namespace() -> Result<u64, SlotError> {
    fs::metadata("/proc/self/ns/pid")
        .map(|of| of.ino())
        .map_err(|why| identity("pid namespace", why.to_string()))
}

fn identity(what: &'static str, why: String) -> SlotError {
    SlotError::Identity { what, why }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            namespace,
            pid,
            start,
            number,
        } = self;
        write!(f, "{PREFIX}-{namespace}-{pid}-{start}-{number}")
    }
}

impl FromStr for Mark {
    /// It is another's name; there is nothing more to say.
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let mut parts = name.strip_prefix(PREFIX).ok_or(())?.splitn(5, '-').skip(1);
        let mut number = || parts.next()?.parse::<u64>().ok();
        let mut mark = || {
            Some(Self {
                namespace: number()?,
                pid: i32::try_from(number()?).ok()?,
                start: number()?,
                number: number()?,
            })
        };
        // A name that is not written as we write it was not written by us.
        mark().filter(|mark| mark.to_string() == name).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_mark_is_read_as_it_is_written_and_each_has_another_number() {
        let mark = Mark::next().unwrap();
        assert_eq!(mark.to_string().parse(), Ok(mark));
        assert!(Mark::next().unwrap().number > mark.number);
    }

    #[test]
    fn foreign_names_are_no_marks() {
        for name in [
            "ten-counters",
            "ten-counters-1-2-3",
            "ten-counters-1-2-3-4-5",
            "ten-counters-01-2-3-4",
            "ten-counters-1-+2-3-4",
            "ten-counters-1-2-3-x",
            "ten-counters-test-1-2",
            "ten-countersx1-2-3-4",
            "user.slice",
        ] {
            assert_eq!(name.parse::<Mark>(), Err(()), "{name}");
        }
    }

    #[test]
    fn this_process_lives_and_one_of_another_start_time_does_not() {
        let mark = Mark::next().unwrap();
        assert!(mark.owner_lives());
        let start = mark.start + 1;
        assert!(!Mark { start, ..mark }.owner_lives());
    }

    #[test]
    fn a_process_that_was_killed_lives_no_more_even_before_its_parent_looked() {
        let mut child = Command::new("sleep").arg("infinity").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let start = Process::new(pid).unwrap().stat().unwrap().starttime;
        let mark = Mark {
            pid,
            start,
            ..Mark::next().unwrap()
        };
        assert!(mark.owner_lives());
        child.kill().unwrap();
        while Process::new(pid).unwrap().stat().unwrap().state != 'Z' {
            std::thread::yield_now();
        }
        assert!(!mark.owner_lives());
        child.wait().unwrap();
        assert!(!mark.owner_lives());
    }
}
