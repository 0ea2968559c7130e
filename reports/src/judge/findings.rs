//! What a reader must know before quoting a figure.

use std::collections::{BTreeMap, BTreeSet};

use analysis::{LEAST_FOR_AN_INTERVAL, RELIABLE_FROM};
use schema::{Accept, Cell, LoadResult, Origin};

use super::{
    bottleneck::{BUSY_GENERATOR, busiest_generator, held_back},
    pairs::{Theme, pairs, theme},
    self_checks,
};
use crate::{
    Run, figures,
    groups::{counted, groups, in_words, workers},
};

/// A hypervisor that takes less than this share of the CPU time is hardly felt.
const HARMLESS_THEFT: f64 = 0.01;

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

/// Every finding, gravest first.
pub(super) fn findings(run: &Run) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(nothing_measured(run));
    findings.extend(self_checks::broken_rules(run));
    findings.extend(undeclared_overlap(run));
    findings.sort_by_key(|finding| !finding.breaks_a_rule);
    findings.extend(debug_build(run));
    findings.extend(partial_run(run));
    findings.extend(few_trials(run));
    findings.extend(more_workers_than_cpus(run));
    findings.extend(shared_cpus(run));
    findings.extend(busy_generator(run));
    findings.extend(more_than_the_worker_differs(run));
    findings.extend(closed_loop(run));
    findings.extend(idle_workers(run));
    findings.extend(stops(run));
    findings.extend(machine(run));
    findings.extend(not_measured(run));
    findings
}

fn nothing_measured(run: &Run) -> Option<Finding> {
    run.measured().next().is_none().then(|| {
        Finding::broken("No trial was measured, so this run says nothing about any server.".into())
    })
}

fn undeclared_overlap(run: &Run) -> Option<Finding> {
    let cores = &run.plan.cores;
    let shared: Vec<String> = cores
        .server_cpus
        .iter()
        .filter(|cpu| cores.generator_cpus.contains(cpu))
        .map(ToString::to_string)
        .collect();
    (!cores.overlapping && !shared.is_empty()).then(|| {
        Finding::broken(format!(
            "Servers and the load generator shared CPU {} although the plan says that they do not.",
            shared.join(", ")
        ))
    })
}

fn debug_build(run: &Run) -> Option<Finding> {
    let build = &run.machine.build;
    (build.profile != "release").then(|| {
        Finding::caveat(format!(
            "This is a {} build, whose timings say nothing: build with --release before quoting any figure.",
            build.profile
        ))
    })
}

fn partial_run(run: &Run) -> Vec<Finding> {
    let (made, planned) = run.progress();
    let mut findings = Vec::new();
    if made < planned {
        findings.push(Finding::caveat(format!(
            "{made} of {} were made: the run was ended early, so some cells rest on fewer trials than others.",
            counted(planned, "trial")
        )));
    }
    if run.cut_off {
        findings.push(Finding::caveat(
            "The last line of the observations was cut off: the run was ended while writing it, and that trial is left out.".into(),
        ));
    }
    findings
}

fn few_trials(run: &Run) -> Option<Finding> {
    let trials = |id: &str| run.trials(id).len();
    let fewest = run
        .plan
        .cells
        .iter()
        .map(|cell| trials(&cell.id))
        .filter(|&count| count > 0)
        .min()?;
    let counted = counted(fewest, "trial");
    if fewest < LEAST_FOR_AN_INTERVAL {
        Some(Finding::caveat(format!(
            "Some figures rest on {counted}: an interval takes {LEAST_FOR_AN_INTERVAL}, and without one nothing is decided."
        )))
    } else if fewest < RELIABLE_FROM {
        let coverage = if fewest == LEAST_FOR_AN_INTERVAL {
            "75 %"
        } else {
            "87 %"
        };
        Some(Finding::caveat(format!(
            "Some figures rest on {counted}: from so few, an interval meant to hold the truth in 95 % of cases held it in about {coverage} of simulated ones."
        )))
    } else {
        None
    }
}

fn more_workers_than_cpus(run: &Run) -> Option<Finding> {
    let cpus = run.plan.cores.server_cpus.len();
    let most = run.measured().map(|(cell, ..)| cell.workers).max()?;
    (most as usize > cpus).then(|| {
        Finding::caveat(format!(
            "{} shared {}, so more workers than that cannot serve more here: beyond {cpus}, the figures show what workers cost, not what they gain.",
            workers(most),
            counted(cpus, "CPU")
        ))
    })
}

