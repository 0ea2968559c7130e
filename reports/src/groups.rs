//! Cells that may be set against each other: one experiment, one workload, one load.

use schema::{Cell, Origin, Plan, Workload};

/// Servers by the part they play in a comparison.
pub(crate) mod server {
    /// One cashier.
    pub(crate) const SINGLE: &str = "single";
    /// Workers are processes.
    pub(crate) const CLUSTER: &str = "cluster";
    /// Workers are threads.
    pub(crate) const THREADS: &str = "threads";
    /// Node with one process.
    pub(crate) const NODE_SINGLE: &str = "node-single";
    /// Node's own cluster.
    pub(crate) const NODE_CLUSTER: &str = "node-cluster";
}

/// Cells that differ in nothing but the server and its workers.
pub(crate) struct Group<'a> {
    pub(crate) experiment: &'a str,
    pub(crate) workload: Workload,
    pub(crate) connections: u32,
    /// By server, then by number of workers.
    pub(crate) cells: Vec<&'a Cell>,
    /// Stands in file names and headings; unique within a plan.
    pub(crate) name: String,
}

/// The groups of a plan, in the order in which it names them.
pub(crate) fn groups(plan: &Plan) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for cell in &plan.cells {
        let same = |group: &&mut Group<'_>| {
            group.experiment == cell.experiment
                && group.workload == cell.workload
                && group.connections == cell.connections
        };
        if let Some(group) = groups.iter_mut().find(same) {
            group.cells.push(cell);
        } else {
            groups.push(Group {
                experiment: &cell.experiment,
                workload: cell.workload,
                connections: cell.connections,
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
    let twins = groups
        .iter()
        .filter(|other| other.experiment == group.experiment && other.workload == group.workload);
    if twins.count() > 1 {
        name = format!("{name}-c{}", group.connections);
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
        format!(
            "{}: GET {} over {} connections",
            self.experiment,
            self.workload.target(),
            self.connections
        )
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

/// `1 worker`, `2 workers`.
pub(crate) fn workers(count: u32) -> String {
    counted(count as usize, "worker")
}

/// `1 trial`, `2 trials`: the noun takes an s.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
