//! What is written where and in which order, against a recorded hierarchy. Real ones are in
//! `tests/slots.rs`.

use std::{fs, path::Path, sync::Arc};

use nix::errno::Errno;
use schema::SlotPlan;

use super::{
    Cgroups, SlotError, Slots, Unavailable, clean, find::Layout, join, mark::Mark,
    recorded::Recorded, tree::Tree,
};
use crate::hierarchy::Hierarchies;

const PLAN: SlotPlan = SlotPlan {
    quota_ns: 4_000_000,
    period_ns: 67_000_000,
};

/// Above the highest that any kernel gives (`PID_MAX_LIMIT`): binding them binds nobody.
const NOBODY: u32 = 4_200_000;
const NOBODY_EITHER: u32 = 4_200_001;

fn find(kernel: &Arc<Recorded>, own: &str) -> Result<Cgroups, Unavailable> {
    let tree: Arc<dyn Tree> = Arc::<Recorded>::clone(kernel);
    Cgroups::find_in(&kernel.hierarchies(own), &tree)
}

/// A process in a group that offers cpu, as under `systemd-run --user --scope -p Delegate=yes`.
fn delegated() -> Arc<Recorded> {
    let kernel = Recorded::new();
    kernel.v2("v2", "cpu memory", "cpu memory");
    kernel.v2("v2/run.scope", "cpu memory", "");
    kernel
}

/// A process in a group that offers no cpu, two below one that gives it.
fn undelegated() -> Arc<Recorded> {
    let kernel = Recorded::new();
    kernel.v2("v2", "cpu memory", "cpu memory");
    kernel.v2("v2/user", "cpu memory", "memory");
    kernel.v2("v2/user/session", "memory", "");
    kernel
}

#[test]
fn under_v2_our_group_is_a_threaded_child_of_our_own_where_that_offers_cpu() {
    let kernel = delegated();
    let cgroups = find(&kernel, "/run.scope").unwrap();
    assert_eq!(cgroups.home(), kernel.path("v2/run.scope"));
    assert_eq!(cgroups.layout, Layout::V2Threaded);
    assert_eq!(
        kernel.steps(),
        [
            "v2/run.scope/cgroup.subtree_control < +cpu",
            "mkdir v2/run.scope/G",
            "v2/run.scope/G/cgroup.type < threaded",
            "v2/run.scope/G/cgroup.subtree_control < +cpu",
            "mkdir v2/run.scope/G/0",
            "v2/run.scope/G/0/cgroup.type < threaded",
            "v2/run.scope/G/0/cpu.max < 1000 100000",
            "rmdir v2/run.scope/G/0",
            "rmdir v2/run.scope/G",
        ]
    );
}

#[test]
fn under_v2_our_group_is_a_domain_below_the_nearest_that_gives_cpu_where_our_own_has_none() {
    let kernel = undelegated();
    let cgroups = find(&kernel, "/user/session").unwrap();
    assert_eq!(cgroups.home(), kernel.path("v2"));
    assert_eq!(cgroups.layout, Layout::V2Domain);
    assert_eq!(
        kernel.steps(),
        [
            "mkdir v2/G",
            "v2/G/cgroup.subtree_control < +cpu",
            "mkdir v2/G/0",
            "v2/G/0/cgroup.type < threaded",
            "v2/G/0/cpu.max < 1000 100000",
            "rmdir v2/G/0",
            "rmdir v2/G",
        ]
    );
}

#[test]
fn v1_is_taken_where_v2_offers_no_cpu_and_v2_where_both_would_do() {
    let kernel = Recorded::new();
    kernel.v2("v2/a", "memory", "");
    kernel.v1("v1/a");
    let cgroups = find(&kernel, "/a").unwrap();
    assert_eq!(cgroups.home(), kernel.path("v1/a"));
    assert_eq!(cgroups.layout, Layout::V1);
    kernel.v2("v2/a", "cpu", "");
    assert_eq!(find(&kernel, "/a").unwrap().layout, Layout::V2Threaded);
}

#[test]
fn under_v2_a_process_enters_before_its_threads_join_and_quota_and_period_are_one_write() {
    let kernel = delegated();
    let cgroups = find(&kernel, "/run.scope").unwrap();
    let slots = Slots::make(&cgroups, &[2, 3], PLAN).unwrap();
    assert_eq!((slots.len(), slots.cpu(0), slots.cpu(1)), (2, 2, 3));
    kernel.steps();
    slots.enter(NOBODY).unwrap();
    slots.move_in(1, NOBODY_EITHER).unwrap();
    slots.limit().unwrap();
    slots.unlimit().unwrap();
    assert_eq!(
        kernel.steps(),
        [
            "v2/run.scope/G/cgroup.procs < 4200000",
            "v2/run.scope/G/1/cgroup.procs < 4200001",
            "v2/run.scope/G/0/cpu.max < 4000 67000",
            "v2/run.scope/G/1/cpu.max < 4000 67000",
            "v2/run.scope/G/0/cpu.max < max",
            "v2/run.scope/G/1/cpu.max < max",
        ]
    );
    let held = slots.remove().unwrap_err();
    let SlotError::Held { tasks, .. } = &held else {
        panic!("{held}");
    };
    assert_eq!(tasks[..], [4_200_001, 4_200_000]);
    assert_eq!(
        kernel.steps(),
        [""; 0],
        "a group that holds tasks stays whole"
    );
}

