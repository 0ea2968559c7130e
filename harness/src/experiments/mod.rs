//! What questions are put to the servers: which cells an experiment is made of, what is measured
//! together, and which ratios must be narrow. One file for each experiment.

mod balance;
mod fidelity;
mod grid;
mod guests;
mod headline;
mod scaling;
mod stevens;
mod throughput;

use std::collections::BTreeSet;

use schema::{Cell, CorePlan, Cores, Origin, Preset, Reuse, Workload};

use crate::{
    contenders::{Contender, Workers, own},
    exit::usage,
    plan::{Draft, nanos},
};

/// Connections of the closed loop for each worker, where it is asked how throughput grows with
/// workers: each then sees the same load whatever their number, and as many requests wait for it
/// while it is kept from running as it needs to use up its quota.
const CONNECTIONS_PER_WORKER: u32 = 20;

/// Every speed-up is over one worker, which on emulated cores has the fewest turns of all and so the most
/// noise. Beside ten workers, five launches of it bring the variance of the ratio to a third. Guests take
/// long to launch and to warm up, so that there is one of each.
const COPIES_OF_ONE_WORKER: u32 = 5;

/// An experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Experiment {
    /// One worker against many, with narrow intervals.
    Headline,
    /// Throughput by number of cores.
    Scaling,
    /// The same of servers nobody here wrote.
    ScalingGuests,
    /// Emulated cores against real ones.
    Fidelity,
    /// Every model that can be, processes against threads.
    Grid,
    /// Capacity of a few CPUs by number of workers.
    Throughput,
    /// The nine designs of a book.
    Stevens,
    /// Who of the workers serves how much.
    Balance,
}

impl Experiment {
    /// All of them, headline first.
    pub const ALL: &[Self] = &[
        Self::Headline,
        Self::Scaling,
        Self::ScalingGuests,
        Self::Fidelity,
        Self::Grid,
        Self::Throughput,
        Self::Stevens,
        Self::Balance,
    ];

    /// The name on the command line and in the plan.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Headline => "headline",
            Self::Scaling => "scaling",
            Self::ScalingGuests => "scaling-guests",
            Self::Fidelity => "fidelity",
            Self::Grid => "grid",
            Self::Throughput => "throughput",
            Self::Stevens => "stevens",
            Self::Balance => "balance",
        }
    }

    /// One line on what it asks.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Headline => {
                "how many times what one worker serves do ten serve, processes and threads"
            }
            Self::Scaling => "throughput, efficiency and CPU time per request by number of cores",
            Self::ScalingGuests => {
                "the same of Node's cluster, and of other guests where they are named"
            }
            Self::Fidelity => "how true emulated cores are to real ones",
            Self::Grid => {
                "every way to build a server that there is, processes against threads with all else equal"
            }
            Self::Throughput => {
                "how many requests a second, for how much CPU time, by number of workers that share CPUs"
            }
            Self::Stevens => {
                "CPU time for each connection of the nine designs in UNIX Network Programming"
            }
            Self::Balance => "how evenly workers share what comes, and who of them is woken",
        }
    }

    /// Those named; all where none is.
    pub fn named(names: &[String]) -> anyhow::Result<Vec<Self>> {
        choose(Self::ALL, names, "experiment", |experiment| {
            experiment.name()
        })
        .map(|chosen| chosen.into_iter().copied().collect())
    }

    /// What a preset runs where nothing is named: smoke only shows that everything works.
    pub fn of(preset: Preset) -> Vec<Self> {
        match preset {
            Preset::Smoke => vec![Self::Headline, Self::Scaling, Self::Throughput],
            Preset::Quick => vec![
                Self::Headline,
                Self::Scaling,
                Self::ScalingGuests,
                Self::Fidelity,
                Self::Grid,
            ],
            Preset::Full => Self::ALL.to_vec(),
        }
    }

    /// The presets that run it where nothing is named.
    pub fn presets(self) -> impl Iterator<Item = Preset> {
        [Preset::Smoke, Preset::Quick, Preset::Full]
            .into_iter()
            .filter(move |&preset| Self::of(preset).contains(&self))
    }

    fn draft(self, ask: &Ask) -> Option<Draft> {
        match self {
            Self::Headline => headline::draft(ask),
            Self::Scaling => scaling::draft(ask),
            Self::ScalingGuests => guests::draft(ask),
            Self::Fidelity => fidelity::draft(ask),
            Self::Grid => Some(grid::draft(ask)),
            Self::Throughput => Some(throughput::draft(ask)),
            Self::Stevens => Some(stevens::draft(ask)),
            Self::Balance => Some(balance::draft(ask)),
        }
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
    /// Connections of the closed loop where workers share CPUs.
    pub connections: u32,
}

/// What an experiment is made from.
struct Ask<'a> {
    preset: Preset,
    workers: &'a [u32],
    connections: u32,
    cores: &'a CorePlan,
    contenders: Vec<&'a dyn Contender>,
    /// Whether the user asked for these contenders by name.
    named: bool,
}

/// The experiments of a run, in the order of measurement.
pub fn drafts(
    choice: &Choice,
    preset: Preset,
    cores: &CorePlan,
    contenders: &[Box<dyn Contender>],
) -> anyhow::Result<Vec<Draft>> {
    let chosen = choose(contenders, &choice.servers, "server", |contender| {
        contender.name()
    })?;
    let ask = Ask {
        preset,
        workers: &choice.workers,
        connections: choice.connections,
        cores,
        contenders: chosen.into_iter().map(AsRef::as_ref).collect(),
        named: !choice.servers.is_empty(),
    };
    let drafts: Vec<Draft> = choice
        .experiments
        .iter()
        .filter_map(|experiment| experiment.draft(&ask))
        .filter(|draft| !draft.sets.is_empty())
        .collect();
    if drafts.is_empty() {
        let names: Vec<_> = choice.experiments.iter().map(|e| e.name()).collect();
        return Err(usage(format!(
            "nothing is left to measure: {} has no part in {}; see counters list",
            choice.servers.join(", "),
            names.join(", ")
        )));
    }
    Ok(drafts)
}

