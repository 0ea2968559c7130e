//! Whose a group is, told by its name.
//!
//! `ten-counters-<pid namespace>-<pid>-<start>-<number>`: a process id alone comes round again, and means
//! nothing in another namespace; with the time the process started, in ticks since boot, it is one
//! process for ever.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    sync::atomic::{AtomicU64, Ordering},
};

use procfs::process::Process;

const MARK: &str = "ten-counters";

/// Of a group of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    namespace: u64,
    pid: i32,
    start: u64,
}

/// What is known of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It lives, or is of another namespace, where nothing can be known of it.
    MayLive,
    /// It has ended.
    Ended,
}

/// A name that no other group has.
pub(super) fn fresh_name() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let own = Owner::this();
    format!(
        "{MARK}-{}-{}-{}-{number}",
        own.namespace, own.pid, own.start
    )
}

impl Owner {
    /// This process.
    pub(super) fn this() -> Self {
        let pid = std::process::id().cast_signed();
        Self {
            namespace: namespace(),
            pid,
            start: start_of(pid).unwrap_or(0),
        }
    }

    /// Nothing where the name is not one of ours.
    pub(super) fn of(name: &str) -> Option<Self> {
        let mut fields = name.strip_prefix(MARK)?.strip_prefix('-')?.split('-');
        let owner = Self {
            namespace: fields.next()?.parse().ok()?,
            pid: fields.next()?.parse().ok()?,
            start: fields.next()?.parse().ok()?,
        };
        let _number: u64 = fields.next()?.parse().ok()?;
        fields.next().is_none().then_some(owner)
    }

    pub(super) fn life(self) -> Life {
        if self.namespace != namespace() || start_of(self.pid) == Some(self.start) {
            Life::MayLive
        } else {
            Life::Ended
        }
    }
}

/// Of process ids.
fn namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |namespace| namespace.ino())
}

/// When a process began, in ticks since boot; nothing where there is none, or it only waits to be reaped.
fn start_of(pid: i32) -> Option<u64> {
    let stat = Process::new(pid).and_then(|process| process.stat()).ok()?;
    (stat.state != 'Z').then_some(stat.starttime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_owner_and_no_two_are_alike() {
        let (first, second) = (fresh_name(), fresh_name());
        assert_ne!(first, second);
        assert_eq!(Owner::of(&first), Some(Owner::this()));
        assert_eq!(Owner::of(&first).unwrap().life(), Life::MayLive);
    }

    #[test]
    fn names_of_others_are_not_ours() {
        for name in [
            "",
            "system.slice",
            "ten-counters",
            "ten-counters-1-2",
            "ten-counters-test-1-2-3",
            "ten-counters-1-2-3-4-5",
        ] {
            assert_eq!(Owner::of(name), None, "{name}");
        }
    }

    #[test]
    fn an_owner_has_ended_once_its_id_is_free_or_anothers_but_not_one_of_another_namespace() {
        let this = Owner::this();
        assert_eq!(
            Owner {
                start: this.start + 1,
                ..this
            }
            .life(),
            Life::Ended
        );
        let elsewhere = Owner {
            namespace: this.namespace + 1,
            start: 0,
            ..this
        };
        assert_eq!(elsewhere.life(), Life::MayLive);
    }
}
