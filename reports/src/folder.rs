//! Reading a run folder: `plan.json`, `machine.json`, `observations.jsonl`.
//!
//! A run that was ended while it wrote keeps what it had: a last line that was cut off is left
//! out and remembered ([`Run::cut_off`]). Anything else that is not as written is refused, and
//! every refusal is one line: which file, what is wrong, what to do.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use schema::{Machine, Observation, Outcome, Plan, SCHEMA_VERSION};
use serde::{Deserialize, de::DeserializeOwned};

/// Everything a run left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What was to be measured.
    pub plan: Plan,
    /// Where and with what.
    pub machine: Machine,
    /// What came of it, in the order of measurement.
    pub observations: Vec<Observation>,
    /// The last observation was cut off in the middle: the run was ended while writing it.
    pub cut_off: bool,
}

/// Why a folder cannot be read as a run.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file is missing.
    #[error("{}: not there; name a folder that 'counters run' wrote", file.display())]
    Missing {
        /// Which.
        file: PathBuf,
    },
    /// A file cannot be read.
    #[error("{}: cannot be read ({source}); check that it is a file and that you may read it", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
    /// A file that Ten Counters did not write.
    #[error(
        "{place}: has no schema_version, so Ten Counters did not write it; name a folder that 'counters run' wrote"
    )]
    Foreign {
        /// File, and line where there are lines.
        place: Place,
    },
    /// A file of another version of Ten Counters.
    #[error(
        "{place}: has schema version {found} and this program reads {SCHEMA_VERSION}; use the version of Ten Counters that wrote it, or measure again"
    )]
    Version {
        /// File, and line where there are lines.
        place: Place,
        /// The version it names.
        found: u64,
    },
    /// A file that is damaged.
    #[error("{place}: is damaged ({reason}); restore the file, or measure again")]
    Damaged {
        /// File, and line where there are lines.
        place: Place,
        /// What does not fit.
        reason: String,
    },
    /// Files that are not of one run.
    #[error("{place}: does not fit plan.json ({reason}); keep the files of one run together")]
    Mixed {
        /// File, and line where there are lines.
        place: Place,
        /// What does not fit.
        reason: String,
    },
}

/// A file, or one line of it, written `file` or `file:line`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; absent where the file is one value.
    pub line: Option<usize>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// Reads a run folder.
///
/// # Errors
/// Where a file is missing, unreadable, foreign, of another version, damaged, or of another run.
/// A missing `observations.jsonl` is a run that was ended before its first trial.
pub fn read_folder(folder: &Path) -> Result<Run, ReadError> {
    let plan: Plan = read_value(&folder.join("plan.json"))?;
    let machine: Machine = read_value(&folder.join("machine.json"))?;
    check_plan(&plan, folder)?;
    let file = folder.join("observations.jsonl");
    let (observations, cut_off) = match read_bytes(&file) {
        Ok(bytes) => read_observations(&bytes, &file, &plan)?,
        Err(ReadError::Missing { .. }) => (Vec::new(), false),
        Err(error) => return Err(error),
    };
    Ok(Run {
        plan,
        machine,
        observations,
        cut_off,
    })
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
    let place = Place {
        file: file.to_owned(),
        line: None,
    };
    parse(&read_bytes(file)?, place)
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

fn read_observations(
    bytes: &[u8],
    file: &Path,
    plan: &Plan,
) -> Result<(Vec<Observation>, bool), ReadError> {
    let cells: BTreeSet<&str> = plan.cells.iter().map(|cell| cell.id.as_str()).collect();
    let mut measured_on = BTreeMap::new();
    let mut observations: Vec<Observation> = Vec::new();
    for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        // Only a line without its end can have been cut off, and what is missing is at its end.
        if !line.ends_with(b"\n") && ends_too_early(line) {
            return Ok((observations, true));
        }
        let place = Place {
            file: file.to_owned(),
            line: Some(index + 1),
        };
        let observation: Observation = parse(line, place.clone())?;
        let mixed = |reason| ReadError::Mixed { place, reason };
        if !cells.contains(observation.cell.as_str()) {
            let reason = format!("the plan has no cell '{}'", observation.cell);
            return Err(mixed(reason));
        }
        let blocks = plan.blocks.len();
        if observation.block as usize >= blocks {
            let reason = format!("it is of block {} of {blocks}", observation.block);
            return Err(mixed(reason));
        }
        // A trial that failed may be made again; one that was measured may not.
        if matches!(observation.outcome, Outcome::Measured(_)) {
            let trial = (observation.cell.clone(), observation.block);
            if let Some(first) = measured_on.insert(trial, index + 1) {
                let (cell, block) = (&observation.cell, observation.block);
                let reason =
                    format!("'{cell}' was measured in block {block} already, on line {first}");
                return Err(mixed(reason));
            }
        }
        observations.push(observation);
    }
    Ok((observations, false))
}

fn ends_too_early(line: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(line).is_err_and(|error| error.is_eof())
}

/// What every later step relies on: ids are unique and blocks name cells that exist.
fn check_plan(plan: &Plan, folder: &Path) -> Result<(), ReadError> {
    let damaged = |reason| {
        Err(ReadError::Damaged {
            place: Place {
                file: folder.join("plan.json"),
                line: None,
            },
            reason,
        })
    };
    let mut seen = BTreeSet::new();
    for cell in &plan.cells {
        if !seen.insert(cell.id.as_str()) {
            return damaged(format!("two cells are called '{}'", cell.id));
        }
    }
    let cells = plan.cells.len();
    match plan.blocks.iter().flatten().find(|&&cell| cell >= cells) {
        Some(cell) => damaged(format!("a block visits cell {cell} of {cells}")),
        None => Ok(()),
    }
}
