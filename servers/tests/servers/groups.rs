//! Control groups of the kernel's own, made for a test and removed with it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Instant,
};

use procfs::process::{MountInfo, Process};

use crate::launch::{PATIENCE, Server};

/// Which of the kernel's two kinds of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A hierarchy for each controller; here the one of `cpu`.
    V1,
    /// One hierarchy. Threads are joined to groups that are declared threaded.
    V2,
}

/// A group with so many groups in it.
pub struct Groups {
    version: Version,
    outer: PathBuf,
    pub inner: Vec<PathBuf>,
}

impl Groups {
    /// Make `count` groups in one, where this machine lets a test do so.
    pub fn make(version: Version, count: usize) -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ten-counters-test-{}-{number}", process::id());
        let mut groups = Self {
            version,
            outer: hierarchy(version)?.join(name),
            inner: Vec::new(),
        };
        fs::create_dir(&groups.outer)?;
        for number in 0..count {
            let group = groups.outer.join(number.to_string());
            fs::create_dir(&group)?;
            groups.inner.push(group.clone());
            if version == Version::V2 {
                fs::write(group.join("cgroup.type"), "threaded")?;
            }
        }
        Ok(groups)
    }

    /// Start a server in the outer group, as [`Server::start`] does.
    pub fn start(&self, program: &str, arguments: &[&str]) -> Server {
        // The shell becomes the server, which so begins in the group with its first instruction.
        let join = "echo $$ >\"$0\"/cgroup.procs && exec \"$@\"";
        let outer = self.outer.to_str().expect("the path is text");
        Server::start("sh", &[&["-c", join, outer, program], arguments].concat())
    }

    /// Which of the inner groups a thread is in; none where it is in the outer one.
    pub fn place(&self, thread: u32) -> Option<usize> {
        let text = fs::read_to_string(format!("/proc/{thread}/cgroup")).expect("the thread runs");
        let path = text
            .lines()
            .find_map(|line| self.path_in(line))
            .expect("every thread is in a group of every hierarchy");
        let ends_like = |group: &Path| {
            // The path begins where this process's view of the hierarchy does.
            let name = group.strip_prefix(self.outer.parent().expect("it is in a hierarchy"));
            Path::new(path).ends_with(name.expect("groups are in the outer one"))
        };
        let place = self.inner.iter().position(|group| ends_like(group));
        assert!(place.is_some() || ends_like(&self.outer), "{path}");
        place
    }

    /// The path in a line of `/proc/<tid>/cgroup`, `hierarchy:controllers:path`, if it is of the
    /// hierarchy of these groups.
    fn path_in<'a>(&self, line: &'a str) -> Option<&'a str> {
        let mut fields = line.splitn(3, ':');
        let (hierarchy, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let ours = match self.version {
            Version::V1 => controllers.split(',').any(|controller| controller == "cpu"),
            Version::V2 => hierarchy == "0",
        };
        ours.then_some(path)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        let began = Instant::now();
        for group in self.inner.iter().chain([&self.outer]) {
            // A group is busy as long as the last process that was in it takes to end.
            while let Err(error) = fs::remove_dir(group)
                && error.kind() == io::ErrorKind::ResourceBusy
                && began.elapsed() < PATIENCE
            {
                thread::yield_now();
            }
        }
    }
}

/// Where the groups of a kind are made.
fn hierarchy(version: Version) -> io::Result<PathBuf> {
    let is_ours = |mount: &MountInfo| match version {
        Version::V1 => mount.fs_type == "cgroup" && mount.super_options.contains_key("cpu"),
        Version::V2 => mount.fs_type == "cgroup2",
    };
    let mounts = Process::myself().and_then(|process| process.mountinfo());
    mounts
        .map_err(io::Error::other)?
        .into_iter()
        .find(is_ours)
        .map(|mount| mount.mount_point)
        .ok_or_else(|| io::Error::other(format!("no control groups {version:?} are mounted")))
}
