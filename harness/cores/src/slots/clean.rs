//! Removing what a program that was killed has left.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use super::{
    Cgroups,
    owner::{Life, Owner},
};

/// A group that was left over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleaned {
    group: PathBuf,
    /// Why it is there still, where it is.
    kept: Option<String>,
}

impl fmt::Display for Cleaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = self.group.display();
        match &self.kept {
            None => write!(f, "removed {group}, which a run that was killed had left"),
            Some(reason) => write!(
                f,
                "{group} was left by a run that was killed and cannot be removed: {reason}; end the tasks in it"
            ),
        }
    }
}

/// Removes the groups of owners that have ended. Those of the living, of other namespaces of process
/// ids and of other programs are left alone.
#[must_use]
pub fn clean(cgroups: &Cgroups) -> Vec<Cleaned> {
    let entries = fs::read_dir(cgroups.base()).into_iter().flatten().flatten();
    let mut cleaned = Vec::new();
    for entry in entries {
        let owner = entry.file_name().to_str().and_then(Owner::of);
        if owner.is_some_and(|owner| owner.life() == Life::Ended) {
            let group = entry.path();
            cleaned.push(Cleaned {
                kept: remove(&group).err().map(|error| error.to_string()),
                group,
            });
        }
    }
    cleaned
}

/// Leaves first. A group with tasks in it stays.
fn remove(group: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(group)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            fs::remove_dir(entry.path())?;
        }
    }
    fs::remove_dir(group)
}
