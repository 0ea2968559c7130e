//! Keeps benches and [`catalogue`] together: a bench that is run as a test lists its own names, and fails
//! where they are not those of the catalogue.

use std::{
    collections::BTreeSet,
    env,
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};

use super::{
    catalogue::{self, GROUPS, Group},
    rows::Clock,
    tables::split,
};

const WHERE: &str = "benches/summary/catalogue.rs";

/// Parameters that need a second CPU.
const ON_TWO_CPUS: &str = "two-cpus";

/// Compare the names that this bench makes with those of the catalogue, where `cpus` CPUs may be used.
///
/// # Errors
/// It makes others, or not all of them; or it does not list them.
pub fn check_this_bench(cpus: usize) -> anyhow::Result<()> {
    let program = env::current_exe().context("cannot find out which program this is")?;
    let listed = Command::new(&program)
        .args(["--list", "--format", "terse"])
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {} --list", program.display()))?;
    ensure!(
        listed.status.success(),
        "{} --list ended with {} and said: {}",
        program.display(),
        listed.status,
        String::from_utf8_lossy(&listed.stderr).trim()
    );
    // Cargo adds a hash: switch-0123456789abcdef.
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let bench = name.rsplit_once('-').map_or(&*name, |(name, _)| name);
    let text = String::from_utf8_lossy(&listed.stdout);
    let ids = text
        .lines()
        .filter_map(|line| line.strip_suffix(": benchmark"));
    check(bench, &ids.collect::<Vec<_>>(), cpus)
}

/// Compare `ids`, which `bench` makes, with those of the catalogue.
///
/// # Errors
/// There are others in it, or not all of them.
pub fn check(bench: &str, ids: &[&str], cpus: usize) -> anyhow::Result<()> {
    let mut made = BTreeSet::new();
    for id in ids {
        let mut parts = id.splitn(3, '/');
        let (name, clock) = split(parts.next().unwrap_or_default());
        let function = parts.next().unwrap_or_default();
        let parameter = parts.next().unwrap_or_default();
        let group = catalogue::group(name).with_context(|| {
            format!("{id}: the group '{name}' is not in {WHERE}; describe it there")
        })?;
        known(group, function, parameter).with_context(|| format!("{id} is not in {WHERE}"))?;
        made.extend([
            (clock, name, ""),
            (clock, name, function),
            (clock, name, parameter),
        ]);
    }
    for group in GROUPS.iter().filter(|group| group.bench == bench) {
        let missed = |clock, what| !made.contains(&(clock, group.name, what));
        let lines = group.lines.iter().filter(|line| cpus > 1 || !line.two_cpus);
        let functions = lines.flat_map(catalogue::Line::functions);
        let parameters = group.parameters.iter().map(|(id, _)| *id);
        let parameters = parameters.filter(|id| cpus > 1 || *id != ON_TWO_CPUS);
        for what in functions.chain(parameters) {
            ensure!(
                !missed(Clock::Wall, what),
                "{WHERE} has '{what}' in {}, which the bench {bench} does not make",
                group.name
            );
        }
        ensure!(
            missed(Clock::Cpu, "") != group.cpu,
            "{WHERE} says of {} that it has {}figures in CPU time, and the bench {bench} does otherwise",
            group.name,
            if group.cpu { "" } else { "no " }
        );
    }
    Ok(())
}

fn known(group: &Group, function: &str, parameter: &str) -> anyhow::Result<()> {
    if group.lines.is_empty() {
        return Ok(());
    }
    let mut functions = group.lines.iter().flat_map(catalogue::Line::functions);
    ensure!(
        functions.any(|one| one == function),
        "the group {} has no function '{function}' there",
        group.name
    );
    let none = group.parameters.is_empty() && parameter.is_empty();
    ensure!(
        none || group.parameters.iter().any(|(id, _)| *id == parameter),
        "the group {} has no parameter '{parameter}' there",
        group.name
    );
    Ok(())
}
