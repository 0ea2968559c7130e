//! Cells that may be set against each other: one experiment, one workload, one kind of cores, one
//! load.

use std::collections::BTreeSet;

use schema::{Cell, Cores, Origin, Plan, Reuse, Workload};

/// Servers by the part they play in a comparison.
pub(crate) mod server {
    /// One cashier.
    pub(crate) const SINGLE: &str = "single";
    /// Workers are processes.
    pub(crate) const CLUSTER: &str = "cluster";
    /// Workers are threads.
    pub(crate) const THREADS: &str = "threads";
    /// One cashier who serves one connection at a time.
    pub(crate) const SINGLE_BLOCKING: &str = "single-blocking";
    /// The limit of what a server can be.
    pub(crate) const FLOOR: &str = "floor";
    /// Node with one process.
    pub(crate) const NODE_SINGLE: &str = "node-single";
    /// Node's own cluster.
    pub(crate) const NODE_CLUSTER: &str = "node-cluster";
    /// nginx whose workers share a listener.
    pub(crate) const NGINX_SHARED: &str = "nginx-shared";
}

/// Experiments by the question they answer.
pub(crate) mod experiment {
    /// One worker and many, processes and threads.
    pub(crate) const HEADLINE: &str = "headline";
    /// Every number of workers up to the most.
    pub(crate) const SCALING: &str = "scaling";
    /// Emulated cores beside real ones.
    pub(crate) const FIDELITY: &str = "fidelity";
    /// Every cell of the model grid.
    pub(crate) const GRID: &str = "grid";
    /// The designs of a book from 1998.
    pub(crate) const STEVENS: &str = "stevens";
    /// Who answers.
    pub(crate) const BALANCE: &str = "balance";

    /// Whether an experiment has a judge and a section of its own. Its cells are in no group: they
    /// differ in ways that groups know nothing of.
    pub(crate) fn stands_alone(name: &str) -> bool {
        [GRID, STEVENS, BALANCE].contains(&name)
    }

    /// Whether throughput is a figure of an experiment: it is not where CPU time is the question, or
    /// who answers.
    pub(crate) fn shows_throughput(name: &str) -> bool {
        ![STEVENS, BALANCE].contains(&name)
    }
}

/// Cells that differ in nothing but the server and its workers.
pub(crate) struct Group<'a> {
    pub(crate) experiment: &'a str,
    pub(crate) workload: Workload,
    pub(crate) cores: Cores,
    pub(crate) load: Load,
    /// By server, then by number of workers.
    pub(crate) cells: Vec<&'a Cell>,
    /// Stands in file names and headings; unique within a plan.
    pub(crate) name: String,
}

/// How many connections ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// So many, whatever the number of workers.
    Together(u32),
    /// So many for each worker, as each has a core of its own to keep busy.
    Each(u32),
}

impl Load {
    fn of(cell: &Cell) -> Self {
        match cell.cores {
            Cores::Shared => Self::Together(cell.connections),
            Cores::Real | Cores::Emulated => Self::Each(cell.connections / cell.workers.max(1)),
        }
    }

    fn connections(self) -> u32 {
        match self {
            Self::Together(connections) | Self::Each(connections) => connections,
        }
    }

    fn describe(self) -> String {
        match self {
            Self::Together(connections) => counted(connections as usize, "connection"),
            Self::Each(connections) => {
                format!("{} a worker", counted(connections as usize, "connection"))
            }
        }
    }
}

/// The groups of a plan, in the order in which it names them; experiments that stand alone have none.
pub(crate) fn groups(plan: &Plan) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let grouped = |cell: &&Cell| !experiment::stands_alone(&cell.experiment);
    for cell in plan.cells.iter().filter(grouped) {
        let same = |group: &&mut Group<'_>| {
            group.experiment == cell.experiment
                && group.workload == cell.workload
                && group.target() == cell.target()
                && group.cores == cell.cores
                && group.load == Load::of(cell)
        };
        if let Some(group) = groups.iter_mut().find(same) {
            group.cells.push(cell);
        } else {
            groups.push(Group {
                experiment: &cell.experiment,
                workload: cell.workload,
                cores: cell.cores,
                load: Load::of(cell),
                cells: vec![cell],
                name: String::new(),
            });
        }
    }
    for index in 0..groups.len() {
        groups[index].name = name(&groups, index);
        groups[index].cells.sort_by_key(|cell| {
            (
                rank(&cell.server, cell.origin),
                &cell.server,
                cell.workers,
                &cell.id,
            )
        });
    }
    groups
}

