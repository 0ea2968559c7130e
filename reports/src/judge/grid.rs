//! The model grid: processes beside threads in each row, accept policies beside a shared listener in
//! each column.
//!
//! A cell of the grid is one of this project's servers that is named by its model. What is named
//! otherwise stands beside the grid: variants (the model's name with something behind), guests, and
//! the floor, which is a limit and in no verdict.

use schema::{
    Accept, BesideGuest, Cell, Grid, GridRow, Metric, Model, Origin, Place, PolicyCost, Reference,
    Reuse, Standing, Style, Worker,
};

use super::{
    comparisons::{Told, told},
    pairs::Pair,
    ratios::ratio,
    sentences::evidence,
    standing::{absence, standing},
};
use crate::{
    figures,
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
        let of = |model: Model| self.cell(&name_of(model), reuse);
        let pair = of(thread)
            .zip(of(process))
            .map(|(reference, subject)| Pair { reference, subject });
        let told = |metric| {
            let setting = lifetime(reuse);
            pair.and_then(|pair| told(self.measurements, pair, metric, Some(setting)))
        };
        let (throughput, cpu) = (told(Metric::Throughput), told(Metric::CpuPerRequest));
        let standings = [process, thread].map(|model| self.standing(model, reuse));
        let name = format!("{}/{}, {}", process.style, process.accept, lifetime(reuse));
        let sentence = match (&throughput, &cpu) {
            (Some(throughput), Some(cpu)) => compared(&name, throughput, cpu),
            _ => not_compared(&name, &standings),
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
            sentence,
        }
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

fn compared(name: &str, throughput: &Told, cpu: &Told) -> String {
    let part = |told: &Told| {
        format!(
            "({}): {}",
            evidence(&told.comparison),
            told.outcome.as_str()
        )
    };
    format!(
        "{name}: processes serve {} times what threads serve {}; a request takes {} times the CPU time {}.",
        figures::ratio(&throughput.comparison.ratio),
        part(throughput),
        figures::ratio(&cpu.comparison.ratio),
        part(cpu),
    )
}

fn not_compared(name: &str, standings: &[Standing; 2]) -> String {
    let whys: Vec<String> = ["processes", "threads"]
        .into_iter()
        .zip(standings)
        .filter_map(|(who, standing)| Some((who, absence(standing)?)))
        .map(|(who, why)| format!("{who} {why}"))
        .collect();
    let why = match &standings {
        [
            Standing::Refused { reason: one },
            Standing::Refused { reason: other },
        ] if one == other => {
            format!("neither can be: {one}")
        }
        _ if whys.is_empty() => "no block measured both".to_owned(),
        _ => whys.join("; "),
    };
    format!("{name}: nothing to compare ({why}).")
}
