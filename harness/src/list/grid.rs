//! The model grid as a table: a row for each style and accept policy, processes beside threads.

use std::fmt;

use schema::{Accept, GRID, Model, Place, Style, Worker};
use serde::Serialize;

use crate::contenders::own;

/// The whole grid.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Grid(Vec<Cell>);

/// A cell of it.
#[derive(Serialize)]
struct Cell {
    model: String,
    worker: Worker,
    style: Style,
    accept: Accept,
    /// The server that stands for it; absent where there can be none.
    server: Option<String>,
    /// Programs that are built like this.
    known_from: Option<&'static str>,
    /// Its number among Stevens' designs.
    stevens: Option<u8>,
    /// Why it cannot be.
    refused: Option<&'static str>,
}

impl Grid {
    pub(super) fn new() -> Self {
        Self(GRID.iter().map(Cell::of).collect())
    }

    /// Each reason once, in the order of the grid.
    fn reasons(&self) -> Vec<&'static str> {
        let mut reasons = Vec::new();
        for reason in self.0.iter().filter_map(|cell| cell.refused) {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        reasons
    }
}

impl Cell {
    fn of(place: &Place) -> Self {
        let Model {
            worker,
            style,
            accept,
        } = place.model;
        let known = place.standing.ok();
        Self {
            model: place.model.to_string(),
            worker,
            style,
            accept,
            server: known.map(|_| own::name_of(place.model)),
            known_from: known
                .map(|known| known.from)
                .filter(|from| !from.is_empty()),
            stevens: known.and_then(|known| known.stevens),
            refused: place.standing.err(),
        }
    }

    fn text(&self, reasons: &[&str]) -> String {
        if let Some(reason) = self.refused {
            let number = reasons.iter().position(|one| *one == reason).unwrap_or(0) + 1;
            return format!("refused [{number}]");
        }
        let stevens = self.stevens.map(|number| format!("Stevens {number}"));
        match (self.known_from, stevens) {
            (Some(from), Some(stevens)) => format!("{from}; {stevens}"),
            (Some(from), None) => from.to_owned(),
            (None, Some(stevens)) => stevens,
            (None, None) => "legal".to_owned(),
        }
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons = self.reasons();
        let rows: Vec<[String; 3]> = self
            .0
            .iter()
            .filter(|cell| cell.worker == Worker::Process)
            .map(|process| {
                let thread = self.0.iter().find(|cell| {
                    (cell.worker, cell.style, cell.accept)
                        == (Worker::Thread, process.style, process.accept)
                });
                [
                    format!("{} {}", process.style, process.accept),
                    process.text(&reasons),
                    thread
                        .map(|thread| thread.text(&reasons))
                        .unwrap_or_default(),
                ]
            })
            .collect();
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let (first, second) = (width(0), width(1));
        write!(f, "  {:first$}  {:second$}  thread", "", "process")?;
        for [row, process, thread] in &rows {
            write!(f, "\n  {row:first$}  {process:second$}  {thread}")?;
        }
        for (index, reason) in reasons.iter().enumerate() {
            write!(f, "\n  [{}] {reason}", index + 1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_style_and_a_policy_and_says_whom_people_know_by_it() {
        let text = Grid::new().to_string();
        let row = |begin: &str| {
            let found = text
                .lines()
                .find(|line| line.trim_start().starts_with(begin));
            found.unwrap_or_else(|| panic!("no row '{begin}' in:\n{text}"))
        };
        assert_eq!(
            text.lines()
                .filter(|line| line.contains("evented "))
                .count(),
            7
        );
        assert!(row("blocking mutex").contains("Mutex pthread; Stevens 4"));
        assert!(row("blocking mutex").ends_with("  Stevens 7"));
        assert!(row("evented handoff").contains("Node's cluster  "));
        assert!(row("evented file-lock").ends_with("  legal"));
        assert!(row("evented stealing").contains("refused [1]"));
        for reason in GRID.iter().filter_map(|place| place.standing.err()) {
            assert_eq!(text.matches(reason).count(), 1, "{reason}");
        }
    }
}