fn name(groups: &[Group<'_>], index: usize) -> String {
    let group = &groups[index];
    let mut name = format!("{}-{}", group.experiment, group.workload.name());
    let mut twins: Vec<&Group<'_>> = groups
        .iter()
        .filter(|other| other.experiment == group.experiment && other.workload == group.workload)
        .collect();
    if twins.iter().any(|other| other.cores != group.cores) {
        name = format!("{name}-{}", group.cores.name());
    }
    twins.retain(|other| other.cores == group.cores);
    if twins.len() > 1 {
        name = format!("{name}-c{}", group.load.connections());
    }
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect()
}

/// The order in which people tell the story: one worker, processes, threads, then guests.
fn rank(server: &str, origin: Origin) -> usize {
    let known = [
        server::SINGLE,
        server::CLUSTER,
        server::THREADS,
        server::NODE_SINGLE,
        server::NODE_CLUSTER,
    ];
    let place = known.iter().position(|&name| name == server);
    place.unwrap_or(known.len() + usize::from(origin == Origin::Guest))
}

impl Group<'_> {
    /// What the clients ask for, in words.
    pub(crate) fn describe(&self) -> String {
        let on = match self.cores {
            Cores::Shared => "",
            Cores::Real => ", on a core for each worker",
            Cores::Emulated => ", on an emulated core for each worker",
        };
        format!(
            "{}: GET {} over {}{on}",
            self.experiment,
            self.target(),
            self.load.describe()
        )
    }

    /// All of its cells are asked for the same.
    fn target(&self) -> String {
        self.cells
            .first()
            .map_or_else(|| self.workload.target(), |cell| cell.target())
    }

    /// The same in a few words, to tell its findings from those of other groups.
    pub(crate) fn in_brief(&self) -> String {
        match self.cores {
            Cores::Shared => self.describe(),
            Cores::Real | Cores::Emulated => format!(
                "{}: GET {}, {} cores",
                self.experiment,
                self.target(),
                self.cores.name()
            ),
        }
    }

    /// CPUs that its cells are bound to.
    pub(crate) fn server_cpus(&self) -> usize {
        let cpus = self.cells.iter().map(|cell| cell.cpus.len());
        cpus.max().unwrap_or(0)
    }

    /// Where workers wait for the next period's quota, absolute latency is that of the quota.
    pub(crate) fn shows_latency(&self) -> bool {
        self.cores != Cores::Emulated
    }
}

/// True for servers that have one worker by their nature, so that naming it would be noise.
pub(crate) fn is_single(cell: &Cell) -> bool {
    cell.workers == 1 && [server::SINGLE, server::NODE_SINGLE].contains(&cell.server.as_str())
}

/// A cell in words, as in `cluster with 2 workers`.
pub(crate) fn in_words(cell: &Cell) -> String {
    if is_single(cell) {
        cell.server.clone()
    } else {
        format!("{} with {}", cell.server, workers(cell.workers))
    }
}

/// How long connections live, in words.
pub(crate) const fn lifetime(reuse: Reuse) -> &'static str {
    match reuse {
        Reuse::KeepAlive => "connections kept alive",
        Reuse::NewConnection => "a new connection for each request",
    }
}

/// `1 worker`, `2 workers`.
pub(crate) fn workers(count: u32) -> String {
    counted(count as usize, "worker")
}

/// Texts in their order, each once: a server is asked more than one question.
pub(crate) fn each_once(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    texts.filter(|text| seen.insert(text.clone())).collect()
}

/// `1 trial`, `2 trials`: the noun takes an s.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
