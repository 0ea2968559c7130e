//! Which CPUs serve and which load, how many cores servers have, and of which kind.
//!
//! The generator and the servers get different physical cores, half each (the odd one serves), so
//! that neither takes CPU time or an SMT sibling from the other. With one physical core that cannot
//! be had: its siblings are split, and with one CPU both use it, and the plan says so.
//!
//! A real core is a whole physical core, of which the first CPU is used
//! ([`Topology::first_cpus`]); the CPUs of a plan begin with those, so that as many real cores are as
//! many CPUs from the front. Where there are fewer than wanted, cores can be emulated: each is a
//! share of a CPU, by quota ([`crate::slots`]).
//!
//! What fails: emulated cores that were asked for and cannot be had. Everything else has a next
//! best, and [`CorePlan::reason`] says what it costs.

#[cfg(test)]
mod tests;

use schema::{CorePlan, Cores};

use crate::{limits::Limit, quota::LARGEST_SHARE_PERCENT, slots::Unavailable, topology::Topology};

/// The kind of cores that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WantedKind {
    /// Real ones where there are enough, else emulated ones where they can be had.
    #[default]
    Auto,
    /// Real ones, however few.
    Real,
    /// Emulated ones or none.
    Emulated,
}

/// The cores that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// How many.
    pub cores: u32,
    /// Of which kind.
    pub kind: WantedKind,
}

impl Default for Wanted {
    /// Ten counters.
    fn default() -> Self {
        Self {
            cores: 10,
            kind: WantedKind::Auto,
        }
    }
}

/// What is asked for cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// None were asked for.
    #[error("0 cores were asked for; ask for at least 1")]
    NoCores,
    /// They cannot be made here.
    #[error("cores cannot be emulated: {0}, or ask for real cores")]
    NotEmulated(Unavailable),
}

/// Deals the CPUs out and chooses the kind of cores. `slots` is whether cores can be emulated, or
/// why not; of a `limit` below the number of CPUs only the whole CPUs are used.
///
/// # Errors
/// Where emulated cores are asked for and cannot be made, or none are asked for.
pub fn plan(
    topology: &Topology,
    limit: Option<&Limit>,
    wanted: Wanted,
    slots: Result<(), &Unavailable>,
) -> Result<CorePlan, PlanError> {
    if wanted.cores == 0 {
        return Err(PlanError::NoCores);
    }
    let mut reason = Vec::new();
    let topology = &limited(topology, limit, &mut reason);
    let (server_cpus, generator_cpus) = sides(topology);
    let real = u32::try_from(topology.first_cpus(&server_cpus).len()).unwrap_or(u32::MAX);
    let too_low = limit.and_then(|limit| too_low_for_slots(limit, real));
    let slots = too_low.as_ref().map_or(slots, Err);
    let (kind, cores) = choose(real, wanted, slots, &mut reason)?;
    let overlapping = server_cpus == generator_cpus;
    if server_cpus.len() > real as usize {
        reason.push(
            "Of each physical core the first CPU counts as a core; its siblings stay idle or \
             belong to the same server."
                .to_owned(),
        );
    }
    if overlapping {
        reason.push("The load generator uses the same CPU, as there is only one.".to_owned());
    }
    Ok(CorePlan {
        server_cpus,
        generator_cpus,
        overlapping,
        kind,
        cores,
        reason: reason.join(" "),
    })
}

