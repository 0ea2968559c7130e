//! From a run folder to its pages; measuring is over, or was another day.

use std::path::Path;

use crate::{
    cli::ReportArgs,
    exit::{Exit, UsageError},
    primitives, say,
};

/// `counters report DIR`.
pub fn rebuild(args: &ReportArgs) -> anyhow::Result<Exit> {
    if let Some(named) = &args.primitives {
        primitives::add(named, &args.dir)?;
    }
    Ok(if write(&args.dir)? {
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
