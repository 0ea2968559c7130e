//! What disturbed the machine, and what it is.

use schema::{Cell, LoadResult, Machine};

use super::Finding;
use crate::{
    Run, figures,
    groups::{counted, in_words},
    measurements::Measurements,
    trials::Trial,
};

/// A hypervisor that takes less than this share of the CPU time is hardly felt.
const HARMLESS_THEFT: f64 = 0.01;

/// Other programs that use less than this share of the servers' CPUs are hardly felt.
const HARMLESS_COMPANY: f64 = 0.01;

/// Trials that broke a limit of noise, were made again, and those that broke it again.
pub(super) fn marked(measurements: &Measurements<'_>) -> Option<Finding> {
    let repeats = measurements.repeats();
    if repeats.marked + repeats.still_marked == 0 {
        return None;
    }
    let kinds = repeats.kinds.iter();
    let because: Vec<String> = kinds
        .map(|(kind, times)| format!("{} ({})", kind.name(), counted(*times, "trial")))
        .collect();
    let used = match repeats.still_marked {
        0 => "none was marked again".to_owned(),
        1 => "1 was marked again and is used".to_owned(),
        many => format!("{many} were marked again and are used"),
    };
    let were = if repeats.marked == 1 { "was" } else { "were" };
    Some(Finding::caveat(format!(
        "{} of {} {were} marked, because {}; they were repeated with all that was measured beside them, and {used}.",
        repeats.marked,
        counted(repeats.trials, "trial"),
        because.join(" and ")
    )))
}

/// What a hypervisor and other programs took from the servers' CPUs, at their worst.
pub(super) fn taken_from_servers(measurements: &Measurements<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some((share, cell)) = worst(measurements, Trial::stolen_share)
        && share > HARMLESS_THEFT
    {
        findings.push(Finding::caveat(format!(
            "The machine's host took up to {} of the servers' CPU time (in a trial of {}): what was measured at the same time suffered alike, and the rest scatters more.",
            figures::percent(share),
            in_words(cell)
        )));
    }
    if let Some((share, cell)) = worst(measurements, Trial::foreign_share)
        && share > HARMLESS_COMPANY
    {
        findings.push(Finding::caveat(format!(
            "Other programs used up to {} of the servers' CPU time (in a trial of {}): leave the machine alone while it measures.",
            figures::percent(share),
            in_words(cell)
        )));
    }
    findings
}

fn worst<'a>(
    measurements: &Measurements<'a>,
    share: impl Fn(Trial<'a>, &Cell) -> Option<f64>,
) -> Option<(f64, &'a Cell)> {
    measurements
        .all()
        .filter_map(|(cell, _, trial)| Some((share(trial, cell)?, cell)))
        .max_by(|a, b| a.0.total_cmp(&b.0))
}

/// A calibration says something of the machine it was made on alone.
pub(super) fn strange_calibration(run: &Run) -> Option<Finding> {
    let there = &run.calibration.as_ref()?.machine;
    let here = &run.machine;
    let fingerprint = |m: &Machine| (m.cpu_model.clone(), m.cpus_allowed.len(), m.kernel.clone());
    (fingerprint(there) != fingerprint(here)).then(|| {
        Finding::caveat(format!(
            "The calibration was made on another machine ({}, {}, kernel {}): make one here with 'counters calibrate'.",
            there.cpu_model,
            counted(there.cpus_allowed.len(), "CPU"),
            there.kernel
        ))
    })
}

pub(super) fn machine(run: &Run) -> Vec<Finding> {
    let mut findings = Vec::new();
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
pub(super) fn stolen_from_generator(run: &Run) -> Option<Finding> {
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
            "The machine's host took up to {:.0} % of the load generator's CPU time (in a trial of {}): figures are lower, and scatter more, than on a host of one's own.",
            worst * 100.0,
            in_words(cell)
        ))
    })
}
