//! What disturbed the machine, and what it is.

use schema::LoadResult;

use super::Finding;
use crate::{Run, groups::in_words};

/// A hypervisor that takes less than this share of the CPU time is hardly felt.
const HARMLESS_THEFT: f64 = 0.01;

pub(super) fn machine(run: &Run) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(stolen(run));
    if run.machine.virtual_machine {
        findings.push(Finding::caveat(
            "This is a virtual machine: its host may take CPU time from it unseen, and what the kernel costs differs from bare metal.".into(),
        ));
    }
    if let Some(governor) = &run.machine.governor
        && governor != "performance"
    {
        findings.push(Finding::caveat(format!(
            "The frequency governor is '{governor}', so CPUs may have run at several speeds: set it to 'performance' for steadier figures."
        )));
    }
    findings
}

pub(super) fn debug_build(run: &Run) -> Option<Finding> {
    let build = &run.machine.build;
    (build.profile != "release").then(|| {
        Finding::caveat(format!(
            "This is a {} build, whose timings say nothing: build with --release before quoting any figure.",
            build.profile
        ))
    })
}

/// The share of its CPUs that a hypervisor kept from the generator, at its worst.
fn stolen(run: &Run) -> Option<Finding> {
    let share = |load: &LoadResult| {
        let had = load.elapsed_ns.max(1) as f64 * f64::from(load.generator_threads.max(1));
        Some(load.generator_stolen_ns? as f64 / had)
    };
    let (worst, cell) = run
        .measured()
        .filter_map(|(cell, _, measured)| Some((share(&measured.load)?, cell)))
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    (worst > HARMLESS_THEFT).then(|| {
        Finding::caveat(format!(
            "The machine's host took up to {:.0} % of the load generator's CPU time (in a trial of {}), and of the servers' as likely as not: figures are lower, and scatter more, than on a host of one's own.",
            worst * 100.0,
            in_words(cell)
        ))
    })
}
