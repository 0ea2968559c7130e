//! Servers, guests, and what the instrument's own error is known to be.

use schema::{Machine, Origin};

use super::Finding;
use crate::{
    calibrate::keep,
    contenders::{Contender, own},
};

pub(super) fn look(contenders: &[Box<dyn Contender>], machine: &Machine) -> Vec<Finding> {
    let mut findings: Vec<Finding> = contenders
        .iter()
        .map(AsRef::as_ref)
        .filter(|one| is_a_program(*one))
        .map(found)
        .collect();
    if machine.build.profile != "release" {
        findings.push(Finding::limits(
            "build",
            format!(
                "this is a {} build, whose figures say little",
                machine.build.profile
            ),
            "build it with: cargo build --release",
        ));
    }
    findings.push(calibration(machine));
    findings
}

/// Most servers of ours are the same programs with other options.
fn is_a_program(contender: &dyn Contender) -> bool {
    contender.origin() == Origin::Guest || own::PROGRAMS.contains(&contender.name())
}

fn found(contender: &dyn Contender) -> Finding {
    let about = match contender.origin() {
        Origin::Own => "server",
        Origin::Guest => "guest",
    };
    let name = contender.name();
    match contender.find() {
        Ok(()) => {
            let version = contender.program().and_then(|program| program.version);
            let version = version
                .map(|version| format!(" ({version})"))
                .unwrap_or_default();
            Finding::fine(about, format!("{name}{version}"))
        }
        // A server that is not built yet is built by `counters run` in a checkout.
        Err(absent) => Finding::limits(about, format!("{name}: {}", absent.reason), absent.cure),
    }
}

fn calibration(machine: &Machine) -> Finding {
    let about = "calibration";
    match keep::kept(machine) {
        Ok(Some(calibration)) => {
            let (rate, low, high) = calibration.same.rate;
            Finding::fine(
                about,
                format!(
                    "{:.1} % of {} comparisons of a server with itself found a difference (95 % interval {:.1} to {:.1} %)",
                    rate * 100.0,
                    calibration.same.comparisons,
                    low * 100.0,
                    high * 100.0
                ),
            )
        }
        Ok(None) => Finding::limits(
            about,
            "the instrument's own error is not known on this machine",
            "measure it with: counters calibrate (about half an hour)",
        ),
        Err(reason) => Finding::limits(about, reason, "counters calibrate"),
    }
}
