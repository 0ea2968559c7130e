//! Which cells are set against each other.

use schema::{Cell, Metric, Origin, Worker};

use crate::groups::{Group, experiment, server};

/// What a comparison is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Theme {
    /// The question of the whole suite: all else equal, processes or threads?
    ProcessesAgainstThreads,
    /// What many workers give over one.
    ManyAgainstOne,
    /// What a server of many workers gives over the one built for a single worker.
    AgainstSingle,
    /// What others built, beside ours.
    Guest,
}

impl Theme {
    /// Every theme, in the order in which they are told.
    pub(crate) const ALL: [Self; 4] = [
        Self::ProcessesAgainstThreads,
        Self::ManyAgainstOne,
        Self::AgainstSingle,
        Self::Guest,
    ];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::ProcessesAgainstThreads => "Processes against threads",
            Self::ManyAgainstOne => "Many workers against one of the same server",
            Self::AgainstSingle => "Many workers against the single server",
            Self::Guest => "Guests against ours",
        }
    }

    /// Latency is asked of the main question and of guests, where it can be shown; elsewhere the
    /// closed loop's latency only mirrors throughput.
    pub(super) const fn asks(self, metric: Metric) -> bool {
        match (self, metric) {
            (_, Metric::Throughput | Metric::CpuPerRequest)
            | (Self::ProcessesAgainstThreads | Self::Guest, Metric::P99) => true,
            (Self::ManyAgainstOne | Self::AgainstSingle, Metric::P99) => false,
        }
    }
}

/// The theme of two cells that are compared.
pub(crate) fn theme(reference: &Cell, subject: &Cell) -> Theme {
    if subject.origin == Origin::Guest && reference.origin == Origin::Own {
        Theme::Guest
    } else if subject.server == reference.server {
        Theme::ManyAgainstOne
    } else if reference.server == server::SINGLE {
        Theme::AgainstSingle
    } else {
        Theme::ProcessesAgainstThreads
    }
}

/// Two cells of one group.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) reference: &'a Cell,
    pub(super) subject: &'a Cell,
}

/// Every pair worth asking about, by theme. Where every number of workers was measured, curves tell
/// of the numbers between, and only the greatest is asked about.
pub(super) fn pairs<'a>(group: &Group<'a>) -> Vec<Pair<'a>> {
    let mut pairs = all_pairs(group);
    if group.experiment == experiment::SCALING {
        let most = pairs.iter().map(|pair| pair.subject.workers).max();
        pairs.retain(|pair| Some(pair.subject.workers) == most);
    }
    pairs
}

fn all_pairs<'a>(group: &Group<'a>) -> Vec<Pair<'a>> {
    let mut pairs = processes_against_threads(group);
    for name in [server::CLUSTER, server::THREADS] {
        pairs.extend(many_against_one(group, name));
    }
    pairs.extend(against_single(group));
    pairs.extend(guests(group));
    pairs
}

fn own<'a>(group: &Group<'a>, server: &str) -> Vec<&'a Cell> {
    let ours = |cell: &&&Cell| cell.origin == Origin::Own && cell.server == server;
    group.cells.iter().filter(ours).copied().collect()
}

/// The same number of workers and the same style. Where a twin has the same accept policy too,
/// only that one is compared, as then the worker alone differs.
pub(super) fn processes_against_threads<'a>(group: &Group<'a>) -> Vec<Pair<'a>> {
    let threads = own(group, server::THREADS);
    let mut pairs = Vec::new();
    for subject in own(group, server::CLUSTER) {
        let equals = threads.iter().copied().filter(|thread| {
            thread.workers == subject.workers && thread.model.style == subject.model.style
        });
        let (twins, others): (Vec<_>, Vec<_>) =
            equals.partition(|thread| thread.model.accept == subject.model.accept);
        let references = if twins.is_empty() { others } else { twins };
        pairs.extend(
            references
                .into_iter()
                .map(|reference| Pair { reference, subject }),
        );
    }
    pairs
}

pub(super) fn many_against_one<'a>(group: &Group<'a>, server: &str) -> Vec<Pair<'a>> {
    let cells = own(group, server);
    let Some(most) = cells.iter().map(|cell| cell.workers).max() else {
        return Vec::new();
    };
    let subjects = cells.iter().filter(|cell| cell.workers == most && most > 1);
    subjects
        .filter_map(|&subject| {
            let one = |cell: &&&Cell| cell.workers == 1 && cell.model == subject.model;
            let reference = cells.iter().find(one)?;
            Some(Pair { reference, subject })
        })
        .collect()
}

fn against_single<'a>(group: &Group<'a>) -> Vec<Pair<'a>> {
    let subjects = [server::CLUSTER, server::THREADS]
        .into_iter()
        .flat_map(|name| own(group, name));
    let singles = own(group, server::SINGLE);
    subjects
        .filter_map(|subject| {
            let same_style = |single: &&&Cell| single.model.style == subject.model.style;
            let reference = singles.iter().find(same_style)?;
            Some(Pair { reference, subject })
        })
        .collect()
}

/// Each guest beside the server of ours that plays its part, with the same number of workers or
/// the nearest.
fn guests<'a>(group: &Group<'a>) -> Vec<Pair<'a>> {
    let guests = group
        .cells
        .iter()
        .filter(|cell| cell.origin == Origin::Guest);
    guests
        .filter_map(|&subject| {
            let part = match (subject.server.as_str(), subject.model.worker) {
                (server::NODE_SINGLE, _) => server::SINGLE,
                (_, Worker::Process) => server::CLUSTER,
                (_, Worker::Thread) => server::THREADS,
            };
            let reference = own(group, part)
                .into_iter()
                .min_by_key(|cell| (cell.workers.abs_diff(subject.workers), cell.workers))?;
            Some(Pair { reference, subject })
        })
        .collect()
}
