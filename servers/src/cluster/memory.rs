//! How much memory a worker holds.

use nix::unistd::Pid;
use procfs::process::Process;

/// Proportional set size: pages that it shares with others are counted in part. Nothing where the
/// kernel does not tell, as of a process that has ended.
#[must_use]
pub fn pss_bytes(worker: Pid) -> Option<u64> {
    let rollup = Process::new(worker.as_raw()).ok()?.smaps_rollup().ok()?;
    let map = rollup.memory_map_rollup.iter().next()?;
    map.extension.map.get("Pss").copied()
}