#[test]
fn under_v1_the_period_is_written_before_the_quota_and_nobody_has_to_enter() {
    let kernel = Recorded::new();
    kernel.v1("v1");
    let cgroups = find(&kernel, "/").unwrap();
    kernel.steps();
    let slots = Slots::make(&cgroups, &[0], PLAN).unwrap();
    slots.enter(NOBODY).unwrap();
    assert_eq!(slots.group(), None);
    slots.limit().unwrap();
    slots.unlimit().unwrap();
    slots.remove().unwrap();
    assert_eq!(
        kernel.steps(),
        [
            "mkdir v1/G",
            "mkdir v1/G/0",
            "v1/G/0/cpu.cfs_period_us < 67000",
            "v1/G/0/cpu.cfs_quota_us < 4000",
            "v1/G/0/cpu.cfs_quota_us < -1",
            "rmdir v1/G/0",
            "rmdir v1/G",
        ]
    );
}

#[test]
fn under_v2_a_process_joins_the_group_above_the_slots_by_itself_in_both_layouts() {
    for (kernel, own) in [
        (delegated(), "/run.scope"),
        (undelegated(), "/user/session"),
    ] {
        let cgroups = find(&kernel, own).unwrap();
        let slots = Slots::make(&cgroups, &[0], PLAN).unwrap();
        let group = slots.group().unwrap();
        assert_eq!(slots.dir(0).parent(), Some(group));
        join(group).unwrap();
        let written = fs::read_to_string(group.join("cgroup.procs")).unwrap();
        assert_eq!(written, "0");
        let error = join(&group.join("none")).unwrap_err().to_string();
        assert!(error.contains("nothing else removes groups"), "{error}");
    }
}

#[test]
fn a_limit_above_that_is_less_than_all_quotas_together_is_refused_under_both_versions() {
    let kernel = delegated();
    let cgroups = find(&kernel, "/run.scope").unwrap();
    // Ten of 4 in 67 ms: 0.6 CPUs.
    let slots = Slots::make(&cgroups, &[0; 10], PLAN).unwrap();
    let above = kernel.path("v2/cpu.max");
    fs::write(&above, "60000 100000\n").unwrap();
    slots.limit().unwrap();
    fs::write(&above, "50000 100000\n").unwrap();
    let error = slots.limit().unwrap_err().to_string();
    let expected = format!(
        "all slots together are to have 0.60 CPUs, and {} allows 0.50; raise that limit, or run \
         outside of its cgroup",
        above.display()
    );
    assert_eq!(error, expected);

    let kernel = Recorded::new();
    kernel.v1("v1");
    let cgroups = find(&kernel, "/").unwrap();
    let slots = Slots::make(&cgroups, &[0; 10], PLAN).unwrap();
    fs::write(kernel.path("v1/cpu.cfs_quota_us"), "50000\n").unwrap();
    assert!(matches!(slots.limit(), Err(SlotError::TooLittle { .. })));
}

#[test]
fn the_place_of_slots_is_told_with_its_version() {
    let kernel = delegated();
    let shown = find(&kernel, "/run.scope").unwrap().to_string();
    let home = kernel.path("v2/run.scope");
    assert_eq!(shown, format!("cgroups v2 below {}", home.display()));
}

#[test]
fn a_reading_of_v2_is_cpu_stat_and_of_v1_cpuacct_where_it_is_mounted_with_cpu() {
    let kernel = delegated();
    let cgroups = find(&kernel, "/run.scope").unwrap();
    let slots = Slots::make(&cgroups, &[5], PLAN).unwrap();
    let before = slots.read().unwrap();
    let stat = "usage_usec 3000\nnr_periods 2\nnr_throttled 1\nthrottled_usec 40\n";
    fs::write(slots.dir(0).join("cpu.stat"), stat).unwrap();
    let usage = slots.read().unwrap()[0].since(&before[0], slots.plan(), 134_000_000);
    assert_eq!(
        (usage.cpu, usage.given_ns, usage.quota_ns),
        (5, 3_000_000, 8_000_000)
    );
    assert_eq!((usage.periods, usage.throttled_periods), (2, 1));
    assert_eq!(usage.throttled_ns, 40_000);

    kernel.v1("v1");
    kernel.v2("v2", "", "");
    let cgroups = find(&kernel, "/").unwrap();
    let mut slots = Slots::make(&cgroups, &[5], PLAN).unwrap();
    fs::write(slots.dir(0).join("cpuacct.usage"), "100\n").unwrap();
    slots.meter = super::Meter::of(Layout::V1, &slots.slots).unwrap();
    let before = slots.read().unwrap();
    fs::write(slots.dir(0).join("cpuacct.usage"), "175\n").unwrap();
    let usage = slots.read().unwrap()[0].since(&before[0], slots.plan(), 1);
    assert_eq!(usage.given_ns, 75);
}

