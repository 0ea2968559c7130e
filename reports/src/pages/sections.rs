//! What is told in words and tables, whatever the page: speed-ups, fidelity, calibration,
//! experiments. The pages only set it.

mod calibration;
mod experiments;
mod fidelity;
mod scaling;

pub(super) use self::{
    calibration::calibration,
    experiments::experiments,
    fidelity::fidelity,
    scaling::{curves, scaling},
};

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

/// Several sentences as one paragraph's.
fn joined(sentences: &[String]) -> String {
    sentences.join(" ")
}
