//! Many deaths, one after the other.

use std::collections::BTreeSet;

use nix::sys::signal::{
    Signal::{SIGKILL, SIGTERM},
    kill,
};
use procfs::process::Process;
use schema::{Accept, Style};

use super::crowd;
use crate::{
    grid::Cell,
    launch::{Server, children, pid, started},
};

const DEATHS: usize = 200;

/// What the primary may hold more after many deaths than after some: an allocator rounds.
const SLACK_BYTES: u64 = 256 << 10;

fn resident_bytes(process: u32) -> u64 {
    // Counted page by page: the number in `status` is put together of each CPU's share, and not exact.
    let rollup = Process::new(process.cast_signed())
        .and_then(|process| process.smaps_rollup())
        .expect("the process runs");
    let maps = rollup.memory_map_rollup.into_iter();
    maps.map(|map| map.extension.map["Rss"]).sum()
}

fn survives(cell: Cell) {
    let mut cluster: Server = cell.start("4", &[]);
    let mut workers = cluster.workers();
    let mut killed = BTreeSet::new();
    let crowd = crowd(&cluster);
    let mut held_early = 0;
    for death in 0..DEATHS {
        let victim = workers[death % 4];
        killed.insert(victim);
        kill(pid(victim), SIGKILL).expect("it is a child of the primary");
        workers[death % 4] = cluster.until(started);
        assert_eq!(children(cluster.pid()).len(), 4, "{cell}");
        if death == DEATHS / 4 {
            held_early = resident_bytes(cluster.pid());
        }
    }
    let held = resident_bytes(cluster.pid());
    assert!(
        held <= held_early + SLACK_BYTES,
        "{cell}: {held_early} grew to {held}"
    );
    crowd.wait_for_answers(20);
    let tally = crowd.disperse();
    for loss in &tally.lost {
        let of_a_victim = loss.worker.is_none_or(|worker| killed.contains(&worker));
        assert!(of_a_victim, "{cell}: {loss}");
    }
    assert!(
        tally.lost.len() <= DEATHS * 4,
        "{cell}: {}",
        tally.lost.len()
    );
    cluster.signal(SIGTERM);
    let ended = cluster.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{cell}");
}

#[test]
fn a_cluster_is_whole_after_each_of_many_deaths_and_its_primary_no_larger() {
    for cell in Cell::of_kept_processes() {
        let policies = [
            (Style::Evented, Accept::Shared),
            (Style::Evented, Accept::Handoff),
            (Style::Blocking, Accept::Mutex),
        ];
        if policies
            .iter()
            .any(|&(style, accept)| cell.is(style, accept))
        {
            survives(cell);
        }
    }
}
