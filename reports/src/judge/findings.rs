//! What a reader must know before quoting a figure.

mod cores;
mod designs;
mod gathered;
mod load;
mod noise;
mod trials;

pub(super) use self::gathered::{a_few, gathered, in_experiment};
use super::self_checks;
use crate::measurements::Measurements;

/// One thing to know.
pub(super) struct Finding {
    /// True where a rule of measurement is broken, so that nothing may be concluded.
    pub(super) breaks_a_rule: bool,
    /// A whole sentence.
    pub(super) sentence: String,
}

impl Finding {
    pub(super) fn broken(sentence: String) -> Self {
        Self {
            breaks_a_rule: true,
            sentence,
        }
    }

    pub(super) fn caveat(sentence: String) -> Self {
        Self {
            breaks_a_rule: false,
            sentence,
        }
    }
}

/// Every finding: what breaks a rule first, then what bears on most figures.
pub(super) fn findings(measurements: &Measurements<'_>) -> Vec<Finding> {
    let run = measurements.run;
    let mut findings = Vec::new();
    findings.extend(trials::nothing_measured(run));
    findings.extend(self_checks::broken_rules(run));
    findings.extend(cores::undeclared_overlap(run));
    findings.extend(load::limited_headline(measurements));
    findings.extend(noise::debug_build(run));
    findings.extend(trials::partial_run(run));
    findings.extend(trials::few_trials(measurements));
    findings.extend(trials::spent_budgets(run));
    findings.extend(load::busy_generator(measurements));
    findings.extend(self_checks::idle_connections(run));
    findings.extend(cores::shared_cpus(run));
    findings.extend(noise::marked(measurements));
    findings.extend(noise::host(measurements));
    findings.extend(noise::other_programs(measurements));
    findings.extend(cores::emulated_cores(run));
    findings.extend(cores::more_workers_than_cpus(run));
    findings.extend(designs::more_than_the_worker_differs(run));
    findings.extend(load::closed_loop(run));
    findings.extend(load::idle_workers(run));
    findings.extend(trials::stops(run));
    findings.extend(cores::borrowed_cpus(run));
    findings.extend(noise::governor(run));
    findings.extend(noise::strange_calibration(run));
    findings.extend(trials::not_measured(run));
    findings.sort_by_key(|finding| !finding.breaks_a_rule);
    findings
}
