//! gunicorn, as most Python web applications are run: an arbiter, and workers forked ahead of time, each of
//! which serves one connection at a time and closes it after the answer.
//!
//! It is found by its own name rather than as a module of `python3`: its script names the interpreter it
//! was installed for, and PATH may know another one. The settings that count lie in a file of ours, so that
//! one in the folder where the harness was started is not read instead.
//!
//! The arbiter forks one worker after another and waits up to a tenth of a second between them, so that the
//! first answers long before the last is there: it is ready once it has forked all.

use std::{fs, path::Path};

use anyhow::Context;
use schema::{Accept, Model, Origin, Program, Style, Worker};

use super::{
    Absent, Contender, ReadyBy, Recipe, Seat, Workers, free_address,
    installed::{Installed, Sought},
};

const APPLICATION: &str = include_str!("../../guests/gunicorn/app.py");
const SETTINGS: &str = include_str!("../../guests/gunicorn/gunicorn.conf.py");

const GUNICORN: Sought = Sought {
    program: "gunicorn",
    question: &["--version"],
    package: "gunicorn",
    version,
};

/// In `gunicorn (version 20.1.0)`.
fn version(said: &str) -> Option<&str> {
    let (version, _) = said.split_once("gunicorn (version ")?.1.split_once(')')?;
    Some(version)
}

/// gunicorn with sync workers.
pub struct GunicornGuest {
    gunicorn: Result<Installed, Absent>,
}

/// The guest, found or not.
pub fn guest() -> GunicornGuest {
    GunicornGuest {
        gunicorn: GUNICORN.look(),
    }
}

impl Contender for GunicornGuest {
    fn name(&self) -> &'static str {
        "gunicorn-sync"
    }

    fn about(&self) -> &'static str {
        "gunicorn with sync workers: forked ahead of time, one connection at a time, none kept"
    }

    fn origin(&self) -> Origin {
        Origin::Guest
    }

    fn model(&self) -> Model {
        Model {
            worker: Worker::Process,
            style: Style::Blocking,
            accept: Accept::Shared,
        }
    }

    fn workers(&self) -> Workers {
        Workers::Any
    }

    fn program(&self) -> Option<Program> {
        Some(GUNICORN.told(&self.gunicorn))
    }

    fn find(&self) -> Result<(), Absent> {
        self.gunicorn.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    fn recipe(&self, workers: u32, scratch: &Path, _seats: &[Seat]) -> anyhow::Result<Recipe> {
        let gunicorn = self
            .gunicorn
            .as_ref()
            .map_err(|absent| anyhow::anyhow!("{absent}"))?;
        let folder = scratch.join(self.name());
        let settings = folder.join("gunicorn.conf.py");
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(folder.join("app.py"), APPLICATION))
            .and_then(|()| fs::write(&settings, SETTINGS))
            .with_context(|| format!("cannot write to {}", folder.display()))?;
        let address = free_address()?;
        Ok(Recipe {
            command: vec![
                gunicorn.path.clone().into_os_string(),
                "--config".into(),
                fs::canonicalize(&settings)?.into_os_string(),
                "--chdir".into(),
                fs::canonicalize(&folder)?.into_os_string(),
                "--bind".into(),
                address.to_string().into(),
                "--workers".into(),
                workers.to_string().into(),
                "app:application".into(),
            ],
            environment: vec![
                // It would be heard before the settings in the file.
                ("GUNICORN_CMD_ARGS".into(), "".into()),
                // The run folder holds what was run, and nothing that came of it.
                ("PYTHONDONTWRITEBYTECODE".into(), "1".into()),
            ],
            ready_by: ReadyBy::Forked { address, workers },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_what_gunicorn_says() {
        assert_eq!(version("gunicorn (version 20.1.0)\n"), Some("20.1.0"));
        assert_eq!(version("No module named gunicorn\n"), None);
    }
}
