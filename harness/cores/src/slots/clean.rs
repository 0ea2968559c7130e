//! Removal: of one's own groups, and of what killed owners left behind.
//!
//! Order of events: leaves first, then the group, as the kernel removes only what is empty.
//!
//! Invariant: nothing is removed but groups that carry the mark of this pid namespace, and of them
//! only this process's own and those of owners that live no more.
//!
//! What fails: a group that holds tasks stays whole. Somebody else may clean at the same time; a
//! group that is gone already is as good as removed.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{
    Cgroups, SlotError,
    find::Layout,
    mark::{Mark, own_namespace},
};

/// Between two looks at a group whose tasks are about to end.
const PAUSE: Duration = Duration::from_millis(2);

/// A group that its owner left behind.
#[derive(Debug)]
pub struct Cleaned {
    /// The group.
    pub group: PathBuf,
    /// Whether it could be removed.
    pub outcome: Result<(), SlotError>,
}

impl fmt::Display for Cleaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = self.group.display();
        match &self.outcome {
            Ok(()) => write!(
                f,
                "removed the cgroup {group}, which a run that was killed had left"
            ),
            Err(error) => write!(f, "a run that was killed left {group}: {error}"),
        }
    }
}

/// Removes the groups of owners of this pid namespace that live no more. A group of another pid
/// namespace, of a living process or of a foreign name is left alone; one that still holds tasks is
/// left as well, and told.
///
/// # Errors
/// Where the groups cannot be listed.
pub fn clean(cgroups: &Cgroups) -> Result<Vec<Cleaned>, SlotError> {
    let namespace = own_namespace()?;
    let orphans = children(&cgroups.home)?.into_iter().filter(|group| {
        let name = group.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.parse::<Mark>().ok())
            .is_some_and(|mark| mark.namespace == namespace && !mark.owner_lives())
    });
    Ok(orphans
        .map(|group| Cleaned {
            outcome: remove_group(cgroups, &group, Duration::ZERO),
            group,
        })
        .collect())
}

/// Removes a group and its leaves; while they hold tasks, waits for at most `patience`.
pub(super) fn remove_group(
    cgroups: &Cgroups,
    group: &Path,
    patience: Duration,
) -> Result<(), SlotError> {
    let deadline = Instant::now() + patience;
    loop {
        let left = match try_remove(cgroups, group) {
            Ok(()) => return Ok(()),
            Err(held @ SlotError::Held { .. }) => held,
            Err(other) => return Err(other),
        };
        if Instant::now() >= deadline {
            return Err(left);
        }
        thread::sleep(PAUSE);
    }
}

fn try_remove(cgroups: &Cgroups, group: &Path) -> Result<(), SlotError> {
    let mut groups = children(group)?;
    groups.push(group.to_owned());
    let held = || -> Vec<i32> {
        let of = |group: &PathBuf| tasks(cgroups.layout, group).unwrap_or_default();
        groups.iter().flat_map(of).collect()
    };
    let is_held = |tasks| SlotError::Held {
        group: group.to_owned(),
        tasks,
    };
    // Looked at before anything goes: a group is left whole or not at all.
    let tasks = held();
    if !tasks.is_empty() {
        return Err(is_held(tasks));
    }
    for dir in &groups {
        match cgroups.tree.rmdir(dir) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // It may be held by tasks that are past being listed, too.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                return Err(is_held(held()));
            }
            Err(source) => {
                return Err(SlotError::Remove {
                    group: dir.clone(),
                    source,
                });
            }
        }
    }
    Ok(())
}

/// The tasks that are in a group itself.
pub(super) fn tasks(layout: Layout, group: &Path) -> io::Result<Vec<i32>> {
    let file = if layout.is_v2() {
        "cgroup.threads"
    } else {
        "tasks"
    };
    let list = fs::read_to_string(group.join(file))?;
    Ok(list.lines().filter_map(|task| task.parse().ok()).collect())
}

/// The groups right below `group`; none where it is gone.
fn children(group: &Path) -> Result<Vec<PathBuf>, SlotError> {
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(group)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    };
    match list() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        found => found.map_err(|source| SlotError::Read {
            file: group.to_owned(),
            source,
        }),
    }
}
