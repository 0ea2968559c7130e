//! What `cargo bench` found, carried into run folders: the report explains a run by it.
//!
//! The benches leave it in cargo's target folder, `criterion/summary/primitives.json`, which is beside the
//! folder of the binaries that cargo built.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use schema::{Machine, Primitives, SCHEMA_VERSION};

use crate::{binaries::Binaries, exit::usage, store};

/// Its name, there and in run folders.
const FILE: &str = "primitives.json";

/// Figures that fit a run, and where they lie.
#[derive(Debug)]
pub struct Found {
    primitives: Primitives,
    file: PathBuf,
}

impl Found {
    /// Carry them into a run folder, with the page of them all where there is one.
    pub fn put(&self, dir: &Path) -> anyhow::Result<()> {
        store::write_whole(&dir.join(FILE), &self.primitives)?;
        let page = self.file.with_file_name(reports::PRIMITIVES_PAGE);
        let carried = dir.join(reports::PRIMITIVES_PAGE);
        if page.is_file() {
            fs::copy(&page, &carried).with_context(|| format!("cannot copy {}", page.display()))?;
            return Ok(());
        }
        // One from before would be of other figures.
        match fs::remove_file(&carried) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", carried.display()))
            }
            _ => Ok(()),
        }
    }
}

/// What lies beside the binaries, if it is of this machine and this version; else why not, where there
/// is anything.
pub fn beside(binaries: &Binaries, machine: &Machine) -> Result<Option<Found>, String> {
    let file = binaries.path("../criterion/summary").join(FILE);
    match read(&file, machine) {
        Err(Trouble::Missing(_)) => Ok(None),
        Err(Trouble::Unusable(why)) => Err(why),
        Ok(found) => Ok(Some(found)),
    }
}

/// What the user named, a file or the folder with it.
pub fn named(path: &Path, machine: &Machine) -> anyhow::Result<Found> {
    let file = if path.is_dir() {
        path.join(FILE)
    } else {
        path.to_owned()
    };
    read(&file, machine).map_err(|(Trouble::Missing(why) | Trouble::Unusable(why))| usage(why))
}

/// Carry `named` into a run folder that is there already.
pub fn add(named: &Path, dir: &Path) -> anyhow::Result<()> {
    let run = reports::read_folder(dir).map_err(|error| usage(error.to_string()))?;
    self::named(named, &run.machine)?.put(dir)
}

enum Trouble {
    Missing(String),
    Unusable(String),
}

fn read(file: &Path, machine: &Machine) -> Result<Found, Trouble> {
    let shown = file.display();
    let again = "measure anew with cargo bench";
    let unusable = |why: String| Trouble::Unusable(format!("{shown} {why}; {again}"));
    let text = fs::read(file).map_err(|error| {
        let why = format!("cannot read {shown}: {error}; {again}");
        if error.kind() == io::ErrorKind::NotFound {
            Trouble::Missing(why)
        } else {
            Trouble::Unusable(why)
        }
    })?;
    let damaged = |error| unusable(format!("is damaged ({error})"));
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(damaged)?;
    if value["schema_version"] != SCHEMA_VERSION {
        return Err(unusable("is of another version of Ten Counters".to_owned()));
    }
    let primitives: Primitives = serde_json::from_value(value).map_err(damaged)?;
    let of = (&primitives.cpu_model, &primitives.kernel);
    if of != (&machine.cpu_model, &machine.kernel) {
        return Err(unusable("was made on another machine or kernel".to_owned()));
    }
    Ok(Found {
        primitives,
        file: file.to_owned(),
    })
}
