//! Reading a run folder: `plan.json`, `machine.json`, `observations.jsonl`, `stops.jsonl` and,
//! where the instrument was calibrated, `calibration.json`; where `cargo bench` was run, `primitives.json`.
//!
//! A run that was ended while it wrote keeps what it had: a last line that was cut off is left
//! out and remembered ([`Run::cut_off`]). Anything else that is not as written is refused, and
//! every refusal is one line: which file, what is wrong, what to do.

mod consistency;
mod refusal;

use std::{fs, io, path::Path};

use schema::{Calibration, Machine, Observation, Plan, Primitives, SCHEMA_VERSION, Stop};
use serde::{Deserialize, de::DeserializeOwned};

pub use self::refusal::{Place, ReadError};
use crate::pages::PRIMITIVES_PAGE;

/// Everything a run left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What was to be measured.
    pub plan: Plan,
    /// Where and with what.
    pub machine: Machine,
    /// What came of it, in the order of measurement.
    pub observations: Vec<Observation>,
    /// Why experiments ended, in the order in which they did.
    pub stops: Vec<Stop>,
    /// The instrument's own error, where it was measured.
    pub calibration: Option<Calibration>,
    /// What each step costs by itself, where it was measured.
    pub primitives: Option<Primitives>,
    /// Whether the page of them all lies in the folder.
    pub primitives_page: bool,
    /// The last observation was cut off in the middle: the run was ended while writing it.
    pub cut_off: bool,
}

/// Reads a run folder.
///
/// # Errors
/// Where a file is missing, unreadable, foreign, of another version, damaged, or of another run.
/// A missing `observations.jsonl` is a run that was ended before its first trial, a missing
/// `stops.jsonl` one that was ended before its first experiment was done, and a missing
/// `calibration.json` an instrument that was not calibrated.
pub fn read_folder(folder: &Path) -> Result<Run, ReadError> {
    let file = folder.join("plan.json");
    let plan: Plan = read_value(&file)?;
    consistency::check_plan(&plan, &file)?;
    let machine: Machine = read_value(&folder.join("machine.json"))?;

    let file = folder.join("observations.jsonl");
    let (observations, cut_off) = read_lines(&file)?;
    consistency::check_observations(&observations, &plan, &file)?;

    let file = folder.join("stops.jsonl");
    let (stops, _) = read_lines(&file)?;
    consistency::check_stops(&stops, &plan, &file)?;

    Ok(Run {
        plan,
        machine,
        observations: of_lines(observations),
        stops: of_lines(stops),
        calibration: if_there(read_value(&folder.join("calibration.json")))?,
        primitives_page: folder.join(PRIMITIVES_PAGE).is_file(),
        primitives: if_there(read_value(&folder.join("primitives.json")))?,
        cut_off,
    })
}

/// What stands on a line, with the line's number from 1.
type Line<T> = (usize, T);

fn of_lines<T>(lines: Vec<Line<T>>) -> Vec<T> {
    lines.into_iter().map(|(_, value)| value).collect()
}

fn if_there<T>(read: Result<T, ReadError>) -> Result<Option<T>, ReadError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(ReadError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_bytes(file: &Path) -> Result<Vec<u8>, ReadError> {
    fs::read(file).map_err(|source| {
        let file = file.to_owned();
        if source.kind() == io::ErrorKind::NotFound {
            ReadError::Missing { file }
        } else {
            ReadError::Unreadable { file, source }
        }
    })
}

fn read_value<T: DeserializeOwned>(file: &Path) -> Result<T, ReadError> {
    parse(&read_bytes(file)?, Place::whole(file))
}

/// What is read first: without a known version nothing else may be believed.
#[derive(Deserialize)]
struct Versioned {
    schema_version: Option<u64>,
}

fn parse<T: DeserializeOwned>(bytes: &[u8], place: Place) -> Result<T, ReadError> {
    let damaged = |error: serde_json::Error| ReadError::Damaged {
        place: place.clone(),
        reason: error.to_string(),
    };
    let versioned: Versioned = serde_json::from_slice(bytes).map_err(damaged)?;
    match versioned.schema_version {
        None => Err(ReadError::Foreign { place }),
        Some(found) if found != u64::from(SCHEMA_VERSION) => {
            Err(ReadError::Version { place, found })
        }
        Some(_) => serde_json::from_slice(bytes).map_err(damaged),
    }
}

/// One value a line; true where the last one was cut off. A missing file has none.
fn read_lines<T: DeserializeOwned>(file: &Path) -> Result<(Vec<Line<T>>, bool), ReadError> {
    let bytes = if_there(read_bytes(file))?.unwrap_or_default();
    let mut values = Vec::new();
    for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        // Only a line without its end can have been cut off, and what is missing is at its end.
        if !line.ends_with(b"\n") && ends_too_early(line) {
            return Ok((values, true));
        }
        values.push((index + 1, parse(line, Place::line(file, index + 1))?));
    }
    Ok((values, false))
}

fn ends_too_early(line: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(line).is_err_and(|error| error.is_eof())
}
