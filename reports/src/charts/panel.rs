//! What every chart of one group draws from.

use analysis::{Sample, fairness_index};
use schema::{Cell, Cores, Estimates, ScalingPoint, Verdicts};

use super::palette::Series;
use crate::{
    groups::{Group, is_single, server, workers},
    measurements::Measurements,
};

/// One cell that was measured.
pub(crate) struct Bar<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) figures: &'a Estimates,
    /// Against one worker, where it belongs to a curve.
    pub(crate) scaling: Option<&'a ScalingPoint>,
    pub(super) series: Series,
    /// Unique within its group.
    pub(crate) label: String,
    pub(crate) answered: Answered,
}

/// Who answered, over the launches of a cell.
pub(crate) struct Answered {
    /// Mean share of the busiest worker of each launch, of the next, and so on. Worker ids mean
    /// nothing beyond their launch, so ranks are what can be averaged.
    pub(crate) shares: Vec<f64>,
    /// Mean of the launches' fairness indices.
    pub(crate) fairness: Option<f64>,
}

/// A group's measured cells, in order.
pub(crate) struct Panel<'a> {
    pub(crate) bars: Vec<Bar<'a>>,
    pub(crate) server_cpus: usize,
    pub(crate) experiment: &'a str,
    pub(crate) cores: Cores,
}

impl<'a> Panel<'a> {
    pub(crate) fn new(
        measurements: &Measurements<'a>,
        verdicts: &'a Verdicts,
        group: &Group<'a>,
    ) -> Self {
        let points = || verdicts.scaling.iter().flat_map(|curve| &curve.points);
        let bars = group
            .cells
            .iter()
            .filter_map(|&cell| {
                let figures = verdicts.estimates.iter().find(|row| row.cell == cell.id)?;
                Some(Bar {
                    cell,
                    figures,
                    scaling: points().find(|point| point.cell == cell.id),
                    series: Series::of(&cell.server, &measurements.run.plan),
                    label: label(cell, group),
                    answered: answered(measurements, cell),
                })
            })
            .collect();
        Self {
            bars,
            server_cpus: group.server_cpus(),
            experiment: group.experiment,
            cores: group.cores,
        }
    }

    /// What a core is, for axes and captions.
    pub(super) fn cores_in_words(&self) -> &'static str {
        match self.cores {
            Cores::Emulated => "emulated cores",
            Cores::Real | Cores::Shared => "cores",
        }
    }

    /// The name of an axis, which says so where cores are emulated.
    pub(super) fn axis(&self, name: &str) -> String {
        match self.cores {
            Cores::Emulated => format!("{name} (emulated cores)"),
            Cores::Real | Cores::Shared => name.to_owned(),
        }
    }

    /// The greatest of a figure, with its interval.
    pub(super) fn greatest(&self, figure: impl Fn(&Bar<'_>) -> f64) -> f64 {
        self.bars.iter().map(figure).fold(0.0, f64::max)
    }

    /// What one worker serves, to hold many workers against.
    pub(super) fn one_worker(&self) -> Option<&Bar<'a>> {
        let alone = |bar: &&Bar<'_>| bar.cell.workers == 1;
        let single = self
            .bars
            .iter()
            .find(|bar| bar.cell.server == server::SINGLE);
        single.or_else(|| self.bars.iter().find(alone))
    }
}

/// As in `cluster · 2 workers`; the accept policy is named where only it tells two cells apart.
fn label(cell: &Cell, group: &Group<'_>) -> String {
    let twin = |other: &&&Cell| {
        other.id != cell.id && other.server == cell.server && other.workers == cell.workers
    };
    let mut label = cell.server.clone();
    if !is_single(cell) {
        label = format!("{label} · {}", workers(cell.workers));
    }
    if group.cells.iter().any(|other| twin(&other)) {
        label = format!("{label} · {}", cell.model.accept);
    }
    label
}

fn answered(measurements: &Measurements<'_>, cell: &Cell) -> Answered {
    let launches: Vec<Vec<f64>> = measurements
        .trials(&cell.id)
        .values()
        .map(|trial| trial.shares())
        .filter(|shares| !shares.is_empty())
        .collect();
    let ranks = launches.iter().map(Vec::len).max().unwrap_or(0);
    let shares = (0..ranks)
        .map(|rank| {
            let of_rank = launches
                .iter()
                .map(|shares| shares.get(rank).unwrap_or(&0.0));
            of_rank.sum::<f64>() / launches.len() as f64
        })
        .collect();
    // A worker that never answered is in no launch's shares, and counts all the same.
    let indices = launches.iter().filter_map(|shares| {
        let mut shares = shares.clone();
        shares.resize(shares.len().max(cell.workers as usize), 0.0);
        fairness_index(&shares)
    });
    Answered {
        shares,
        fairness: Sample::new(indices.collect())
            .ok()
            .map(|sample| sample.mean()),
    }
}
