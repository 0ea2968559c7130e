//! What Ten Counters writes to disk and says over the ready line.
//!
//! Types only, no behaviour beyond naming and parsing: servers say [`Ready`], the harness writes
//! [`Plan`], [`Machine`] and one [`Observation`] a line, the judge writes [`Verdicts`].
//!
//! Invariants that hold in every file:
//! - the first field is `schema_version`; a reader refuses a version it does not know;
//! - units stand in field names: `_ns` (integer nanoseconds), `_bytes`, `_per_s`;
//! - a number that was not measured is absent (`null`), never zero.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "Ten Counters measures processes and threads through Linux's /proc, prctl and CPU affinity: build it on Linux (a virtual machine, a container or WSL 2 will do)."
);

#[cfg(target_os = "linux")]
mod calibration;
#[cfg(target_os = "linux")]
mod compare;
#[cfg(target_os = "linux")]
mod grid;
#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod model;
#[cfg(target_os = "linux")]
mod observation;
#[cfg(target_os = "linux")]
mod plan;
#[cfg(target_os = "linux")]
mod primitives;
#[cfg(target_os = "linux")]
mod ready;
#[cfg(target_os = "linux")]
mod verdict;

#[cfg(target_os = "linux")]
pub use self::{
    calibration::{Calibration, Power, SelfComparisons},
    compare::{CompareReport, Compared, Gate},
    grid::{GRID, Known, Place},
    load::{
        ArrivalFigures, Arrivals, Check, CpuTime, ErrorCount, ErrorKind, LatencyQuantiles,
        LoadReport, LoadResult, OpenLoop, Pace, Reuse,
    },
    machine::{Build, Machine, Program},
    model::{Accept, Model, ParseModelError, Style, Worker},
    observation::{
        Failure, Mark, MarkKind, Measured, Noise, Observation, Outcome, SlotUsage, Stage, Then,
        TreeUsage,
    },
    plan::{
        Cell, CellSet, CorePlan, Cores, ExperimentPlan, Origin, Plan, Preset, SlotPlan, Stop,
        StopReason, StopRule, Target, Workload,
    },
    primitives::{
        PrimitiveCost, PrimitiveGroup, PrimitiveNoise, PrimitiveRatio, PrimitiveRow, Primitives,
    },
    ready::Ready,
    verdict::{
        AgainstReal, AtShare, Balance, BalanceCell, BesideGuest, Comparison, Conclusion, Design,
        DesignFigures, Direction, Estimate, Estimates, Fidelity, Grid, GridRow, HandoffShare,
        Headline, HeadlineKind, Law, Metric, Order, PolicyCost, Reference, ScalingCurve,
        ScalingPoint, Spread, Standing, Stands, Stevens, Verdict, Verdicts, WakeOrder,
    },
};

/// The version of every type in this crate. Any change that an old reader would misread raises it.
pub const SCHEMA_VERSION: u32 = 4;