/// The numbers of workers at which throughput is measured by number of cores, ascending: 1, 2, 3, 4,
/// 6, 8, 10, 12, 16, 24, 32 and so on by halves and wholes, and `cores` itself last.
#[must_use]
pub fn worker_counts(cores: u32) -> Vec<u32> {
    let mut counts: Vec<u32> = (0..u32::BITS)
        .flat_map(|exponent| {
            let power = 1_u32 << exponent;
            [Some(power), power.checked_add(power / 2)]
        })
        .flatten()
        // Ten counters are what all this is about.
        .chain([10, cores])
        .filter(|count| (1..=cores).contains(count))
        .collect();
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// The topology that a limit leaves, in whole CPUs.
fn limited(topology: &Topology, limit: Option<&Limit>, reason: &mut Vec<String>) -> Topology {
    let all = topology.cpus().len();
    let Some(limit) = limit.filter(|limit| limit.cpus < all as f64) else {
        return topology.clone();
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a limit is positive, and smaller than the number of CPUs"
    )]
    let whole = (limit.cpus as usize).max(1);
    reason.push(format!(
        "{} limits this process to {:.2} CPUs, so {whole} of {all} {} used.",
        limit.path.display(),
        limit.cpus,
        if whole == 1 { "is" } else { "are" },
    ));
    topology.within(whole)
}

/// The servers' CPUs and the generator's, of each physical core the first in front.
#[must_use]
pub fn sides(topology: &Topology) -> (Vec<u32>, Vec<u32>) {
    let cores: Vec<Vec<u32>> = match topology.cores.as_slice() {
        [only] => only.cpus.iter().map(|&cpu| vec![cpu]).collect(),
        cores => cores.iter().map(|core| core.cpus.clone()).collect(),
    };
    let serving = cores[..cores.len().div_ceil(2)].concat();
    let (servers, generator): (Vec<u32>, Vec<u32>) = topology
        .firsts_first()
        .into_iter()
        .partition(|cpu| serving.contains(cpu));
    if generator.is_empty() {
        (servers.clone(), servers)
    } else {
        (servers, generator)
    }
}

/// Where a limit leaves less than slots on so many CPUs take together. The kernel would take their
/// quotas all the same under v2, and slots would stand still for a reason that they do not tell.
fn too_low_for_slots(limit: &Limit, cpus: u32) -> Option<Unavailable> {
    let taken = f64::from(cpus) * LARGEST_SHARE_PERCENT as f64 / 100.0;
    (limit.cpus < taken).then(|| Unavailable {
        reason: format!(
            "{} limits this process to {:.2} CPUs, and all slots together take up to {taken:.2}",
            limit.path.display(),
            limit.cpus
        ),
        cure: "raise that limit, or run outside of its cgroup".to_owned(),
    })
}

/// The kind of cores and their number, where servers have `real` physical ones.
fn choose(
    real: u32,
    wanted: Wanted,
    slots: Result<(), &Unavailable>,
    reason: &mut Vec<String>,
) -> Result<(Cores, u32), PlanError> {
    let cores = wanted.cores;
    let have = format!(
        "{real} physical {}",
        if real == 1 { "core" } else { "cores" }
    );
    let (kind, why) = match (wanted.kind, slots) {
        (WantedKind::Emulated, Ok(())) => (
            Cores::Emulated,
            "Emulated cores were asked for: each is a share of a CPU, by quota.".to_owned(),
        ),
        (WantedKind::Emulated, Err(why)) => return Err(PlanError::NotEmulated(why.clone())),
        _ if real >= cores => (
            Cores::Real,
            format!("Servers have {have} of their own, and {cores} are wanted."),
        ),
        (WantedKind::Real, _) => (
            Cores::Real,
            format!(
                "Real cores were asked for, and servers have {have} of the {cores} wanted: \
                 throughput by number of cores ends at {real}."
            ),
        ),
        (WantedKind::Auto, Ok(())) => (
            Cores::Emulated,
            format!(
                "Servers have {have} of the {cores} wanted, so each core is a share of a CPU, by \
                 quota."
            ),
        ),
        (WantedKind::Auto, Err(why)) => (
            Cores::Real,
            format!(
                "Cores cannot be emulated ({why}): with {real} real {}, throughput by number of \
                 cores ends at {real}.",
                if real == 1 { "core" } else { "cores" }
            ),
        ),
    };
    reason.push(why);
    let number = match kind {
        Cores::Emulated => cores,
        Cores::Real | Cores::Shared => cores.min(real),
    };
    Ok((kind, number))
}
