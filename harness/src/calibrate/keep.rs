//! Where a calibration is kept between runs: `ten-counters/calibration.json` in the user's state
//! folder (`XDG_STATE_HOME`, or `~/.local/state`).

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use schema::{Calibration, Machine, SCHEMA_VERSION};

use crate::{exit::usage, store};

/// Its name, there and in run folders.
pub const FILE: &str = "calibration.json";

fn place() -> Option<PathBuf> {
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    Some(state?.join("ten-counters").join(FILE))
}

/// Keeps a calibration for later runs. Returns where.
pub fn keep(calibration: &Calibration) -> anyhow::Result<PathBuf> {
    let file = place().ok_or_else(|| {
        usage("neither XDG_STATE_HOME nor HOME names a folder to keep the calibration in; set one")
    })?;
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    store::write_whole(&file, calibration)?;
    Ok(file)
}

/// The kept calibration, if it was made on this machine by this version; else why not, where there is
/// one at all.
pub fn kept(machine: &Machine) -> Result<Option<Calibration>, String> {
    match place() {
        Some(file) => read(&file, machine),
        None => Ok(None),
    }
}

fn read(file: &Path, machine: &Machine) -> Result<Option<Calibration>, String> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", file.display())),
    };
    let again = "measure anew with counters calibrate";
    let value: serde_json::Value = serde_json::from_slice(&text)
        .map_err(|error| format!("{} is damaged ({error}); {again}", file.display()))?;
    if value["schema_version"] != SCHEMA_VERSION {
        return Err(format!(
            "{} is of another version of Ten Counters; {again}",
            file.display()
        ));
    }
    let calibration: Calibration = serde_json::from_value(value)
        .map_err(|error| format!("{} is damaged ({error}); {again}", file.display()))?;
    if is_same(&calibration.machine, machine) {
        Ok(Some(calibration))
    } else {
        Err(format!(
            "{} was made on another machine or kernel; {again}",
            file.display()
        ))
    }
}

/// What an instrument's error depends on.
fn is_same(then: &Machine, now: &Machine) -> bool {
    let of = |machine: &Machine| {
        (
            machine.cpu_model.clone(),
            machine.cpus_allowed.clone(),
            machine.memory_bytes,
            machine.kernel.clone(),
            machine.build.profile.clone(),
        )
    };
    of(then) == of(now)
}
