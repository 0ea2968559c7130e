//! What the calling thread used, and what was kept from it, as the kernel accounts it.

use std::{fs, io};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::{TimeVal, TimeValLike},
};
use schema::CpuTime;

/// CPU time, from `getrusage(RUSAGE_THREAD)`.
pub fn cpu() -> io::Result<CpuTime> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    let nanoseconds = |time: TimeVal| u64::try_from(time.num_nanoseconds()).unwrap_or(0);
    Ok(CpuTime {
        user_ns: nanoseconds(usage.user_time()),
        system_ns: nanoseconds(usage.system_time()),
    })
}

/// Time it could have run while something else had its CPU, ns; the second figure of schedstat.
/// Nothing where the kernel does not keep it.
pub fn run_queue_wait_ns() -> Option<u64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().nth(1)?.parse().ok()
}

/// Time a hypervisor kept a CPU from this machine although it had work, ns, in ticks of 10 ms; the
/// eighth figure of its line in /proc/stat. Nothing where there is no such line.
pub fn stolen_ns(cpu: u32) -> Option<u64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let name = format!("cpu{cpu} ");
    let line = text.lines().find(|line| line.starts_with(&name))?;
    let ticks: u64 = line.split_whitespace().nth(8)?.parse().ok()?;
    Some(ticks * 10_000_000)
}
