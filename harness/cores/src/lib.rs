//! Cores: which CPUs there are, which serve and which load, and how to make more cores than there are.
//!
//! Read in this order:
//! - [`Topology`]: the CPUs this process may use, by physical core;
//! - [`cpu_limit`]: what control groups leave of them;
//! - [`plan`]: which serve, which load, and whether a core is real or emulated;
//! - [`slot_plan`]: how much of a CPU an emulated core is;
//! - [`Cgroups`] and [`Slots`]: control groups with a quota, one for each worker.
//!
//! An emulated core is a share of a CPU by quota (`Documentation/scheduler/sched-bwc.rst` of the
//! kernel): a worker that joins its slot gets so much CPU time in each period and is kept from running
//! for the rest of it. What that can show is throughput and its ratios; what it cannot is latency below
//! a period, and contention between workers that run at the same instant.

mod affinity;
mod limit;
mod plan;
mod slots;
mod topology;

pub use self::{
    affinity::{bind, bind_process},
    limit::{Limit, cpu_limit},
    plan::{NoPlan, Wanted, plan, sides, slot_plan, tick, worker_counts},
    slots::{Cgroups, Cleaned, Reading, SlotError, Slots, Unavailable, clean, join},
    topology::{Topology, TopologyError},
};