impl Ask<'_> {
    fn own(&self, names: &[&str]) -> Vec<&dyn Contender> {
        let wanted = |one: &&&dyn Contender| names.contains(&one.name());
        self.contenders.iter().filter(wanted).copied().collect()
    }

    /// Those of our servers that are named, and every guest.
    fn own_and_guests(&self, names: &[&str]) -> Vec<&dyn Contender> {
        let wanted =
            |one: &&&dyn Contender| one.origin() == Origin::Guest || names.contains(&one.name());
        self.contenders.iter().filter(wanted).copied().collect()
    }

    /// What stands for the cells of the grid, servers of ours beside them, and every guest.
    fn of_the_grid(&self, beside: &[&str]) -> Vec<&dyn Contender> {
        let wanted = |one: &&&dyn Contender| {
            one.origin() == Origin::Guest
                || own::stands_for(**one).is_some()
                || beside.contains(&one.name())
        };
        self.contenders.iter().filter(wanted).copied().collect()
    }

    /// Workers of a server where all servers have as many: the most that were asked for, or as many as
    /// there are CPUs, but at least four, so that there is something to share out.
    fn pool(&self) -> u32 {
        let cpus = u32::try_from(self.cores.server_cpus.len()).unwrap_or(u32::MAX);
        self.workers.iter().copied().max().unwrap_or(cpus.max(4))
    }

    /// Numbers of workers up to the number of cores.
    fn worker_counts(&self) -> Vec<u32> {
        if self.workers.is_empty() {
            return match self.preset {
                Preset::Smoke => ends(&::cores::worker_counts(self.cores.cores)),
                Preset::Quick | Preset::Full => ::cores::worker_counts(self.cores.cores),
            };
        }
        // Speed-up is over one worker.
        let with_one: BTreeSet<u32> = self.workers.iter().copied().chain([1]).collect();
        with_one.into_iter().collect()
    }

    /// A cell whose workers have a core each.
    fn on_cores(
        &self,
        experiment: &str,
        contender: &dyn Contender,
        workers: u32,
        workload: Workload,
    ) -> Cell {
        let cpus = match self.cores.kind {
            Cores::Real => self.cores.server_cpus[..workers as usize].to_vec(),
            Cores::Emulated | Cores::Shared => self.cores.server_cpus.clone(),
        };
        Cell {
            id: format!(
                "{experiment}-{}-w{workers}-{}",
                contender.name(),
                workload.name()
            ),
            experiment: experiment.to_owned(),
            server: contender.name().to_owned(),
            origin: contender.origin(),
            model: contender.model(),
            workers,
            cores: self.cores.kind,
            cpus,
            copies: match self.cores.kind {
                Cores::Emulated if workers == 1 && contender.origin() == Origin::Own => {
                    COPIES_OF_ONE_WORKER
                }
                _ => 1,
            },
            workload,
            connections: CONNECTIONS_PER_WORKER * workers,
            path: None,
            reuse: Reuse::KeepAlive,
            rate_per_s: None,
            warm_up_ns: None,
            then_percent: None,
            wakes: 0,
        }
    }

    /// A cell whose workers share the CPUs that serve, alone in its set.
    fn on_shared_cpus(&self, experiment: &str, contender: &dyn Contender, workers: u32) -> Cell {
        let workers = match contender.workers() {
            Workers::Any => workers,
            Workers::Fixed(workers) => workers,
        };
        Cell {
            id: format!("{experiment}-{}", contender.name()),
            experiment: experiment.to_owned(),
            server: contender.name().to_owned(),
            origin: contender.origin(),
            model: contender.model(),
            workers,
            cores: Cores::Shared,
            cpus: self.cores.server_cpus.clone(),
            copies: 1,
            workload: Workload::Hello,
            connections: self.connections,
            path: None,
            reuse: Reuse::KeepAlive,
            rate_per_s: None,
            warm_up_ns: match self.preset {
                Preset::Smoke => None,
                Preset::Quick | Preset::Full => contender.warm_up().map(nanos),
            },
            then_percent: None,
            wakes: 0,
        }
    }

    /// What runs at the same time: on emulated cores everything, on real ones each by itself.
    fn sets(&self, cells: Vec<Cell>) -> Vec<Vec<Cell>> {
        match self.cores.kind {
            Cores::Emulated if cells.is_empty() => Vec::new(),
            Cores::Emulated => vec![cells],
            Cores::Real | Cores::Shared => cells.into_iter().map(|cell| vec![cell]).collect(),
        }
    }
}

/// Each cell over the one of the same server and workload with one worker.
fn over_one_worker(cells: &[Cell]) -> Vec<(String, String)> {
    cells
        .iter()
        .filter(|cell| cell.workers > 1)
        .filter_map(|cell| {
            let one = cells.iter().find(|one| {
                one.workers == 1 && one.server == cell.server && one.workload == cell.workload
            })?;
            Some((one.id.clone(), cell.id.clone()))
        })
        .collect()
}

/// The first, the second and the last.
fn ends(counts: &[u32]) -> Vec<u32> {
    let picked: BTreeSet<u32> = counts
        .iter()
        .take(2)
        .chain(counts.last())
        .copied()
        .collect();
    picked.into_iter().collect()
}

/// Those of `all` that are named; all where no name is given.
fn choose<'a, T>(
    all: &'a [T],
    names: &[String],
    kind: &str,
    name_of: impl Fn(&T) -> &str,
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
mod tests;
