//! Two runs, cell by cell.
//!
//! Cells are matched by id. Those that are not the same question in both (another load, another
//! number of CPUs, another quota) are told and not compared.

use analysis::UnpairedRatio;
use schema::{Cell, CompareReport, Compared, Plan, SCHEMA_VERSION, SlotPlan};

use super::{Basis, Side, caveats, compared, metrics};
use crate::{Run, export, groups::lifetime, judge, measurements::Measurements};

/// Compares the cells that both runs measured; each run comes with the name it is told by.
#[must_use]
pub fn compare_runs(a: (&str, &Run), b: (&str, &Run)) -> CompareReport {
    let ((a_name, a), (b_name, b)) = (a, b);
    let (a_verdicts, b_verdicts) = (judge(a), judge(b));
    let (of_a, of_b) = (Measurements::of(a), Measurements::of(b));
    let (mut compared, mut unlike) = (Vec::new(), Vec::new());
    for cell in measured(&of_a) {
        let Some(other) = measured(&of_b).find(|other| other.id == cell.id) else {
            continue;
        };
        if let Some(reason) = differs((cell, &a.plan), (other, &b.plan)) {
            unlike.push(format!(
                "{} is not the same in both ({reason}), so it is not compared.",
                cell.id
            ));
            continue;
        }
        let (one, other) = (
            Side {
                measurements: &of_a,
                cell,
            },
            Side {
                measurements: &of_b,
                cell: other,
            },
        );
        compared.extend(cell_over_cell(one, other, b.plan.seed));
    }
    let mut caveats = caveats::of_runs((a, &a_verdicts), (b, &b_verdicts), compared.len());
    caveats.extend(unlike);
    CompareReport {
        schema_version: SCHEMA_VERSION,
        a: a_name.to_owned(),
        b: b_name.to_owned(),
        valid: a_verdicts.valid && b_verdicts.valid,
        compared,
        only_in_a: missing(&of_a, &of_b),
        only_in_b: missing(&of_b, &of_a),
        caveats,
        gate: None,
    }
}

fn cell_over_cell(a: Side<'_, '_>, b: Side<'_, '_>, seed: u64) -> Vec<Compared> {
    let each = metrics(a.cell).filter_map(|metric| {
        let figures = |side: Side<'_, '_>| -> Vec<f64> {
            let by_block = side.figures(metric).into_iter();
            by_block.map(|(_, figure)| figure).collect()
        };
        let ratio = UnpairedRatio::new(&figures(a), &figures(b)).ok()?;
        let name = Some(export::name(a.cell));
        compared(name, (a, b), metric, ratio.estimate(seed), &Basis::Trials)
    });
    each.collect()
}

/// Cells with a trial that can be judged, in the order of the plan.
fn measured<'a>(measurements: &Measurements<'a>) -> impl Iterator<Item = &'a Cell> {
    let cells = measurements.run.plan.cells.iter();
    cells.filter(|cell| !measurements.trials(&cell.id).is_empty())
}

/// Ids that the first alone measured.
fn missing(of: &Measurements<'_>, other: &Measurements<'_>) -> Vec<String> {
    measured(of)
        .filter(|cell| measured(other).all(|theirs| theirs.id != cell.id))
        .map(|cell| cell.id.clone())
        .collect()
}

/// Why two cells of one id ask different questions.
fn differs((a, a_plan): (&Cell, &Plan), (b, b_plan): (&Cell, &Plan)) -> Option<String> {
    let told = |what: &str, a: String, b: String| Some(format!("{what} {a} and {b}"));
    let (a_slots, b_slots) = (slots(a, a_plan), slots(b, b_plan));
    if a.server != b.server {
        told("server", a.server.clone(), b.server.clone())
    } else if a.model != b.model {
        told("model", a.model.to_string(), b.model.to_string())
    } else if a.workers != b.workers {
        told("workers", a.workers.to_string(), b.workers.to_string())
    } else if a.cores != b.cores {
        told(
            "cores",
            a.cores.name().to_owned(),
            b.cores.name().to_owned(),
        )
    } else if a.cpus.len() != b.cpus.len() {
        told("CPUs", a.cpus.len().to_string(), b.cpus.len().to_string())
    } else if a.copies != b.copies {
        told("copies", a.copies.to_string(), b.copies.to_string())
    } else if a.target() != b.target() {
        told("GET", a.target(), b.target())
    } else if a.connections != b.connections {
        told(
            "connections",
            a.connections.to_string(),
            b.connections.to_string(),
        )
    } else if a.reuse != b.reuse {
        let life = |cell: &Cell| lifetime(cell.reuse).to_owned();
        told("load", life(a), life(b))
    } else if a.rate_per_s != b.rate_per_s {
        let pace = |cell: &Cell| {
            let rate = cell.rate_per_s;
            rate.map_or_else(|| "a closed loop".to_owned(), |rate| format!("{rate}/s"))
        };
        told("arrivals", pace(a), pace(b))
    } else if a_slots != b_slots {
        told("quota", share(a_slots), share(b_slots))
    } else {
        None
    }
}

/// What its workers' emulated cores are.
fn slots(cell: &Cell, plan: &Plan) -> Option<SlotPlan> {
    let mut sets = plan.experiments.iter().flat_map(|planned| &planned.sets);
    let is_its = |index: &usize| plan.cells.get(*index).is_some_and(|c| c.id == cell.id);
    sets.find(|set| set.cells.iter().any(is_its))?.slots
}

fn share(slots: Option<SlotPlan>) -> String {
    slots.map_or_else(
        || "none".to_owned(),
        |slots| format!("{} of {} ns", slots.quota_ns, slots.period_ns),
    )
}
