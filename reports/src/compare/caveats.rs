//! What must be known before two runs are set against each other.

use schema::{Machine, Verdicts};

use crate::{Run, pages::chance_note};

/// Each a whole sentence, gravest first.
pub(super) fn of_runs(
    a: (&Run, &Verdicts),
    b: (&Run, &Verdicts),
    comparisons: usize,
) -> Vec<String> {
    let mut caveats = Vec::new();
    for (name, (_, verdicts)) in [("A", a), ("B", b)] {
        if !verdicts.valid {
            // The judge tells broken rules first.
            let first = verdicts.caveats.first().map_or("", String::as_str);
            caveats.push(format!("{name} breaks a rule of measurement: {first}"));
        }
    }
    let ((a, _), (b, _)) = (a, b);
    let differing = machines(&a.machine, &b.machine);
    if !differing.is_empty() {
        caveats.push(format!(
            "A and B were not measured on the same machine, or it was changed: {}.",
            differing.join("; ")
        ));
    }
    caveats.push(
        "A and B were measured at different times. What differed between them for all trials of a run (frequencies, neighbours, room temperature) is in the ratios and not in their intervals, so false alarms are more frequent than 1 in 20; to be sure, compare two command lines, which are measured in turns."
            .to_owned(),
    );
    let (a, b) = (&a.plan, &b.plan);
    if a.preset != b.preset {
        caveats.push(format!(
            "A was made with preset {}, B with {}: lengths of trials and of warm-ups may differ.",
            a.preset.name(),
            b.preset.name()
        ));
    }
    if a.seed != b.seed {
        caveats.push(format!(
            "The order of measurement was drawn from seed {} in A and from {} in B.",
            a.seed, b.seed
        ));
    }
    caveats.extend(chance_note(comparisons));
    caveats
}

/// What differs, as in `kernel 6.1.0 and 6.2.0`.
fn machines(a: &Machine, b: &Machine) -> Vec<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
    let cpus = |machine: &Machine| machine.cpus_allowed.len().to_string();
    let kind = |machine: &Machine| {
        let virtual_machine = machine.virtual_machine;
        if virtual_machine {
            "virtual"
        } else {
            "physical"
        }
        .to_owned()
    };
    let facts = [
        ("CPU", a.cpu_model.clone(), b.cpu_model.clone()),
        ("CPUs", cpus(a), cpus(b)),
        ("machine", kind(a), kind(b)),
        ("governor", text(&a.governor), text(&b.governor)),
        ("kernel", a.kernel.clone(), b.kernel.clone()),
        (
            "distribution",
            a.distribution.clone(),
            b.distribution.clone(),
        ),
        (
            "memory in bytes",
            a.memory_bytes.to_string(),
            b.memory_bytes.to_string(),
        ),
        (
            "Ten Counters",
            a.build.version.clone(),
            b.build.version.clone(),
        ),
        ("build", a.build.profile.clone(), b.build.profile.clone()),
        ("compiler", a.build.rustc.clone(), b.build.rustc.clone()),
    ];
    let differing = facts.into_iter().filter(|(_, a, b)| a != b);
    differing
        .map(|(what, a, b)| format!("{what} {a} and {b}"))
        .collect()
}
