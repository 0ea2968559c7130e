//! Plans for machines of all sizes.

use std::path::PathBuf;

use super::*;
use crate::topology::PhysicalCore;

fn topology(cores: &[&[u32]]) -> Topology {
    let core = |cpus: &&[u32]| PhysicalCore {
        node: None,
        package: None,
        cpus: cpus.to_vec(),
    };
    Topology {
        cores: cores.iter().map(core).collect(),
    }
}

fn singles(cpus: u32) -> Topology {
    let cores: Vec<[u32; 1]> = (0..cpus).map(|cpu| [cpu]).collect();
    topology(&cores.iter().map(<[u32; 1]>::as_slice).collect::<Vec<_>>())
}

fn cpus(cores: &[&[u32]]) -> (Vec<u32>, Vec<u32>, bool) {
    let plan = plan(&topology(cores), None, Wanted::default(), Ok(())).unwrap();
    (plan.server_cpus, plan.generator_cpus, plan.overlapping)
}

fn wanted(cores: u32, kind: WantedKind) -> Wanted {
    Wanted { cores, kind }
}

fn read_only() -> Unavailable {
    Unavailable {
        reason: "cgroups are read-only".to_owned(),
        cure: "run as root".to_owned(),
    }
}

/// Kind, number and reason for a machine of so many CPUs.
fn chosen(machine: u32, cores: u32, kind: WantedKind, slots: bool) -> (Cores, u32, String) {
    let none = read_only();
    let slots = if slots { Ok(()) } else { Err(&none) };
    let plan = plan(&singles(machine), None, wanted(cores, kind), slots).unwrap();
    (plan.kind, plan.cores, plan.reason)
}

#[test]
fn cores_are_halved_and_the_odd_one_serves() {
    assert_eq!(cpus(&[&[0], &[1]]), (vec![0], vec![1], false));
    assert_eq!(cpus(&[&[0], &[1], &[2]]), (vec![0, 1], vec![2], false));
}

#[test]
fn siblings_stay_together_behind_the_first_of_every_core() {
    assert_eq!(cpus(&[&[0, 2], &[1, 3]]), (vec![0, 2], vec![1, 3], false));
    let four: [&[u32]; 4] = [&[0, 4], &[1, 5], &[2, 6], &[3, 7]];
    assert_eq!(cpus(&four), (vec![0, 1, 4, 5], vec![2, 3, 6, 7], false));
    let servers = cpus(&four).0;
    assert_eq!(topology(&four).first_cpus(&servers), servers[..2]);
}

#[test]
fn one_core_is_split_between_its_siblings_and_one_cpu_is_shared() {
    assert_eq!(cpus(&[&[0, 1]]), (vec![0], vec![1], false));
    assert_eq!(cpus(&[&[5]]), (vec![5], vec![5], true));
}

#[test]
fn a_shared_cpu_is_told_in_the_reason() {
    let (_, _, reason) = chosen(1, 10, WantedKind::Auto, true);
    assert!(
        reason.ends_with("uses the same CPU, as there is only one."),
        "{reason}"
    );
}

#[test]
fn cores_are_real_where_servers_have_as_many_as_wanted() {
    let (kind, cores, reason) = chosen(20, 10, WantedKind::Auto, true);
    assert_eq!((kind, cores), (Cores::Real, 10));
    assert_eq!(
        reason,
        "Servers have 10 physical cores of their own, and 10 are wanted."
    );
    let (kind, cores, _) = chosen(64, 10, WantedKind::Auto, true);
    assert_eq!((kind, cores), (Cores::Real, 10));
}

#[test]
fn cores_are_emulated_where_servers_have_too_few() {
    let (kind, cores, reason) = chosen(2, 10, WantedKind::Auto, true);
    assert_eq!((kind, cores), (Cores::Emulated, 10));
    assert_eq!(
        reason,
        "Servers have 1 physical core of the 10 wanted, so each core is a share of a CPU, by \
         quota."
    );
}

#[test]
fn too_few_real_cores_that_cannot_be_emulated_say_what_that_costs() {
    let (kind, cores, reason) = chosen(2, 10, WantedKind::Auto, false);
    assert_eq!((kind, cores), (Cores::Real, 1));
    assert_eq!(
        reason,
        "Cores cannot be emulated (cgroups are read-only; run as root): with 1 real core, \
         throughput by number of cores ends at 1."
    );
}

