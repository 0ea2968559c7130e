//! What a core is: which CPUs there are, who gets which, and cores that are emulated by quota.
//!
//! Read the crate in the order in which a run uses it:
//!
//! 1. [`topology`]: the CPUs this process may use, as physical cores.
//! 2. [`limits`]: the CPU time that cgroups leave it ([`Hierarchies`]: where those are).
//! 3. [`slots`]: whether cores can be emulated here, and later the slots themselves.
//! 4. [`mod@plan`]: which CPUs serve and which load, how many cores there are and of which kind.
//! 5. [`quota`]: how much CPU time each emulated core has.
//! 6. [`mod@bind`]: keeping to CPUs.
//!
//! An emulated core shows throughput and its ratios. It does not show latency below a period, nor
//! contention between workers that run at the same instant.
//!
//! Nothing here knows servers or load: whoever starts workers tells them their slots.

pub mod bind;
mod hierarchy;
pub mod limits;
pub mod plan;
pub mod quota;
pub mod slots;
pub mod topology;

pub use self::{
    bind::bind,
    hierarchy::{Hierarchies, HierarchyError},
    limits::Limit,
    plan::{PlanError, Wanted, WantedKind, plan, sides, worker_counts},
    quota::{slot_plan, tick},
    slots::{Cgroups, SlotError, Slots, Unavailable, clean, join},
    topology::{PhysicalCore, Topology},
};
