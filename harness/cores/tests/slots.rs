//! Slots in the kernel's own control groups, where this machine lets them be made.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use cores::{Cgroups, Slots, Topology, clean};
use schema::SlotPlan;

const PLAN: SlotPlan = SlotPlan {
    quota_ns: 1_000_000,
    period_ns: 10_000_000,
};

/// Where slots can be made. A machine that does not let them be made skips these tests, aloud.
fn cgroups() -> Option<Cgroups> {
    match Cgroups::find() {
        Ok(cgroups) => Some(cgroups),
        Err(unavailable) => {
            eprintln!("skipped: {}; {}", unavailable.reason, unavailable.cure);
            None
        }
    }
}

fn first_cpu() -> u32 {
    Topology::read().unwrap().cpus()[0]
}

fn busy() -> Child {
    let shell = "while :; do :; done";
    Command::new("sh")
        .args(["-c", shell])
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_worker_gets_its_quota_and_no_more_and_the_slot_goes_with_it() {
    let Some(cgroups) = cgroups() else { return };
    let slots = Slots::make(&cgroups, &[first_cpu(); 2], PLAN).unwrap();
    let dir = slots.dir(0).to_owned();
    let worker = busy();
    let pid = worker.id().cast_signed();
    if let Some(group) = slots.group() {
        fs::write(group.join("cgroup.procs"), pid.to_string()).unwrap();
    }
    slots.move_in(0, pid).unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let allowed = format!("Cpus_allowed_list:\t{}\n", first_cpu());
    assert!(status.contains(&allowed), "{status}");
    slots.limit().unwrap();
    let first = slots.read();
    // Until it was stopped in fifty periods, half a second or more.
    let usage = loop {
        let now = slots.read()[0].since(&first[0], PLAN, 0);
        if now.throttled_periods >= 50 {
            break now;
        }
        std::thread::yield_now();
    };
    // A quota of less than a tick is overrun and made up for, by two ticks at the most.
    let quota_ns = usage.periods * PLAN.quota_ns;
    assert!(usage.given_ns < quota_ns + 20_000_000, "{usage:?}");
    assert!(usage.throttled_ns > 0, "{usage:?}");
    let idle = slots.read()[1].since(&first[1], PLAN, 0);
    assert_eq!((idle.given_ns, idle.throttled_periods), (0, 0));
    end(worker);
    slots.remove().unwrap();
    assert!(!dir.exists() && !dir.parent().unwrap().exists());
}

#[test]
fn slots_without_a_limit_hold_nobody_up() {
    let Some(cgroups) = cgroups() else { return };
    let slots = Slots::make(&cgroups, &[first_cpu()], PLAN).unwrap();
    slots.limit().unwrap();
    slots.unlimit().unwrap();
    let worker = busy();
    if let Some(group) = slots.group() {
        fs::write(group.join("cgroup.procs"), worker.id().to_string()).unwrap();
    }
    slots.move_in(0, worker.id().cast_signed()).unwrap();
    let first = slots.read();
    // Ten quotas' worth of time.
    while slots.read()[0].since(&first[0], PLAN, 0).given_ns < 10 * PLAN.quota_ns {
        std::thread::yield_now();
    }
    let usage = slots.read()[0].since(&first[0], PLAN, 0);
    assert_eq!(usage.throttled_periods, 0, "{usage:?}");
    end(worker);
}

/// Run by the test below in a process of its own, which is killed.
#[test]
#[ignore = "a part of the test of cleaning up"]
fn makes_slots_and_waits_to_be_killed() {
    let cgroups = Cgroups::find().unwrap();
    let slots = Slots::make(&cgroups, &[first_cpu()], PLAN).unwrap();
    println!("slots: {}", slots.dir(0).display());
    loop {
        std::thread::park();
    }
}

#[test]
fn what_a_killed_program_left_is_removed_and_nothing_of_the_living() {
    let Some(cgroups) = cgroups() else { return };
    let mut killed = Command::new(std::env::current_exe().unwrap())
        .args(["makes_slots_and_waits", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(killed.stdout.take().unwrap());
    let line = said
        .lines()
        .map(Result::unwrap)
        .find(|line| line.contains("slots: "))
        .unwrap();
    let left = line.split_once("slots: ").unwrap().1.to_owned();
    let living = Slots::make(&cgroups, &[first_cpu()], PLAN).unwrap();
    let _ = clean(&cgroups);
    assert!(Path::new(&left).exists() && living.dir(0).exists());
    end(killed);
    let cleaned: Vec<String> = clean(&cgroups).iter().map(ToString::to_string).collect();
    assert!(!Path::new(&left).exists(), "{cleaned:?}");
    assert!(living.dir(0).exists());
    let group = Path::new(&left).parent().unwrap().display().to_string();
    assert!(
        cleaned
            .iter()
            .any(|line| line.starts_with("removed") && line.contains(&group)),
        "{cleaned:?}"
    );
}