#[test]
fn real_cores_that_were_asked_for_are_as_many_as_there_are() {
    let (kind, cores, reason) = chosen(8, 10, WantedKind::Real, true);
    assert_eq!((kind, cores), (Cores::Real, 4));
    assert!(
        reason.contains("4 physical cores of the 10 wanted"),
        "{reason}"
    );
    assert!(reason.ends_with("ends at 4."), "{reason}");
}

#[test]
fn emulated_cores_that_were_asked_for_are_made_though_there_are_enough_real_ones() {
    let (kind, cores, _) = chosen(64, 10, WantedKind::Emulated, true);
    assert_eq!((kind, cores), (Cores::Emulated, 10));
}

#[test]
fn emulated_cores_that_cannot_be_had_are_an_error_with_the_cure() {
    let wanted = wanted(10, WantedKind::Emulated);
    let error = plan(&singles(64), None, wanted, Err(&read_only())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cores cannot be emulated: cgroups are read-only; run as root, or ask for real cores"
    );
}

#[test]
fn no_cores_at_all_are_an_error() {
    let none = wanted(0, WantedKind::Auto);
    assert_eq!(
        plan(&singles(2), None, none, Ok(())),
        Err(PlanError::NoCores)
    );
}

#[test]
fn siblings_are_no_cores_and_the_reason_says_what_becomes_of_them() {
    let machine = topology(&[&[0, 4], &[1, 5], &[2, 6], &[3, 7]]);
    let plan = plan(&machine, None, wanted(4, WantedKind::Auto), Ok(())).unwrap();
    assert_eq!((plan.kind, plan.cores), (Cores::Emulated, 4));
    assert!(
        plan.reason.contains("siblings stay idle"),
        "{}",
        plan.reason
    );
    assert_eq!(machine.first_cpus(&plan.server_cpus), [0, 1]);
}

#[test]
fn of_a_limit_only_whole_cpus_are_used_and_the_reason_names_it() {
    let limit = |cpus| Limit {
        cpus,
        path: PathBuf::from("/sys/fs/cgroup/box/cpu.max"),
    };
    let planned = |cpus| {
        let wanted = wanted(2, WantedKind::Auto);
        plan(&singles(8), Some(&limit(cpus)), wanted, Ok(())).unwrap()
    };
    let three = planned(3.5);
    assert_eq!(
        (three.server_cpus, three.generator_cpus),
        (vec![0, 1], vec![2])
    );
    assert!(
        three.reason.starts_with(
            "/sys/fs/cgroup/box/cpu.max limits this process to 3.50 CPUs, so 3 of 8 are used. "
        ),
        "{}",
        three.reason
    );
    assert!(planned(0.5).overlapping);
    assert!(!planned(8.0).reason.contains("limits"));
}

#[test]
fn a_limit_below_what_slots_take_leaves_no_emulated_cores() {
    let limit = |cpus| Limit {
        cpus,
        path: PathBuf::from("/sys/fs/cgroup/box/cpu.max"),
    };
    let planned = |cpus, kind| plan(&singles(2), Some(&limit(cpus)), wanted(4, kind), Ok(()));
    assert_eq!(
        planned(0.6, WantedKind::Auto).unwrap().kind,
        Cores::Emulated
    );
    let too_low = planned(0.5, WantedKind::Auto).unwrap();
    assert_eq!((too_low.kind, too_low.cores), (Cores::Real, 1));
    assert!(
        too_low.reason.contains("slots together take up to 0.60"),
        "{}",
        too_low.reason
    );
    assert!(matches!(
        planned(0.5, WantedKind::Emulated),
        Err(PlanError::NotEmulated(_))
    ));
}

#[test]
fn workers_are_counted_up_to_the_cores_and_end_there() {
    assert_eq!(worker_counts(10), [1, 2, 3, 4, 6, 8, 10]);
    assert_eq!(worker_counts(1), [1]);
    assert_eq!(worker_counts(7), [1, 2, 3, 4, 6, 7]);
    assert_eq!(
        worker_counts(128),
        [1, 2, 3, 4, 6, 8, 10, 12, 16, 24, 32, 48, 64, 96, 128]
    );
    assert_eq!(worker_counts(100).last(), Some(&100));
    assert!(worker_counts(0).is_empty());
}
