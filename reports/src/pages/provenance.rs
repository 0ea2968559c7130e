//! Where a run's figures come from: machine, versions, CPUs, command.

use std::time::{Duration, UNIX_EPOCH};

use schema::Cores;

use crate::{Run, groups::counted};

/// A name and a value.
pub(super) type Fact = (&'static str, String);

/// The machine and the programs on it.
pub(super) fn machine(run: &Run) -> Vec<Fact> {
    let machine = &run.machine;
    let kind = if machine.virtual_machine {
        "virtual"
    } else {
        "no hypervisor seen"
    };
    let mut facts = vec![
        ("CPU", machine.cpu_model.clone()),
        (
            "CPUs",
            format!(
                "{} online, {} allowed (CPU {}) on {}",
                machine.cpus_online,
                machine.cpus_allowed.len(),
                list(&machine.cpus_allowed),
                counted(machine.cores_allowed as usize, "physical core"),
            ),
        ),
        ("Machine", kind.to_owned()),
        (
            "Frequency governor",
            machine
                .governor
                .clone()
                .unwrap_or_else(|| "none shown".into()),
        ),
        (
            "Memory",
            format!("{} MiB", machine.memory_bytes / 1_048_576),
        ),
        ("Kernel", machine.kernel.clone()),
        ("Distribution", machine.distribution.clone()),
        ("Open files limit", machine.open_files_limit.to_string()),
        (
            "Ten Counters",
            format!("{}, {} build", machine.build.version, machine.build.profile),
        ),
        ("Compiler", machine.build.rustc.clone()),
    ];
    let programs: Vec<String> = machine
        .programs
        .iter()
        .map(|program| {
            let version = program.version.as_deref().unwrap_or("not found");
            format!("{} {version}", program.name)
        })
        .collect();
    if !programs.is_empty() {
        facts.push(("Guests' programs", programs.join("; ")));
    }
    facts
}

/// What was planned, and on which CPUs.
pub(super) fn plan(run: &Run) -> Vec<Fact> {
    let plan = &run.plan;
    let together = if plan.cores.overlapping {
        " (shared with each other)"
    } else {
        ""
    };
    vec![
        ("Planned", planned_at(run)),
        ("Preset", plan.preset.name().to_owned()),
        (
            "Servers on",
            format!("CPU {}{together}", list(&plan.cores.server_cpus)),
        ),
        (
            "Load generator on",
            format!("CPU {}{together}", list(&plan.cores.generator_cpus)),
        ),
        ("Trials", trials(run)),
        ("Cores", cores(run)),
        ("Seed", format!("{} (have it again with --seed)", plan.seed)),
    ]
}

/// What a core is where workers have one each.
fn cores(run: &Run) -> String {
    let cores = &run.plan.cores;
    let kind = match cores.kind {
        Cores::Shared => "",
        Cores::Real => " real",
        Cores::Emulated => " emulated",
    };
    let reason = cores.reason.trim_end_matches('.');
    format!("up to {}{kind}: {reason}", cores.cores)
}

/// How many trials were made, of how many.
pub(super) fn trials(run: &Run) -> String {
    let (made, planned) = run.progress();
    format!(
        "{made} of {} made, of {}",
        counted(planned, "trial"),
        counted(run.plan.cells.len(), "cell"),
    )
}

/// When the plan was made, in UTC.
pub(super) fn planned_at(run: &Run) -> String {
    time(run.plan.created_unix_ns)
}

/// The command, fit for a shell.
pub(super) fn command(run: &Run) -> String {
    let words: Vec<String> = run.plan.command.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// How to have the run again.
pub(super) const HOW_TO_REPEAT: &str = "The seed draws the order of the trials within each block and the resamples behind every interval. Measuring again gives other figures, as machines do; building these pages again from the same folder gives the same bytes.";

fn list(cpus: &[u32]) -> String {
    let names: Vec<String> = cpus.iter().map(ToString::to_string).collect();
    names.join(", ")
}

pub(super) fn time(unix_ns: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_nanos(unix_ns)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_a_shell_would_take_apart_are_quoted() {
        assert_eq!(quoted("--preset=quick"), "--preset=quick");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn time_is_told_in_utc() {
        assert_eq!(time(1_700_000_000_000_000_000), "2023-11-14T22:13:20Z");
    }
}
