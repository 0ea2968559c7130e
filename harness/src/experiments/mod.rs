//! What questions are put to the servers: which cells an experiment is made of.

use std::collections::BTreeSet;

use schema::{Cell, CorePlan, Preset, Workload};

use crate::{
    contenders::{Contender, Workers},
    exit::usage,
};

/// An experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Experiment {
    /// Capacity by number of workers.
    Throughput,
}

impl Experiment {
    /// All of them, headline first.
    pub const ALL: &[Self] = &[Self::Throughput];

    /// The name on the command line and in the plan.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
        }
    }

    /// One line on what it asks.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Throughput => {
                "how many requests a second, for how much CPU time, by number of workers"
            }
        }
    }

    /// Those named; all where none is.
    pub fn named(names: &[String]) -> anyhow::Result<Vec<Self>> {
        choose(Self::ALL, names, "experiment", |experiment| {
            experiment.name()
        })
        .map(|chosen| chosen.into_iter().copied().collect())
    }
}

/// What the user narrows a run down to.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Experiments.
    pub experiments: Vec<Experiment>,
    /// Servers by name; all where empty.
    pub servers: Vec<String>,
    /// Numbers of workers; the preset's where empty.
    pub workers: Vec<u32>,
    /// Connections of the closed loop.
    pub connections: u32,
}

/// The cells of a run, in the order of reports.
pub fn cells(
    choice: &Choice,
    preset: Preset,
    cores: &CorePlan,
    contenders: &[Box<dyn Contender>],
) -> anyhow::Result<Vec<Cell>> {
    let chosen = choose(contenders, &choice.servers, "server", |contender| {
        contender.name()
    })?;
    let asked = worker_counts(&choice.workers, preset, cores.server_cpus.len());
    let mut cells = Vec::new();
    for experiment in &choice.experiments {
        for workload in workloads(preset) {
            for contender in &chosen {
                if workload != Workload::Hello && !contender.does_workloads() {
                    continue;
                }
                let counts = match contender.workers() {
                    Workers::Any => asked.clone(),
                    Workers::Fixed(workers) => vec![workers],
                };
                cells.extend(counts.into_iter().map(|workers| Cell {
                    id: format!("{}-w{workers}-{}", contender.name(), workload.name()),
                    experiment: experiment.name().to_owned(),
                    server: contender.name().to_owned(),
                    origin: contender.origin(),
                    model: contender.model(),
                    workers,
                    workload,
                    connections: choice.connections,
                }));
            }
        }
    }
    Ok(cells)
}

fn workloads(preset: Preset) -> Vec<Workload> {
    match preset {
        Preset::Smoke | Preset::Quick => vec![Workload::Hello],
        Preset::Full => {
            vec![
                Workload::Hello,
                Workload::Cpu { us: 200 },
                Workload::Wait { us: 5_000 },
            ]
        }
    }
}

/// Powers of two up to the server's CPUs and that number itself, but at least to 4, so that a small
/// machine too shows what more workers than CPUs do. Smoke tries the ends alone.
fn worker_counts(asked: &[u32], preset: Preset, server_cpus: usize) -> Vec<u32> {
    if !asked.is_empty() {
        return asked
            .iter()
            .copied()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
    }
    let cpus = u32::try_from(server_cpus).unwrap_or(u32::MAX);
    if preset == Preset::Smoke {
        return vec![1, cpus.max(2)];
    }
    let powers = (0..u32::BITS)
        .map(|bit| 1 << bit)
        .take_while(|&power| power <= cpus.max(4));
    powers
        .chain([cpus])
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// Those of `all` that are named; all where no name is given.
fn choose<'a, T>(
    all: &'a [T],
    names: &[String],
    kind: &str,
    name_of: impl Fn(&T) -> &'static str,
) -> anyhow::Result<Vec<&'a T>> {
    if let Some(unknown) = names
        .iter()
        .find(|name| !all.iter().any(|one| name_of(one) == **name))
    {
        let known: Vec<_> = all.iter().map(&name_of).collect();
        return Err(usage(format!(
            "there is no {kind} '{unknown}'; choose from: {}",
            known.join(", ")
        )));
    }
    Ok(all
        .iter()
        .filter(|one| names.is_empty() || names.iter().any(|n| n == name_of(one)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_go_up_to_the_cpus_and_at_least_to_four() {
        assert_eq!(worker_counts(&[], Preset::Quick, 1), [1, 2, 4]);
        assert_eq!(worker_counts(&[], Preset::Quick, 6), [1, 2, 4, 6]);
        assert_eq!(worker_counts(&[], Preset::Quick, 32), [1, 2, 4, 8, 16, 32]);
        assert_eq!(worker_counts(&[], Preset::Smoke, 1), [1, 2]);
        assert_eq!(worker_counts(&[8, 2, 8], Preset::Quick, 1), [2, 8]);
    }

    #[test]
    fn an_unknown_name_is_told_with_the_known_ones() {
        let error = Experiment::named(&["speed".to_owned()])
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "there is no experiment 'speed'; choose from: throughput"
        );
    }
}
