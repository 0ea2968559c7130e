//! From a run folder to its pages; measuring is over, or was another day.

use std::path::Path;

use crate::{
    exit::{Exit, UsageError},
    say,
};

/// `counters report DIR`.
pub fn rebuild(dir: &Path) -> anyhow::Result<Exit> {
    Ok(if write(dir)? {
        Exit::Fine
    } else {
        Exit::Invalid
    })
}

/// Judges the run, writes its pages, prints the summary and the report's path. Returns whether the
/// run is valid.
pub fn write(dir: &Path) -> anyhow::Result<bool> {
    let run = reports::read_folder(dir).map_err(|error| UsageError(error.to_string()))?;
    let verdicts = reports::judge(&run);
    let written = reports::write_pages(&run, &verdicts, dir)?;
    say::result(reports::summary(&run, &verdicts))?;
    say::result(written.html.display())?;
    Ok(verdicts.valid)
}
