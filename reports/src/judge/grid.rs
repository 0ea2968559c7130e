//! The model grid: processes beside threads in each row, accept policies beside a shared listener in
//! each column.
//!
//! A cell of the grid is one of this project's servers that is named by its model. What is named
//! otherwise stands beside the grid: variants (the model's name with something behind), guests, and
//! the floor, which is a limit and in no verdict.
//!
//! A connection costs the client as much as the server, so that with a new one for each request the
//! load generator often is the limit. Throughput then says nothing of the servers and CPU time per
//! request does, in a row where either cell was held back, and in all rows where most rows have such a
//! cell: so that a matrix has one main figure.

mod words;

use schema::{
    Accept, BesideGuest, Cell, Grid, GridRow, Metric, Model, Origin, Place, PolicyCost, Reference,
    Reuse, Standing, Style, Worker,
};

use self::words::ByCpu;
use super::{
    bottleneck::{HeldBack, held_back},
    comparisons::{Told, told},
    pairs::Pair,
    ratios::ratio,
    standing::standing,
};
use crate::{
    groups::{experiment, lifetime, server},
    measurements::Measurements,
    trials::Trial,
};

/// Guests that evented workers are set beside.
const GUESTS: [&str; 2] = [server::NGINX_SHARED, server::NODE_CLUSTER];

/// In the order in which they are told.
const REUSES: [Reuse; 2] = [Reuse::KeepAlive, Reuse::NewConnection];

/// Nothing where the run did not ask.
pub(super) fn grid(measurements: &Measurements<'_>) -> Option<Grid> {
    let judge = Judge {
        measurements,
        cells: cells_of(measurements),
    };
    let planned = |reuse: &Reuse| judge.cells.iter().any(|cell| cell.reuse == *reuse);
    let reuses: Vec<Reuse> = REUSES.into_iter().filter(planned).collect();
    (!judge.cells.is_empty()).then(|| Grid {
        rows: reuses.iter().flat_map(|&reuse| judge.rows(reuse)).collect(),
        policies: reuses
            .iter()
            .flat_map(|&reuse| judge.policies(reuse))
            .collect(),
        references: reuses
            .iter()
            .flat_map(|&reuse| judge.references(reuse))
            .collect(),
    })
}

fn cells_of<'a>(measurements: &Measurements<'a>) -> Vec<&'a Cell> {
    let cells = measurements.run.plan.cells.iter();
    cells
        .filter(|cell| cell.experiment == experiment::GRID)
        .collect()
}

/// The name of the server that is a cell of the grid.
pub(crate) fn name_of(model: Model) -> String {
    model.to_string().replace('/', "-")
}

struct Judge<'m, 'a> {
    measurements: &'m Measurements<'a>,
    cells: Vec<&'a Cell>,
}