#[test]
fn slots_that_are_dropped_remove_their_groups() {
    let kernel = delegated();
    let cgroups = find(&kernel, "/run.scope").unwrap();
    let slots = Slots::make(&cgroups, &[0, 0, 0], PLAN).unwrap();
    let group = slots.dir(0).parent().unwrap().to_owned();
    assert!(group.exists());
    drop(slots);
    assert!(!group.exists());
}

#[test]
fn what_was_made_before_a_refusal_is_removed() {
    let kernel = Recorded::new();
    // It says that it offers cpu, and gives none: the step after the group fails.
    kernel.v2("v2", "", "cpu");
    kernel.v2("v2/a", "", "");
    fs::write(kernel.path("v2/cgroup.subtree_control"), "cpu").unwrap();
    let cgroups = Cgroups {
        home: kernel.path("v2/a"),
        layout: Layout::V2Domain,
        tree: Arc::<Recorded>::clone(&kernel) as Arc<dyn Tree>,
    };
    let error = Slots::make(&cgroups, &[0], PLAN).unwrap_err();
    assert!(matches!(error, SlotError::Write { .. }), "{error}");
    assert_eq!(
        kernel.steps(),
        [
            "mkdir v2/a/G",
            "v2/a/G/cgroup.subtree_control < +cpu",
            "rmdir v2/a/G"
        ]
    );
}

#[test]
fn a_kernel_that_refuses_is_quoted_with_the_cure() {
    for errno in [Errno::EACCES, Errno::EROFS, Errno::EPERM] {
        let kernel = Arc::new(Recorded::refusing(Some(errno)));
        kernel.v1("v1");
        let error = find(&kernel, "/").unwrap_err();
        assert!(
            error.reason.starts_with("cannot make the cgroup"),
            "{error}"
        );
        assert_eq!(
            error.cure,
            "run as root, or as `systemd-run --user --scope -p Delegate=yes scripts/run`"
        );
    }
}

#[test]
fn every_place_that_was_tried_is_named() {
    let kernel = Arc::new(Recorded::refusing(Some(Errno::EACCES)));
    kernel.v2("v2", "cpu", "cpu");
    kernel.v2("v2/a", "cpu", "");
    kernel.v1("v1/a");
    let reason = find(&kernel, "/a").unwrap_err().reason;
    for place in [
        "v2/a/cgroup.subtree_control",
        "v2/ten-counters",
        "v1/a/ten-counters",
    ] {
        assert!(reason.contains(place), "{place} in {reason}");
    }
}

#[test]
fn without_a_cpu_controller_that_is_the_reason() {
    let none = Hierarchies::parse(Path::new("/"), "1 2 8:1 / / rw - ext4 a rw\n", "0::/\n");
    let error = Cgroups::find(&none).unwrap_err();
    assert!(
        error.reason.contains("offers the cpu controller"),
        "{error}"
    );
}

#[test]
fn cleaning_removes_what_dead_owners_left_and_never_anothers() {
    let kernel = Recorded::new();
    kernel.v1("v1");
    let cgroups = find(&kernel, "/").unwrap();
    let living = Mark::next().unwrap();
    let start = living.start + 1;
    let dead = Mark { start, ..living };
    let elsewhere = Mark {
        namespace: dead.namespace + 1,
        ..dead
    };
    let held = Mark {
        number: 999,
        ..dead
    };
    let make = |name: String| {
        let group = kernel.path("v1").join(name);
        kernel.mkdir(&group).unwrap();
        kernel.mkdir(&group.join("0")).unwrap();
        group
    };
    let dead = make(dead.to_string());
    let held = make(held.to_string());
    fs::write(held.join("0/tasks"), "4711\n").unwrap();
    let others = [
        make(living.to_string()),
        make(elsewhere.to_string()),
        make("user.slice".to_owned()),
    ];
    let mut cleaned = clean(&cgroups).unwrap();
    cleaned.sort_by_key(|of| of.outcome.is_err());
    let [removed, left] = cleaned.as_slice() else {
        panic!("{cleaned:?}");
    };
    assert_eq!(removed.group, dead);
    assert!(!dead.exists());
    assert_eq!(left.group, held);
    assert!(
        removed.to_string().starts_with("removed the cgroup"),
        "{removed}"
    );
    assert!(
        left.to_string()
            .ends_with("[4711]; end them, then remove it"),
        "{left}"
    );
    assert!(
        held.join("0").exists(),
        "a group that holds tasks stays whole"
    );
    let told = left.outcome.as_ref().unwrap_err().to_string();
    assert!(told.contains("[4711]"), "{told}");
    assert!(others.iter().all(|group| group.join("0").exists()));
}
