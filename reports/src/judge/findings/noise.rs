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

/// What a hypervisor took from the generator and from the servers, at its worst.
pub(super) fn host(measurements: &Measurements<'_>) -> Option<Finding> {
    let run = measurements.run;
    let from_generator = worst_of(
        run.measured()
            .filter_map(|(cell, _, measured)| Some((stolen(&measured.load)?, cell))),
    );
    let from_servers = worst(measurements, Trial::stolen_share);
    let taken: Vec<String> = [
        (from_generator, "the load generator's"),
        (from_servers, "the servers'"),
    ]
    .into_iter()
    .filter_map(|(worst, whose)| Some((worst.filter(|(s, _)| *s > HARMLESS_THEFT)?, whose)))
    .map(|((share, cell), whose)| {
        format!(
            "up to {} of {whose} CPU time (in a trial of {})",
            figures::percent(share),
            in_words(cell)
        )
    })
    .collect();
    let a_guest = run.machine.virtual_machine;
    match (taken.is_empty(), a_guest) {
        (true, false) => None,
        (true, true) => Some("This is a virtual machine: its host may take CPU time from it unseen, and what the kernel costs differs from bare metal.".to_owned()),
        (false, _) => Some(format!(
            "{} host took {}: what was measured at the same time suffered alike, and the rest is lower and scatters more than on a machine of one's own.",
            if a_guest { "This is a virtual machine, and its" } else { "The machine's" },
            taken.join(" and ")
        )),
    }
    .map(Finding::caveat)
}

/// The share of its CPUs that a hypervisor kept from the generator.
fn stolen(load: &LoadResult) -> Option<f64> {
    let had = load.elapsed_ns.max(1) as f64 * f64::from(load.generator_threads.max(1));
    Some(load.generator_stolen_ns? as f64 / had)
}

/// What other programs took from the servers' CPUs, at their worst.
pub(super) fn other_programs(measurements: &Measurements<'_>) -> Option<Finding> {
    let (share, cell) = worst(measurements, Trial::foreign_share)?;
    (share > HARMLESS_COMPANY).then(|| {
        Finding::caveat(format!(
            "Other programs used up to {} of the servers' CPU time (in a trial of {}): leave the machine alone while it measures.",
            figures::percent(share),
            in_words(cell)
        ))
    })
}

fn worst<'a>(
    measurements: &Measurements<'a>,
    share: impl Fn(Trial<'a>, &Cell) -> Option<f64>,
) -> Option<(f64, &'a Cell)> {
    let trials = measurements.all();
    worst_of(trials.filter_map(|(cell, _, trial)| Some((share(trial, cell)?, cell))))
}

fn worst_of<'a>(shares: impl Iterator<Item = (f64, &'a Cell)>) -> Option<(f64, &'a Cell)> {
    shares.max_by(|a, b| a.0.total_cmp(&b.0))
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

pub(super) fn governor(run: &Run) -> Option<Finding> {
    let governor = run.machine.governor.as_ref()?;
    (governor != "performance").then(|| {
        Finding::caveat(format!(
            "The frequency governor is '{governor}', so CPUs may have run at several speeds: set it to 'performance' for steadier figures."
        ))
    })
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
