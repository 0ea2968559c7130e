//! A cgroup hierarchy in a temporary folder, with the files as the kernel presents them and the
//! rules that an order of steps depends on. It records what was changed.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use nix::errno::Errno;
use tempfile::TempDir;

use super::{SUBTREE_CONTROL, TYPE, mark::Mark, tree::Tree};
use crate::hierarchy::Hierarchies;

/// Files of a fresh group under v1, beside those of other controllers.
const V1: [(&str, &str); 5] = [
    ("tasks", ""),
    ("cgroup.procs", ""),
    ("cpu.cfs_quota_us", "-1\n"),
    ("cpu.cfs_period_us", "100000\n"),
    (
        "cpu.stat",
        "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n",
    ),
];

/// The same under v2, where cpu is offered.
const V2_CPU: [(&str, &str); 2] = [
    ("cpu.max", "max 100000\n"),
    (
        "cpu.stat",
        "usage_usec 0\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n",
    ),
];

/// Both hierarchies, at `v2` and `v1` below a temporary folder.
#[derive(Debug)]
pub(super) struct Recorded {
    root: TempDir,
    steps: Mutex<Vec<String>>,
    /// What every change fails with.
    refusal: Option<Errno>,
}

impl Recorded {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::refusing(None))
    }

    pub fn refusing(refusal: Option<Errno>) -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            steps: Mutex::default(),
            refusal,
        }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// A v2 group that offers and gives these controllers, and holds this process.
    pub fn v2(&self, group: &str, controllers: &str, gives: &str) {
        let dir = self.path(group);
        fs::create_dir_all(&dir).unwrap();
        for (file, text) in [
            (TYPE, "domain"),
            ("cgroup.controllers", controllers),
            (SUBTREE_CONTROL, gives),
            ("cgroup.procs", "1\n"),
            ("cgroup.threads", "1\n"),
        ] {
            fs::write(dir.join(file), text).unwrap();
        }
    }

    /// A v1 group.
    pub fn v1(&self, group: &str) {
        let dir = self.path(group);
        fs::create_dir_all(&dir).unwrap();
        for (file, text) in V1 {
            fs::write(dir.join(file), text).unwrap();
        }
    }

    /// The hierarchies as a process sees them that is in the group `own` of both.
    pub fn hierarchies(&self, own: &str) -> Hierarchies {
        let mounts = "\
            1 2 0:1 / /v1 rw - cgroup cgroup rw,cpu\n\
            3 2 0:2 / /v2 rw - cgroup2 cgroup2 rw\n";
        let own = format!("1:cpu:{own}\n0::{own}\n");
        Hierarchies::parse(self.root.path(), mounts, &own)
    }

    /// The changes so far, and forgets them. Groups that carry a mark are called G.
    pub fn steps(&self) -> Vec<String> {
        std::mem::take(&mut self.steps.lock().unwrap())
    }

    fn record(&self, dir: &Path, before: &str, after: &str) {
        let of = dir.strip_prefix(self.root.path()).unwrap();
        let shown: Vec<&str> = of
            .iter()
            .filter_map(|part| part.to_str())
            .map(|part| part.parse::<Mark>().map_or(part, |_| "G"))
            .collect();
        let step = format!("{before}{}{after}", shown.join("/"));
        self.steps.lock().unwrap().push(step);
    }

    fn refused(&self) -> io::Result<()> {
        self.refusal.map_or(Ok(()), |errno| Err(errno.into()))
    }
}

fn says(file: &Path, word: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().any(|of| of == word)
}

fn offer_cpu(dir: &Path) -> io::Result<()> {
    fs::write(dir.join("cgroup.controllers"), "cpu\n")?;
    for (file, text) in V2_CPU {
        fs::write(dir.join(file), text)?;
    }
    Ok(())
}

fn below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).collect()
}

impl Tree for Recorded {
    fn mkdir(&self, dir: &Path) -> io::Result<()> {
        self.refused()?;
        self.record(dir, "mkdir ", "");
        fs::create_dir(dir)?;
        let above = dir.parent().unwrap();
        if !above.join(TYPE).exists() {
            for (file, text) in V1 {
                fs::write(dir.join(file), text)?;
            }
            return Ok(());
        }
        let joins = says(&above.join(TYPE), "threaded");
        let kind = if joins { "domain invalid" } else { "domain" };
        for (file, text) in [
            (TYPE, kind),
            ("cgroup.controllers", ""),
            (SUBTREE_CONTROL, ""),
            ("cgroup.procs", ""),
            ("cgroup.threads", ""),
        ] {
            fs::write(dir.join(file), text)?;
        }
        if says(&above.join(SUBTREE_CONTROL), "cpu") {
            offer_cpu(dir)?;
        }
        Ok(())
    }

    fn put(&self, file: &Path, text: &str) -> io::Result<()> {
        self.refused()?;
        self.record(file, "", &format!(" < {text}"));
        let mut open = OpenOptions::new();
        let mut of = open.write(true).truncate(true).open(file)?;
        let dir = file.parent().unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        if name != TYPE && says(&dir.join(TYPE), "invalid") {
            return Err(Errno::EOPNOTSUPP.into());
        }
        match name {
            TYPE => {
                let above = dir.parent().unwrap().join(TYPE);
                if !says(&above, "threaded") {
                    fs::write(above, "domain threaded")?;
                }
            }
            SUBTREE_CONTROL => {
                if !says(&dir.join("cgroup.controllers"), "cpu") {
                    return Err(Errno::ENOENT.into());
                }
                let threads = fs::read_to_string(dir.join("cgroup.threads"))?;
                if !threads.is_empty() && says(&dir.join(TYPE), "domain") {
                    fs::write(dir.join(TYPE), "domain threaded")?;
                }
                for group in below(dir) {
                    offer_cpu(&group)?;
                }
            }
            "cgroup.procs" => {
                let list = dir.join("cgroup.threads");
                let list = if list.exists() {
                    list
                } else {
                    dir.join("tasks")
                };
                fs::write(list, text)?;
            }
            _ => {}
        }
        of.write_all(text.trim_start_matches('+').as_bytes())
    }

    fn rmdir(&self, dir: &Path) -> io::Result<()> {
        self.refused()?;
        self.record(dir, "rmdir ", "");
        let list = |name| fs::read_to_string(dir.join(name)).unwrap_or_default();
        if !below(dir).is_empty() || !(list("cgroup.threads") + &list("tasks")).is_empty() {
            return Err(Errno::EBUSY.into());
        }
        fs::remove_dir_all(dir)
    }
}
