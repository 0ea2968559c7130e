//! Where groups for slots can be made.
//!
//! v2 where it offers the cpu controller, else v1: a controller is in one of the two only. Rights are
//! not looked at but tried: a slot is made, limited and removed, since a read-only mount, a
//! namespace, a limit above or a neighbour can each forbid what the mode of a file allows.
//!
//! What fails: [`Unavailable`] names each place that was tried, and what the kernel said there.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{Access, access};
use schema::SlotPlan;

use super::{
    SUBTREE_CONTROL, SlotError, Slots, Unavailable,
    error::CURE,
    tree::{Kernel, Tree},
};
use crate::hierarchy::{Hierarchies, Hierarchy};

/// A place where groups for slots can be made.
#[derive(Clone, Debug)]
pub struct Cgroups {
    /// The group below which they are made.
    pub(super) home: PathBuf,
    pub(super) layout: Layout,
    pub(super) tree: Arc<dyn Tree>,
}

/// How groups are laid out below home; see [`crate::slots`] for why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    V1,
    /// Our group and its leaves are threaded, in the domain of home.
    V2Threaded,
    /// Our group is a domain, and its leaves are threaded.
    V2Domain,
}

impl Layout {
    pub fn is_v2(self) -> bool {
        self != Self::V1
    }
}

/// A quota that every kernel takes.
const TRIAL: SlotPlan = SlotPlan {
    quota_ns: 1_000_000,
    period_ns: 100_000_000,
};

impl Cgroups {
    /// Finds the place for this process.
    ///
    /// # Errors
    /// Where there is none, and what to do.
    pub fn here() -> Result<Self, Unavailable> {
        let hierarchies = Hierarchies::here().map_err(|error| Unavailable {
            reason: error.to_string(),
            cure: CURE.to_owned(),
        })?;
        Self::find(&hierarchies)
    }

    /// Finds the place among these hierarchies. Makes a slot there, and removes it again; under v2
    /// this process's own group gives `cpu` to its children from then on.
    ///
    /// # Errors
    /// As [`Self::here`].
    pub fn find(hierarchies: &Hierarchies) -> Result<Self, Unavailable> {
        Self::find_in(hierarchies, &(Arc::new(Kernel) as Arc<dyn Tree>))
    }

    pub(super) fn find_in(
        hierarchies: &Hierarchies,
        tree: &Arc<dyn Tree>,
    ) -> Result<Self, Unavailable> {
        let places = places(hierarchies);
        if places.is_empty() {
            return Err(Unavailable {
                reason: "no cgroup that this process sees offers the cpu controller".to_owned(),
                cure: CURE.to_owned(),
            });
        }
        let mut refusals = Vec::new();
        for (home, layout) in places {
            let place = Self {
                home,
                layout,
                tree: Arc::clone(tree),
            };
            match place.prove() {
                Ok(()) => return Ok(place),
                Err(refusal) => refusals.push(refusal),
            }
        }
        Err(unavailable(&refusals))
    }

    /// The group below which groups are made.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    fn prove(&self) -> Result<(), SlotError> {
        if self.layout.is_v2() {
            // All ways of a process lead through here, and making groups does not ask for it.
            let procs = self.home.join("cgroup.procs");
            access(&procs, Access::WRITE_OK).map_err(|errno| SlotError::Write {
                file: procs,
                text: "a pid".to_owned(),
                source: errno.into(),
            })?;
        }
        let slots = Slots::make(self, &[0], TRIAL)?;
        slots.limit()?;
        slots.read()?;
        slots.remove()
    }
}

impl fmt::Display for Cgroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = if self.layout.is_v2() { 2 } else { 1 };
        write!(f, "cgroups v{version} below {}", self.home.display())
    }
}

/// Where to try, best first.
fn places(hierarchies: &Hierarchies) -> Vec<(PathBuf, Layout)> {
    let v2 = hierarchies.v2().map_or_else(Vec::new, v2_places);
    let v1 = hierarchies
        .v1("cpu")
        .map(|hierarchy| (hierarchy.own.clone(), Layout::V1));
    v2.into_iter().chain(v1).collect()
}

/// This process's own group, where it has the controller, then the nearest above that hands it on.
fn v2_places(hierarchy: &Hierarchy) -> Vec<(PathBuf, Layout)> {
    let own = lists_cpu(&hierarchy.own.join("cgroup.controllers"))
        .then(|| (hierarchy.own.clone(), Layout::V2Threaded));
    let above = hierarchy
        .groups()
        .skip(1)
        .find(|group| lists_cpu(&group.join(SUBTREE_CONTROL)))
        .map(|group| (group.to_owned(), Layout::V2Domain));
    own.into_iter().chain(above).collect()
}

fn lists_cpu(file: &Path) -> bool {
    fs::read_to_string(file).is_ok_and(|list| list.split_whitespace().any(|name| name == "cpu"))
}

/// The refusals as one; the first place is the one to cure.
fn unavailable(refusals: &[SlotError]) -> Unavailable {
    let reasons: Vec<String> = refusals.iter().map(SlotError::reason).collect();
    Unavailable {
        reason: reasons.join(", and "),
        cure: refusals.first().map_or(CURE, SlotError::cure).to_owned(),
    }
}
