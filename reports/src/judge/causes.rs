//! Why many workers serve more or less than their number times one.
//!
//! Throughput is CPU time that was used, over CPU time per request. So the efficiency of N workers
//! is the product of two ratios, each of N workers to one: the share of their CPU time that they
//! used, and (upside down) what a request took of it. The one that lies further from 1, on the side
//! of the product, is the cause, and the other is named where it did its part. Where requests wait, CPU time is not what limits them, and the
//! cause is how long they took.

use schema::{Cell, Cores, Workload};

use super::bottleneck::held_back;
use crate::{
    figures::{micros, millis, percent, significant},
    measurements::Measurements,
    trials::{Trial, Trials},
};

/// A hypervisor is named where it took this part of what is missing.
const MOST_OF_IT: f64 = 0.5;

/// The lesser of two causes is named where it brought about this part of the whole.
const ITS_PART: f64 = 0.25;

/// One cell's means.
struct Means {
    used: f64,
    cpu_ns: f64,
    system_ns: f64,
    switches: f64,
    stolen: f64,
    median_ns: f64,
}

impl Means {
    fn of(trials: &Trials<'_>, cell: &Cell) -> Option<Self> {
        let mean = |figure: &dyn Fn(Trial<'_>) -> f64| {
            let figures = trials.values().map(|&trial| figure(trial));
            figures.sum::<f64>() / trials.len() as f64
        };
        (!trials.is_empty()).then(|| Self {
            used: mean(&|trial| trial.server_share(cell)),
            cpu_ns: mean(&|trial| 1e9 / trial.requests_per_cpu_s()),
            system_ns: mean(&|trial| trial.system_ns_per_request()),
            switches: mean(&|trial| trial.switches_per_request()),
            stolen: mean(&|trial| trial.stolen_share(cell).unwrap_or(0.0)),
            median_ns: mean(&|trial| trial.latency().p50_ns as f64),
        })
    }
}

/// The cause with its figures, to stand after a colon; `None` where nothing was measured.
pub(super) fn cause(measurements: &Measurements<'_>, one: &Cell, many: &Cell) -> Option<String> {
    if let Some(limit) = held_back(measurements, many) {
        return Some(format!(
            "the load generator was the limit (it used {} of its CPUs)",
            percent(limit.generator_share)
        ));
    }
    let alone = Means::of(&measurements.trials(&one.id), one)?;
    let together = Means::of(&measurements.trials(&many.id), many)?;
    if let Workload::Wait { .. } | Workload::Block { .. } = many.workload {
        return Some(format!(
            "half of the answers took more than {} ms, and {} ms with one worker",
            millis(together.median_ns),
            millis(alone.median_ns)
        ));
    }
    let by_time = (together.used / alone.used.max(f64::MIN_POSITIVE)).ln();
    let by_cost = (alone.cpu_ns / together.cpu_ns.max(f64::MIN_POSITIVE)).ln();
    let all = by_time + by_cost;
    let mut causes = [
        (by_time / all, used_time(&alone, &together, many.cores)),
        (by_cost / all, cost(&alone, &together, all < 0.0)),
    ];
    causes.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let [(_, first), (part, second)] = causes;
    Some(if part > ITS_PART {
        format!("{first}; and {second}")
    } else {
        first
    })
}

fn used_time(alone: &Means, together: &Means, cores: Cores) -> String {
    let what = match cores {
        Cores::Emulated => "the CPU time that their quotas allowed",
        Cores::Real | Cores::Shared => "their cores' time",
    };
    let missing = alone.used - together.used;
    let mut words = if missing > 0.0 {
        format!(
            "they used only {} of {what}, where one worker used {} of its own",
            percent(together.used),
            percent(alone.used)
        )
    } else {
        format!(
            "the one worker used only {} of its time, where they used {}",
            percent(alone.used),
            percent(together.used)
        )
    };
    if missing > 0.0 && together.stolen - alone.stolen > missing * MOST_OF_IT {
        words = format!(
            "{words}, as a hypervisor took {} of their CPUs",
            percent(together.stolen)
        );
    }
    words
}

fn cost(alone: &Means, together: &Means, shortfall: bool) -> String {
    let (more, less) = if shortfall {
        (together, alone)
    } else {
        (alone, together)
    };
    let grown = more.cpu_ns / less.cpu_ns.max(f64::MIN_POSITIVE) - 1.0;
    let whose = if shortfall {
        "each request took"
    } else {
        "with one worker each request took"
    };
    let mut words = format!(
        "{whose} {} more CPU time ({} µs, not {} µs)",
        percent(grown),
        micros(more.cpu_ns),
        micros(less.cpu_ns)
    );
    let by_kernel = more.system_ns - less.system_ns;
    if by_kernel > 0.0 {
        let share = (by_kernel / (more.cpu_ns - less.cpu_ns)).clamp(0.0, 1.0);
        words = format!(
            "{words}, {} of the difference in the kernel",
            percent(share)
        );
    }
    if more.switches > less.switches * 1.5 {
        words = format!(
            "{words}, with {} context switches a request instead of {}",
            significant(more.switches, 2),
            significant(less.switches, 2)
        );
    }
    words
}
