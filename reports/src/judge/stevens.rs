//! Stevens' nine designs, judged as the book does: CPU time for 5,000 connections, less that of the
//! iterative server.
//!
//! The book's figures are as remembered and were not checked against a copy; they serve to hold an
//! order and a few ratios against, never to judge a figure of today.

use analysis::{PairedRatio, Sample, estimate};
use schema::{Cell, Design, DesignFigures, Estimate, Stevens};

use super::{
    balance::connections, conclusions::conclusions, grid::name_of, pairs::Pair, standing::standing,
};
use crate::{
    groups::{experiment, server},
    measurements::Measurements,
    trials::Trial,
};

/// Connections that the book's seconds are for.
const CONNECTIONS: u32 = 5_000;

/// In words, and the book's seconds of process-control CPU time as remembered.
const DESIGNS: [(&str, Option<f64>); 9] = [
    ("iterative: one connection at a time", None),
    ("a process for each connection", Some(20.90)),
    ("pool of processes, all call accept", Some(1.80)),
    ("pool of processes, file lock on accept", Some(2.07)),
    ("pool of processes, mutex on accept", Some(1.75)),
    ("pool of processes, descriptors passed", Some(2.58)),
    ("a thread for each connection", Some(0.99)),
    ("pool of threads, mutex on accept", Some(1.93)),
    ("pool of threads, one accepts", Some(2.05)),
];

/// The designs of a run.
pub(super) struct Designs<'m, 'a> {
    pub(super) measurements: &'m Measurements<'a>,
    /// By number.
    cells: [Option<&'a Cell>; 9],
}

/// Nothing where the run did not ask.
pub(super) fn stevens(measurements: &Measurements<'_>) -> Option<Stevens> {
    let designs = Designs::of(measurements);
    if designs.cells.iter().all(Option::is_none) {
        return None;
    }
    let rows: Vec<Design> = (0..)
        .zip(DESIGNS)
        .map(|(number, (name, book_control_s))| {
            let cell = designs.cell(number);
            Design {
                number,
                name: name.to_owned(),
                standing: standing(measurements, cell, &format!("design {number}")),
                figures: designs.figures(number),
                book_control_s,
            }
        })
        .collect();
    let now = |design: &Design| Some(design.figures.as_ref()?.control_s?.point);
    let order_now = order(&rows, now);
    let mut order_in_book = order(&rows, |design| design.book_control_s);
    order_in_book.retain(|number| order_now.contains(number));
    Some(Stevens {
        connections: CONNECTIONS,
        conclusions: conclusions(&designs, &order_now, &order_in_book),
        designs: rows,
        order_now,
        order_in_book,
    })
}

/// Numbers of the designs that have the figure, least first.
fn order(designs: &[Design], figure: impl Fn(&Design) -> Option<f64>) -> Vec<u8> {
    let mut known: Vec<(u8, f64)> = designs
        .iter()
        .filter_map(|design| Some((design.number, figure(design)?)))
        .collect();
    known.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    known.into_iter().map(|(number, _)| number).collect()
}

impl<'m, 'a> Designs<'m, 'a> {
    fn of(measurements: &'m Measurements<'a>) -> Self {
        let mut cells = [None; 9];
        let planned = measurements.run.plan.cells.iter();
        for cell in planned.filter(|cell| cell.experiment == experiment::STEVENS) {
            let number = if cell.server == server::SINGLE_BLOCKING {
                Some(0)
            } else if cell.server == name_of(cell.model) {
                cell.model.known().ok().and_then(|known| known.stevens)
            } else {
                None
            };
            if let Some(place) = number.and_then(|number| cells.get_mut(usize::from(number))) {
                *place = Some(cell);
            }
        }
        Self {
            measurements,
            cells,
        }
    }

    fn cell(&self, number: u8) -> Option<&'a Cell> {
        self.cells.get(usize::from(number)).copied().flatten()
    }

    fn seed(&self) -> u64 {
        self.measurements.run.plan.seed
    }

    /// Two designs, subject over reference.
    pub(super) fn pair(&self, subject: u8, reference: u8) -> Option<Pair<'a>> {
        Some(Pair {
            reference: self.cell(reference)?,
            subject: self.cell(subject)?,
        })
    }

    fn figures(&self, number: u8) -> Option<DesignFigures> {
        let cell = self.cell(number)?;
        let trials = self.measurements.trials(&cell.id);
        let mean = |figure: fn(Trial<'a>) -> f64| {
            let figures = trials.values().map(|&trial| figure(trial) * to_seconds());
            Some(estimate(&Sample::new(figures.collect()).ok()?, self.seed()))
        };
        let over_iterative = self.pair(number, 0).filter(|_| number > 0);
        Some(DesignFigures {
            user_s: mean(Trial::user_ns_per_request)?,
            system_s: mean(Trial::system_ns_per_request)?,
            cpu_s: mean(Trial::cpu_ns_per_request)?,
            control_s: self.mean_over_blocks(&self.control(number)),
            over_iterative: over_iterative.and_then(|pair| {
                super::ratios::ratio(self.measurements, pair, Trial::cpu_ns_per_request)
            }),
            connections: connections(self.measurements, cell),
        })
    }

    /// Process-control CPU seconds of each block that measured the design and the iterative server.
    fn control(&self, number: u8) -> Vec<(u32, f64)> {
        let Some(Pair { reference, subject }) = self.pair(number, 0).filter(|_| number > 0) else {
            return Vec::new();
        };
        let iterative = self.measurements.trials(&reference.id);
        let trials = self.measurements.trials(&subject.id).into_iter();
        trials
            .filter_map(|(block, trial)| {
                let more = trial.cpu_ns_per_request() - iterative.get(&block)?.cpu_ns_per_request();
                Some((block, more * to_seconds()))
            })
            .collect()
    }

    /// The process-control CPU seconds of two designs, block by block.
    fn controls(&self, subject: u8, reference: u8) -> Vec<(f64, f64)> {
        let references = self.control(reference);
        let of_block = |block| references.iter().find(|(other, _)| *other == block);
        let subjects = self.control(subject).into_iter();
        subjects
            .filter_map(|(block, control)| Some((control, of_block(block)?.1)))
            .collect()
    }

    /// How many times as much process-control CPU time one design takes as another; `None` where one
    /// of them takes none in some block, so that there is nothing to divide by.
    pub(super) fn control_ratio(&self, subject: u8, reference: u8) -> Option<Estimate> {
        let (subjects, references): (Vec<f64>, Vec<f64>) =
            self.controls(subject, reference).into_iter().unzip();
        let paired = PairedRatio::new(&references, &subjects).ok()?;
        Some(paired.estimate(self.seed()))
    }

    /// How much more process-control CPU time one design takes than so many times that of another: a
    /// question that has an answer where the ratio has none.
    pub(super) fn control_beyond(
        &self,
        subject: u8,
        factor: f64,
        reference: u8,
    ) -> Option<Estimate> {
        let blocks = self.controls(subject, reference).into_iter();
        let beyond = blocks.map(|(control, other)| control - factor * other);
        let sample = Sample::new(beyond.collect()).ok()?;
        Some(estimate(&sample, self.seed()))
    }

    fn mean_over_blocks(&self, blocks: &[(u32, f64)]) -> Option<Estimate> {
        let values = blocks.iter().map(|&(_, value)| value);
        let sample = Sample::new(values.collect()).ok()?;
        Some(estimate(&sample, self.seed()))
    }
}

fn to_seconds() -> f64 {
    f64::from(CONNECTIONS) / 1e9
}
