//! From what was measured to the tables of the summary.

use std::collections::{BTreeMap, BTreeSet};

use schema::{
    Estimate, PrimitiveCost, PrimitiveGroup, PrimitiveNoise, PrimitiveRow, Primitives,
    SCHEMA_VERSION, Worker,
};

use super::{
    catalogue::{self, GROUPS, Group, NOISE},
    figures::{Blocks, apart},
    read::{Folder, Id, Measured},
    rows::{Clock, Rows},
};
use crate::tools::{
    machine::Machine,
    metric::{CpuTime, Metric},
};

/// Everything the pages show.
#[derive(Debug)]
pub struct Summary {
    /// What goes into `primitives.json`.
    pub primitives: Primitives,
    /// What was measured twice, and how far it lay apart.
    pub again: Vec<Again>,
    /// Folders of groups in criterion's, by the group's name: by the clock, and in CPU time.
    pub folders: BTreeMap<String, [Option<String>; 2]>,
    /// Groups of which some figures have no interval.
    pub quick: BTreeSet<String>,
    /// Sides of rows that were not measured: one line each.
    pub missing: Vec<String>,
    /// Of [`Folder::passed_over`].
    pub passed_over: Vec<String>,
}

/// One function that was measured twice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Again {
    /// By whom.
    pub worker: Worker,
    /// By which clock.
    pub clock: Clock,
    /// The first over the second.
    pub ratio: Estimate,
}

/// The blocks of one benchmark, by both clocks.
#[derive(Clone, Debug, Default)]
struct Both {
    wall: Option<Blocks>,
    cpu: Option<Blocks>,
    bytes: Option<u64>,
}

impl Both {
    fn by(&self, clock: Clock) -> Option<&Blocks> {
        match clock {
            Clock::Wall => self.wall.as_ref(),
            Clock::Cpu => self.cpu.as_ref(),
        }
    }

    fn cost(&self) -> PrimitiveCost {
        PrimitiveCost {
            wall_ns: self.wall.as_ref().and_then(Blocks::cost),
            cpu_ns: self.cpu.as_ref().and_then(Blocks::cost),
            bytes: self.bytes,
        }
    }
}

/// The benchmarks of one group, by function and parameter.
#[derive(Debug, Default)]
struct Found {
    benchmarks: BTreeMap<(String, String), Both>,
    newest_unix_s: u64,
    quick: bool,
    folders: [Option<String>; 2],
}

impl Found {
    fn ratio(&self, clock: Clock, one: (&str, &str), reference: (&str, &str)) -> Option<Estimate> {
        let blocks = |(function, parameter): (&str, &str)| {
            let id = (function.to_owned(), parameter.to_owned());
            self.benchmarks.get(&id)?.by(clock)
        };
        blocks(one)?.over(blocks(reference)?)
    }
}

impl Summary {
    /// Put what was read into its tables.
    #[must_use]
    pub fn of(folder: Folder, machine: Machine) -> Self {
        let mut found = by_group(folder.measured);
        let again = found.get(NOISE).map(again).unwrap_or_default();
        let largest = |clock| {
            let again = again.iter().filter(|one| one.clock == clock);
            again.map(|one| apart(one.ratio.point)).reduce(f64::max)
        };
        let noise = PrimitiveNoise {
            wall: largest(Clock::Wall),
            cpu: largest(Clock::Cpu),
        };
        let mut summary = Self {
            primitives: Primitives {
                schema_version: SCHEMA_VERSION,
                cpu_model: machine.cpu_model,
                kernel: machine.kernel,
                noise,
                groups: Vec::new(),
            },
            again,
            folders: BTreeMap::new(),
            quick: BTreeSet::new(),
            missing: Vec::new(),
            passed_over: folder.passed_over,
        };
        // Those that nobody described come last.
        for group in GROUPS {
            if let Some(found) = found.remove(group.name) {
                summary.add(group.name, Some(group), found);
            }
        }
        for (name, found) in found {
            summary.add(&name, None, found);
        }
        summary
    }

    fn add(&mut self, name: &str, group: Option<&'static Group>, found: Found) {
        let noise = self.primitives.noise;
        if found.quick {
            self.quick.insert(name.to_owned());
        }
        let rows = group.map_or_else(|| listed(&found), |group| rows(group, &found, noise));
        if let Some(group) = group {
            self.missing.extend(missing(group, &rows));
        }
        self.primitives.groups.push(PrimitiveGroup {
            name: name.to_owned(),
            asks: group.map_or_else(String::new, |group| group.asks.to_owned()),
            means: group.and_then(|group| {
                let rows = &rows;
                (group.means)(&Rows { group, rows, noise })
            }),
            measured_unix_s: found.newest_unix_s,
            rows,
        });
        self.folders.insert(name.to_owned(), found.folders);
    }
}

/// The group's name without what marks CPU time, and by which clock it was measured.
#[must_use]
pub fn split(group: &str) -> (&str, Clock) {
    match group.strip_suffix(CpuTime::SUFFIX) {
        Some(name) => (name, Clock::Cpu),
        None => (group, Clock::Wall),
    }
}

