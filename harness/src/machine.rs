//! The machine a run is made on.

use std::{collections::BTreeMap, fs};

use ::cores::Topology;
use anyhow::Context;
use procfs::{CpuInfo, Current, Meminfo};
use schema::{Build, Machine, Program, SCHEMA_VERSION};

use crate::contenders::Contender;

/// Reads it from /proc, /sys and /etc.
pub fn describe(
    topology: &Topology,
    open_files_limit: u64,
    contenders: &[Box<dyn Contender>],
) -> anyhow::Result<Machine> {
    let cpus = CpuInfo::current().context("cannot read /proc/cpuinfo")?;
    let memory = Meminfo::current().context("cannot read /proc/meminfo")?;
    let cpus_allowed = topology.cpus();
    let first = cpus_allowed.first().copied().unwrap_or(0);
    Ok(Machine {
        schema_version: SCHEMA_VERSION,
        cpu_model: cpus.model_name(0).unwrap_or("unknown").to_owned(),
        cpus_online: u32::try_from(cpus.num_cores()).unwrap_or(u32::MAX),
        cores_allowed: u32::try_from(topology.cores.len()).unwrap_or(u32::MAX),
        governor: line(&format!(
            "/sys/devices/system/cpu/cpu{first}/cpufreq/scaling_governor"
        )),
        memory_bytes: memory.mem_total,
        kernel: line("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".to_owned()),
        distribution: distribution(),
        virtual_machine: in_virtual_machine(&cpus),
        open_files_limit,
        build: Build {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            profile: env!("COUNTERS_PROFILE").to_owned(),
            rustc: env!("COUNTERS_RUSTC").to_owned(),
        },
        programs: programs(contenders),
        cpus_allowed,
    })
}

fn line(path: &str) -> Option<String> {
    fs::read_to_string(path)
        .ok()
        .map(|text| text.trim().to_owned())
}

fn distribution() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(
        || "unknown".to_owned(),
        |name| name.trim_matches('"').to_owned(),
    )
}

fn in_virtual_machine(cpus: &CpuInfo) -> bool {
    cpus.flags(0)
        .is_some_and(|flags| flags.contains(&"hypervisor"))
}

/// The programs of all contenders, each once.
fn programs(contenders: &[Box<dyn Contender>]) -> Vec<Program> {
    let named: BTreeMap<_, _> = contenders
        .iter()
        .filter_map(|contender| contender.program())
        .map(|program| (program.name.clone(), program))
        .collect();
    named.into_values().collect()
}
