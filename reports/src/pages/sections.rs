//! What is told in words, tables and charts, whatever the page: experiments that stand alone,
//! speed-ups, fidelity, calibration, experiments. The pages only set it.

mod balance;
mod calibration;
mod experiments;
mod fidelity;
mod grid;
mod primitives;
mod scaling;
mod stevens;

use schema::{Estimate, Verdicts};

pub(super) use self::{
    balance::woken,
    calibration::calibration,
    experiments::experiments,
    fidelity::fidelity,
    grid::told,
    primitives::{primitives, sentence as handoff_sentence},
    scaling::{curves, scaling},
};

use crate::{
    Run,
    charts::Chart,
    figures::{ratio, ratio_interval},
};

/// Sections of the experiments that stand alone, of those that the run asked.
pub(super) fn standing_alone(run: &Run, verdicts: &Verdicts) -> Vec<Section> {
    let sections = [
        grid::grid(run, verdicts),
        stevens::stevens(run, verdicts),
        balance::balance(run, verdicts),
    ];
    sections.into_iter().flatten().collect()
}

/// A section of its own.
pub(super) struct Section {
    /// Stands in anchors.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) parts: Vec<Part>,
}

/// A piece of a section.
pub(super) enum Part {
    /// What belongs to the text.
    Text(String),
    /// What explains.
    Aside(String),
    List(Vec<String>),
    Table(Table),
    /// A way to another page beside this one.
    Link {
        text: String,
        href: String,
    },
    /// A heading within the section.
    Heading(String),
    /// What few will read: a page that can fold shows its title alone.
    Folded(String, Vec<Part>),
    Chart(Chart),
}

/// Rows under heads; the first column names its row.
pub(super) struct Table {
    pub(super) heads: &'static [Head],
    pub(super) rows: Vec<Vec<String>>,
}

/// A column.
pub(super) enum Head {
    Words(&'static str),
    Number(&'static str),
}

impl Head {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Words(name) | Self::Number(name) => name,
        }
    }

    pub(super) const fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }
}

impl Section {
    /// Its charts, in order.
    pub(super) fn charts(&self) -> impl Iterator<Item = &Chart> {
        self.parts.iter().filter_map(|part| match part {
            Part::Chart(chart) => Some(chart),
            _ => None,
        })
    }
}

/// A ratio with its interval, as in `0.97 (0.96 to 0.98)`.
fn with_interval(estimate: &Estimate) -> String {
    let point = ratio(estimate);
    match ratio_interval(estimate) {
        Some(interval) => format!("{point} ({interval})"),
        None => point,
    }
}

/// Several sentences as one paragraph's.
fn joined(sentences: &[String]) -> String {
    sentences.join(" ")
}
