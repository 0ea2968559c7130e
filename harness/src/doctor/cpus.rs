//! CPUs: which there are, which serve, which load, and whether cores can be emulated.

use ::cores::{Cgroups, Limit, Topology, Unavailable, Wanted, slots::Cleaned};
use schema::{Cores, Machine};

use super::Finding;

pub(super) fn look(
    machine: &Machine,
    topology: &Topology,
    cgroups: Result<&Cgroups, &Unavailable>,
    cores: u32,
) -> Vec<Finding> {
    let mut findings = vec![Finding::fine(
        "CPUs",
        format!(
            "{}: {} online, {} may be used ({}), {} physical {}{}",
            machine.cpu_model,
            machine.cpus_online,
            machine.cpus_allowed.len(),
            listed(&machine.cpus_allowed),
            machine.cores_allowed,
            if machine.cores_allowed == 1 {
                "core"
            } else {
                "cores"
            },
            if machine.virtual_machine {
                ", in a virtual machine"
            } else {
                ""
            },
        ),
    )];
    let limit = ::cores::limits::here();
    findings.extend(limit.as_ref().map(limited));
    findings.push(plan(topology, limit.as_ref(), cgroups, cores));
    findings.push(emulation(cgroups));
    findings.extend(left_over(cgroups));
    if let Some(governor) = machine.governor.as_deref().filter(|g| *g != "performance") {
        findings.push(Finding::limits(
            "frequency",
            format!("the governor is '{governor}', so CPUs run at several speeds"),
            "cpupower frequency-set --governor performance (as root)",
        ));
    }
    findings
}

fn limited(limit: &Limit) -> Finding {
    Finding::limits(
        "CPU limit",
        format!(
            "a cgroup allows this program {:.2} CPUs ({}); no more are used, and slots take no more",
            limit.cpus,
            limit.path.display()
        ),
        "run it outside of that group, or give the container more CPUs",
    )
}

fn plan(
    topology: &Topology,
    limit: Option<&Limit>,
    cgroups: Result<&Cgroups, &Unavailable>,
    cores: u32,
) -> Finding {
    let wanted = Wanted {
        cores,
        ..Wanted::default()
    };
    match ::cores::plan(topology, limit, wanted, cgroups.map(|_| ())) {
        Ok(plan) => {
            let fact = format!(
                "CPU {} serve, CPU {} load; {} {} cores: {}",
                listed(&plan.server_cpus),
                listed(&plan.generator_cpus),
                plan.cores,
                plan.kind.name(),
                plan.reason.trim_end_matches('.')
            );
            if plan.cores < cores {
                Finding::limits(
                    "core plan",
                    fact,
                    "see under emulation, or use a machine with more cores",
                )
            } else if plan.overlapping {
                Finding::limits(
                    "core plan",
                    fact,
                    "allow this program a second CPU (taskset, or the container's limits)",
                )
            } else if plan.kind == Cores::Emulated {
                Finding::limits(
                    "core plan",
                    fact,
                    format!(
                        "for {cores} real cores, use a machine with {} or more",
                        2 * cores
                    ),
                )
            } else {
                Finding::fine("core plan", fact)
            }
        }
        Err(error) => Finding::prevents("core plan", error.to_string(), "say another --cores"),
    }
}

fn emulation(cgroups: Result<&Cgroups, &Unavailable>) -> Finding {
    match cgroups {
        Ok(cgroups) => match ::cores::tick() {
            Ok(tick) => Finding::fine(
                "emulation",
                format!(
                    "cores can be emulated: {cgroups}, a scheduler tick of {}",
                    humantime::format_duration(tick)
                ),
            ),
            Err(error) => Finding::limits("emulation", error.to_string(), "use --core-kind real"),
        },
        Err(unavailable) => Finding::limits(
            "emulation",
            unavailable.reason.clone(),
            unavailable.cure.clone(),
        ),
    }
}

fn left_over(cgroups: Result<&Cgroups, &Unavailable>) -> Vec<Finding> {
    let Ok(cgroups) = cgroups else {
        return Vec::new();
    };
    let told = |cleaned: &Cleaned| match &cleaned.outcome {
        Ok(()) => Finding::fine("left over", cleaned.to_string()),
        Err(error) => Finding::limits("left over", error.reason(), error.cure()),
    };
    match ::cores::clean(cgroups) {
        Ok(cleaned) => cleaned.iter().map(told).collect(),
        Err(error) => vec![Finding::limits("left over", error.reason(), error.cure())],
    }
}

fn listed(cpus: &[u32]) -> String {
    let cpus: Vec<String> = cpus.iter().map(ToString::to_string).collect();
    cpus.join(", ")
}