impl<'a> Judge<'_, 'a> {
    fn cell(&self, server: &str, reuse: Reuse) -> Option<&'a Cell> {
        let is_it = |cell: &&&Cell| cell.server == server && cell.reuse == reuse;
        self.cells.iter().find(is_it).copied()
    }

    /// One for each style and accept policy, those that cannot be among them.
    fn rows(&self, reuse: Reuse) -> Vec<GridRow> {
        let places = schema::GRID.iter();
        places
            .filter(|place| place.model.worker == Worker::Process)
            .map(|place| self.row(place, reuse))
            .collect()
    }

    fn row(&self, place: &Place, reuse: Reuse) -> GridRow {
        let process = place.model;
        let thread = Model {
            worker: Worker::Thread,
            ..process
        };
        let pair = self.pair(process, reuse);
        let told = |metric| {
            let setting = lifetime(reuse);
            pair.and_then(|pair| told(self.measurements, pair, metric, Some(setting)))
        };
        let (throughput, cpu) = (told(Metric::Throughput), told(Metric::CpuPerRequest));
        let standings = [process, thread].map(|model| self.standing(model, reuse));
        let name = format!("{}/{}, {}", process.style, process.accept, lifetime(reuse));
        let why = self.why_by_cpu(pair, reuse);
        let sentence = match (&throughput, &cpu, why) {
            (Some(throughput), Some(cpu), None) => words::by_throughput(&name, throughput, cpu),
            (Some(_), Some(cpu), Some(why)) => words::by_cpu(&name, cpu, why),
            _ => words::not_compared(&name, &standings),
        };
        let [process_stands, thread_stands] = standings;
        GridRow {
            style: process.style,
            accept: process.accept,
            reuse,
            process: process_stands,
            thread: thread_stands,
            throughput: throughput.map(|told| told.comparison),
            cpu: cpu.map(|told| told.comparison),
            judged_by: why.map_or(Metric::Throughput, |_| Metric::CpuPerRequest),
            sentence,
        }
    }

    /// Why CPU time per request decides and not throughput, where it does.
    fn why_by_cpu(&self, pair: Option<Pair<'_>>, reuse: Reuse) -> Option<ByCpu> {
        match self.limit(pair) {
            Some(limit) => Some(ByCpu::InThisRow(limit)),
            None => self.most_are_limited(reuse).then_some(ByCpu::InMostRows),
        }
    }

    /// The generator's limit in either cell.
    fn limit(&self, pair: Option<Pair<'_>>) -> Option<HeldBack> {
        let Pair { subject, reference } = pair?;
        let mut cells = [subject, reference].into_iter();
        cells.find_map(|cell| held_back(self.measurements, cell))
    }

    /// Whether the generator was the limit in most rows that can be compared.
    fn most_are_limited(&self, reuse: Reuse) -> bool {
        let measured = |cell: &Cell| !self.measurements.trials(&cell.id).is_empty();
        let pairs = schema::GRID
            .iter()
            .filter(|place| place.model.worker == Worker::Process)
            .filter_map(|place| self.pair(place.model, reuse))
            .filter(|pair| measured(pair.subject) && measured(pair.reference));
        let limits: Vec<bool> = pairs.map(|pair| self.limit(Some(pair)).is_some()).collect();
        2 * limits.iter().filter(|limited| **limited).count() > limits.len()
    }

    /// Processes over threads, all else equal.
    fn pair(&self, process: Model, reuse: Reuse) -> Option<Pair<'a>> {
        let of = |worker| self.cell(&name_of(Model { worker, ..process }), reuse);
        Some(Pair {
            reference: of(Worker::Thread)?,
            subject: of(Worker::Process)?,
        })
    }

    fn standing(&self, model: Model, reuse: Reuse) -> Standing {
        if let Err(reason) = model.known() {
            return Standing::Refused {
                reason: reason.to_owned(),
            };
        }
        let name = name_of(model);
        standing(self.measurements, self.cell(&name, reuse), &name)
    }

    /// Every policy and every variant beside the shared listener of the same worker and style.
    fn policies(&self, reuse: Reuse) -> Vec<PolicyCost> {
        let mut costs = Vec::new();
        for &worker in Worker::ALL {
            for &style in Style::ALL {
                let column = format!("{worker}-{style}-");
                let shared = format!("{column}{}", Accept::Shared);
                let Some(reference) = self.cell(&shared, reuse) else {
                    continue;
                };
                let others = self.own(reuse).filter(|cell| cell.server != shared);
                costs.extend(others.filter_map(|subject| {
                    let pair = Pair { reference, subject };
                    Some(PolicyCost {
                        worker,
                        style,
                        reuse,
                        policy: subject.server.strip_prefix(&column)?.to_owned(),
                        cpu: self.told(pair, Metric::CpuPerRequest)?.comparison,
                    })
                }));
            }
        }
        costs
    }

    /// Cells of the grid and their variants: not the floor.
    fn own(&self, reuse: Reuse) -> impl Iterator<Item = &'a Cell> {
        self.cells.iter().copied().filter(move |cell| {
            cell.origin == Origin::Own
                && cell.reuse == reuse
                && cell.server.starts_with(&name_of(cell.model))
        })
    }

    fn references(&self, reuse: Reuse) -> Vec<Reference> {
        let evented = self
            .own(reuse)
            .filter(|cell| cell.model.style == Style::Evented);
        evented
            .map(|subject| {
                let beside = |reference| Pair { reference, subject };
                let floor = self.cell(server::FLOOR, reuse).map(beside);
                let guests = GUESTS.iter().filter_map(|guest| {
                    let pair = beside(self.cell(guest, reuse)?);
                    Some(BesideGuest {
                        guest: (*guest).to_owned(),
                        throughput: self.told(pair, Metric::Throughput)?.comparison,
                        cpu: self.told(pair, Metric::CpuPerRequest)?.comparison,
                    })
                });
                Reference {
                    cell: subject.id.clone(),
                    reuse,
                    times_the_floor: floor
                        .and_then(|pair| ratio(self.measurements, pair, Trial::cpu_ns_per_request)),
                    guests: guests.collect(),
                }
            })
            .filter(|reference| reference.times_the_floor.is_some() || !reference.guests.is_empty())
            .collect()
    }

    fn told(&self, pair: Pair<'_>, metric: Metric) -> Option<Told> {
        let setting = lifetime(pair.subject.reuse);
        told(self.measurements, pair, metric, Some(setting))
    }
}