fn by_group(measured: Vec<Measured>) -> BTreeMap<String, Found> {
    let mut groups: BTreeMap<String, Found> = BTreeMap::new();
    for measured in measured {
        let (name, clock) = split(&measured.id.group);
        let blocks = Blocks::of(&measured);
        let found = groups.entry(name.to_owned()).or_default();
        found.newest_unix_s = found.newest_unix_s.max(measured.unix_s);
        found.quick |= blocks.cost().is_some_and(|cost| cost.interval.is_none());
        found.folders[clock as usize] = Some(measured.folder.display().to_string());
        let Id {
            function,
            parameter,
            ..
        } = measured.id;
        let both = found.benchmarks.entry((function, parameter)).or_default();
        both.bytes = both.bytes.or(measured.bytes);
        match clock {
            Clock::Wall => both.wall = Some(blocks),
            Clock::Cpu => both.cpu = Some(blocks),
        }
    }
    groups
}

fn again(found: &Found) -> Vec<Again> {
    let mut all = Vec::new();
    let parameters: BTreeSet<&str> = found.benchmarks.keys().map(|(_, p)| p.as_str()).collect();
    for parameter in parameters {
        for (worker, one, other) in [
            (Worker::Thread, "thread-a", "thread-b"),
            (Worker::Process, "process-a", "process-b"),
        ] {
            all.extend(Clock::BOTH.into_iter().filter_map(|clock| {
                let ratio = found.ratio(clock, (one, parameter), (other, parameter))?;
                Some(Again {
                    worker,
                    clock,
                    ratio,
                })
            }));
        }
    }
    all
}

/// The rows of a group in the order of the catalogue, and after them what it does not know.
fn rows(group: &Group, found: &Found, noise: PrimitiveNoise) -> Vec<PrimitiveRow> {
    let parameters = parameters(group, found);
    let mut rows = Vec::new();
    let mut shown = BTreeSet::new();
    for line in group.lines {
        for parameter in &parameters {
            let mut cost = |function: Option<&str>| {
                let id = (function?.to_owned(), parameter.clone());
                let cost = found.benchmarks.get(&id)?.cost();
                shown.insert(id);
                Some(cost)
            };
            let (thread, process) = (cost(line.thread), cost(line.process));
            let alone = cost(line.alone);
            if thread.is_none() && process.is_none() && alone.is_none() {
                continue;
            }
            let ratio = |clock| {
                let (process, thread) = (line.process?, line.thread?);
                let ratio = found.ratio(clock, (process, parameter), (thread, parameter))?;
                Some(clock.judge(noise).judged(ratio))
            };
            rows.push(PrimitiveRow {
                what: line.what.to_owned(),
                parameter: parameter.clone(),
                thread,
                process,
                alone,
                wall_ratio: ratio(Clock::Wall),
                cpu_ratio: ratio(Clock::Cpu),
            });
        }
    }
    rows.extend(
        listed(found)
            .into_iter()
            .filter(|row| !shown.contains(&(row.what.clone(), row.parameter.clone()))),
    );
    rows
}

/// Those of the catalogue first, in its order.
fn parameters(group: &Group, found: &Found) -> Vec<String> {
    let mut all: Vec<String> = found.benchmarks.keys().map(|(_, p)| p.clone()).collect();
    let place = |parameter: &str| {
        let known = group.parameters.iter().position(|(id, _)| *id == parameter);
        known.unwrap_or(group.parameters.len())
    };
    all.sort_by(|a, b| (place(a), a).cmp(&(place(b), b)));
    all.dedup();
    all
}

/// Every benchmark by itself.
fn listed(found: &Found) -> Vec<PrimitiveRow> {
    let rows = found
        .benchmarks
        .iter()
        .map(|((what, parameter), both)| PrimitiveRow {
            what: what.clone(),
            parameter: parameter.clone(),
            thread: None,
            process: None,
            alone: Some(both.cost()),
            wall_ratio: None,
            cpu_ratio: None,
        });
    rows.collect()
}

/// Rows that have one side and could have two, and those without a clock that they could have.
fn missing(group: &Group, rows: &[PrimitiveRow]) -> Vec<String> {
    let paired = |what: &str| {
        let line = group.lines.iter().find(|line| line.what == what);
        line.is_some_and(|line| line.thread.is_some() && line.process.is_some())
    };
    let one_sided = rows
        .iter()
        .filter(|row| paired(&row.what) && (row.thread.is_none() != row.process.is_none()));
    one_sided
        .map(|row| {
            let side = if row.thread.is_none() {
                Worker::Thread
            } else {
                Worker::Process
            };
            format!(
                "{}: {} {} was not measured for the {side}; run cargo bench --bench {}",
                group.name,
                row.what,
                group.in_words(&row.parameter),
                group.bench
            )
        })
        .collect()
}

/// The heading of a group.
#[must_use]
pub fn title(name: &str) -> String {
    catalogue::group(name).map_or_else(|| name.to_owned(), |group| group.title.to_owned())
}