fn shared_cpus(run: &Run) -> Option<Finding> {
    run.plan.cores.overlapping.then(|| {
        Finding::caveat(
            "Servers and the load generator shared their CPUs, as this machine has too few to keep them apart: each took time from the other, and no figure is a server's capacity.".into(),
        )
    })
}

fn busy_generator(run: &Run) -> Vec<Finding> {
    let Some((share, busiest)) = busiest_generator(run).filter(|(s, _)| *s > BUSY_GENERATOR) else {
        return Vec::new();
    };
    let mut findings = vec![Finding::caveat(format!(
        "The load generator used up to {} of its CPUs (with {}), more than {}: throughput figures are lower bounds.",
        figures::percent(share),
        in_words(busiest),
        figures::percent(BUSY_GENERATOR)
    ))];
    let limited: Vec<String> = run
        .plan
        .cells
        .iter()
        .filter(|cell| held_back(run, cell).is_some())
        .map(in_words)
        .collect();
    if !limited.is_empty() {
        findings.push(Finding::caveat(format!(
            "The load generator, not the server, was the limit with {}: that they serve alike is no evidence that they are alike, so such comparisons of throughput and latency are left undecided.",
            limited.join(", ")
        )));
    }
    findings
}

fn more_than_the_worker_differs(run: &Run) -> Option<Finding> {
    let models: BTreeSet<(String, String)> = groups(&run.plan)
        .iter()
        .flat_map(pairs)
        .filter(|pair| theme(pair.reference, pair.subject) == Theme::ProcessesAgainstThreads)
        .filter(|pair| pair.reference.model.accept != pair.subject.model.accept)
        .map(|pair| {
            (
                pair.subject.model.to_string(),
                pair.reference.model.to_string(),
            )
        })
        .collect();
    let models: Vec<String> = models
        .into_iter()
        .map(|(subject, reference)| format!("{subject} against {reference}"))
        .collect();
    (!models.is_empty()).then(|| {
        Finding::caveat(format!(
            "The compared servers differ in more than processes and threads, as connections reach their workers in another way too ({}): a ratio is that of the two designs as they are.",
            models.join(", ")
        ))
    })
}

fn closed_loop(run: &Run) -> Option<Finding> {
    run.measured().next().map(|_| {
        Finding::caveat(
            "Latency was measured at saturation in a closed loop: each connection sends its next request only after an answer, so a stall delays the requests that would have shown it. Compare these figures with one another only; they are not what users of a server with room to spare would see.".into(),
        )
    })
}

/// Workers that answered nothing in a whole trial, so that fewer served than the cell says. Where
/// each connection has a worker of its own, ids say nothing of it.
fn idle_workers(run: &Run) -> Option<Finding> {
    let idle: BTreeSet<&str> = run
        .measured()
        .filter(|(cell, ..)| cell.model.accept != Accept::PerConnection)
        .filter(|(cell, _, measured)| {
            let answered = measured.load.requests_by_worker.len();
            answered > 0 && answered < cell.workers as usize
        })
        .map(|(cell, ..)| cell.id.as_str())
        .collect();
    let cells: Vec<String> = idle
        .iter()
        .filter_map(|id| run.cell(id))
        .map(in_words)
        .collect();
    (!cells.is_empty()).then(|| {
        Finding::caveat(format!(
            "In some trials not every worker answered ({}), so fewer served than were there.",
            cells.join(", ")
        ))
    })
}

/// Servers that did not end as they should, by cell.
fn stops(run: &Run) -> Vec<Finding> {
    let mut by_cell: BTreeMap<&str, (&Cell, usize, &str)> = BTreeMap::new();
    for (cell, _, measured) in run.measured() {
        if let Some(words) = &measured.stop {
            by_cell.entry(&cell.id).or_insert((cell, 0, words)).1 += 1;
        }
    }
    by_cell
        .into_values()
        .map(|(cell, times, first)| {
            let name = in_words(cell);
            Finding::caveat(format!(
                "In {}, {name} did not end in order after it was measured (the first time, it {}): the figures were taken before that and stand.",
                counted(times, "trial"),
                first.trim_end_matches('.')
            ))
        })
        .collect()
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

fn machine(run: &Run) -> Vec<Finding> {
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

fn not_measured(run: &Run) -> Vec<Finding> {
    run.missing()
        .into_iter()
        .map(|missing| {
            let kind = match missing.cell.origin {
                Origin::Own => "Server",
                Origin::Guest => "Guest",
            };
            Finding::caveat(format!(
                "{kind} {} was not measured: {}, {}.",
                in_words(missing.cell),
                missing.reason,
                missing.cure.trim_end_matches('.')
            ))
        })
        .collect()
}
