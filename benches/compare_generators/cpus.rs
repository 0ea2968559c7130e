//! One CPU for the server, another for whatever loads it.
//!
//! Of the CPUs this process may use the first serves and the last loads, if it belongs to another
//! physical core; if all are siblings of the first, the last loads all the same, and it is said.

use std::fs;

use anyhow::{Context, bail, ensure};
use nix::{
    sched::{CpuSet, sched_getaffinity},
    unistd::Pid,
};

/// Who runs where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpus {
    /// The server's CPU.
    pub server: usize,
    /// The generators' CPU.
    pub generator: usize,
    /// The two share a physical core.
    pub siblings: bool,
}

/// Takes the CPUs asked for, and chooses where none was.
pub fn choose(server: Option<usize>, generator: Option<usize>) -> anyhow::Result<Cpus> {
    choose_from(&allowed()?, core_of, server, generator)
}

/// The CPUs this process may use, ascending.
pub fn allowed() -> anyhow::Result<Vec<usize>> {
    let set =
        sched_getaffinity(Pid::from_raw(0)).context("cannot read this process's CPU affinity")?;
    Ok((0..CpuSet::count())
        .filter(|&cpu| set.is_set(cpu).unwrap_or(false))
        .collect())
}

fn choose_from(
    allowed: &[usize],
    core_of: impl Fn(usize) -> String,
    server: Option<usize>,
    generator: Option<usize>,
) -> anyhow::Result<Cpus> {
    if let [] | [_] = allowed {
        bail!(
            "this process may use {} CPU {allowed:?}, and the server and the generators need one \
             each; run it where two are allowed (see taskset -p $$)",
            allowed.len()
        );
    }
    for cpu in server.iter().chain(&generator) {
        ensure!(
            allowed.contains(cpu),
            "CPU {cpu} may not be used here; choose from {allowed:?}"
        );
    }
    let free = |other: Option<usize>| {
        allowed
            .iter()
            .copied()
            .filter(move |&cpu| Some(cpu) != other)
    };
    let server = server.or_else(|| free(generator).next());
    let apart = free(server)
        .rev()
        .find(|&cpu| server.is_some_and(|server| core_of(server) != core_of(cpu)));
    let generator = generator.or(apart).or_else(|| free(server).next_back());
    let (Some(server), Some(generator)) = (server, generator) else {
        bail!(
            "no two CPUs could be chosen from {allowed:?}; name them with --server-cpu and --generator-cpu"
        );
    };
    ensure!(
        server != generator,
        "CPU {server} cannot both serve and load; choose two from {allowed:?}"
    );
    Ok(Cpus {
        server,
        generator,
        siblings: core_of(server) == core_of(generator),
    })
}

/// A name that CPUs of one physical core share; without a topology in /sys each is a core.
fn core_of(cpu: usize) -> String {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
    fs::read_to_string(path).unwrap_or_else(|_| format!("cpu {cpu}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two CPUs a core: 0 and 1, 2 and 3.
    fn choose(
        allowed: &[usize],
        server: Option<usize>,
        generator: Option<usize>,
    ) -> anyhow::Result<(usize, usize, bool)> {
        let core_of = |cpu: usize| format!("core {}", cpu / 2);
        choose_from(allowed, core_of, server, generator)
            .map(|cpus| (cpus.server, cpus.generator, cpus.siblings))
    }

    #[test]
    fn the_first_serves_and_the_last_loads() {
        assert_eq!(choose(&[0, 1, 2, 3], None, None).unwrap(), (0, 3, false));
    }

    #[test]
    fn another_core_is_preferred_and_siblings_are_told() {
        assert_eq!(choose(&[1, 2, 3], Some(3), None).unwrap(), (3, 1, false));
        assert_eq!(choose(&[2, 3], None, None).unwrap(), (2, 3, true));
    }

    #[test]
    fn a_cpu_asked_for_is_left_free_by_the_other_side() {
        assert_eq!(choose(&[0, 2], None, Some(0)).unwrap(), (2, 0, false));
    }

    #[test]
    fn one_cpu_is_refused_in_one_line() {
        let refusal = choose(&[5], None, None).unwrap_err().to_string();
        assert!(refusal.contains("1 CPU [5]"), "{refusal}");
        assert!(!refusal.contains('\n'), "{refusal}");
    }

    #[test]
    fn a_cpu_out_of_reach_or_used_twice_is_refused() {
        assert!(choose(&[0, 2], Some(1), None).is_err());
        assert!(choose(&[0, 2], Some(2), Some(2)).is_err());
    }
}
