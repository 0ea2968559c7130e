//! Workers that hold too much memory.

use std::collections::BTreeSet;

use nix::sys::signal::Signal::SIGTERM;

use super::{assert_nothing_lost, crowd};
use crate::{grid::Cell, launch::started};

/// The worker in a line that says why it is replaced.
fn too_large(line: &str) -> Option<u32> {
    let rest = line.strip_prefix("Worker ")?;
    let (worker, rest) = rest.split_once(" holds ")?;
    let (bytes, rest) = rest.split_once(" bytes, more than ")?;
    assert!(
        bytes.parse::<u64>().is_ok_and(|bytes| bytes > 1024),
        "{line}"
    );
    assert_eq!(rest, "1024; replacing it");
    worker.parse().ok()
}

#[test]
fn workers_that_hold_too_much_memory_are_replaced_and_no_request_is_lost() {
    for cell in Cell::of_kept_processes() {
        let mut cluster = cell.start("2", &["--max-memory", "1K", "--memory-every", "50ms"]);
        let crowd = crowd(&cluster);
        let first: BTreeSet<u32> = cluster.workers().into_iter().take(2).collect();
        // Where workers begin slowly, some are too large before all are ready.
        let greeting = cluster.greeting.iter();
        let mut replaced: BTreeSet<u32> = greeting.filter_map(|line| too_large(line)).collect();
        while !first.is_subset(&replaced) {
            replaced.insert(cluster.until(too_large));
        }
        let heirs: BTreeSet<u32> = [(); 2].map(|()| cluster.until(started)).into();
        assert!(heirs.is_disjoint(&replaced), "{cell}");
        crowd.wait_for_answers(20);
        assert_nothing_lost(&crowd.disperse(), cell);
        cluster.signal(SIGTERM);
        let ended = cluster.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{cell}");
    }
}
