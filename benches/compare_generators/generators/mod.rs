//! The load generators, one small file each: how to ask for a load, how to read what was said.
//!
//! A generator's own words are trusted for what it completed, and it is asked whether all of that
//! went well: answers other than 2xx, socket errors and timeouts make a measurement fail.

mod ab;
mod h2load;
mod hey;
mod oha;
mod ours;
mod text;
mod wrk;

use std::{
    env,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::ensure;
use serde::Serialize;

use crate::offered::{Load, Task};

/// The name of this project's own.
pub const OURS: &str = ours::OURS.name;

const ALL: [Generator; 6] = [
    ours::OURS,
    wrk::WRK,
    h2load::H2LOAD,
    hey::HEY,
    ab::AB,
    oha::OHA,
];

/// A load generator, known.
#[derive(Clone, Copy, Debug)]
pub struct Generator {
    /// In tables; a peer's is its program's name too.
    pub name: &'static str,
    program: &'static str,
    /// How to get it.
    cure: &'static str,
    /// Prints its version.
    version: &'static [&'static str],
    /// Exit codes besides 0 after which what it said still holds.
    pub tolerated_exit: Option<i32>,
    /// Whether it can keep to a rate that the server has no part in.
    open_loop: bool,
    /// The words that ask for a load.
    pub arguments: fn(&Task) -> Vec<String>,
    /// What it says it did.
    pub read: fn(&Task, &str) -> anyhow::Result<Reading>,
    /// What to know before quoting its figures.
    pub note: Option<&'static str>,
}

/// What a generator says it did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Requests answered well.
    pub completed: u64,
    /// Those per second of the time it measured.
    pub per_s: f64,
    /// From when requests were due, in an open loop, to the last byte of their answers.
    pub response: Option<Quantiles>,
    /// How late requests were sent, 99th percentile.
    pub lateness_p99_ns: Option<f64>,
    /// Its own doubts.
    pub doubts: Vec<Doubt>,
}

/// Quantiles of response time.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::struct_field_names, reason = "units stand in names")]
pub struct Quantiles {
    /// Median.
    pub p50_ns: f64,
    /// 99th percentile.
    pub p99_ns: f64,
    /// 99.9th percentile.
    pub p999_ns: f64,
}

/// A check of its own measurement that a generator failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Doubt {
    /// The check.
    pub check: String,
    /// What it found.
    pub sentence: String,
}

/// A load generator, looked for.
#[derive(Debug)]
pub struct Found {
    /// Which.
    pub generator: Generator,
    /// Its program, or why there is none.
    pub path: Result<PathBuf, String>,
    /// As it tells it.
    pub version: Option<String>,
}

impl Generator {
    /// Whether it has a way to make this load.
    pub fn makes(&self, load: Load) -> bool {
        load == Load::Closed || self.open_loop
    }
}

impl Found {
    /// Why it is left out and what to do about it, where it is.
    pub fn absence(&self) -> Option<String> {
        let reason = self.path.as_ref().err()?;
        Some(format!("{}: {reason}", self.generator.name))
    }
}

/// Looks for this project's own generator in `folder` and for its peers on PATH: those named, or
/// all where none is.
pub fn find(folder: &Path, only: &[String]) -> anyhow::Result<Vec<Found>> {
    let peers: Vec<&str> = ALL[1..].iter().map(|peer| peer.name).collect();
    for name in only {
        ensure!(
            peers.contains(&name.as_str()),
            "{name:?} is no peer that is known here; choose from {}",
            peers.join(", ")
        );
    }
    let wanted = ALL.iter().filter(|generator| {
        generator.name == OURS || only.is_empty() || only.iter().any(|name| name == generator.name)
    });
    Ok(wanted
        .map(|generator| look_for(generator, folder))
        .collect())
}

fn look_for(generator: &Generator, folder: &Path) -> Found {
    let search = if generator.name == OURS {
        folder.as_os_str().to_owned()
    } else {
        env::var_os("PATH").unwrap_or_default()
    };
    let path = env::split_paths(&search)
        .map(|folder| folder.join(generator.program))
        .find(|path| is_program(path));
    Found {
        generator: *generator,
        version: path.as_deref().and_then(|path| version(generator, path)),
        path: path.ok_or_else(|| format!("not found; {}", generator.cure)),
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// The first line that the version's command says, wherever it says it.
fn version(generator: &Generator, path: &Path) -> Option<String> {
    let mut command = match generator.version {
        // Not every program tells its own.
        ["dpkg-query", arguments @ ..] => {
            let mut command = Command::new("dpkg-query");
            command.args(arguments);
            command
        }
        arguments => {
            let mut command = Command::new(path);
            command.args(arguments);
            command
        }
    };
    let output = command.output().ok()?;
    let said = [output.stdout, output.stderr].concat();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    String::from_utf8_lossy(&said)
        .lines()
        .map(words)
        .find(|line| !line.is_empty())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::offered::tests::task;

    /// All generators, as if each were there.
    pub(crate) fn all_found() -> Vec<Found> {
        ALL.map(|generator| Found {
            generator,
            path: Ok(PathBuf::from(generator.program)),
            version: None,
        })
        .into()
    }

    pub(crate) fn named(name: &str) -> Generator {
        let named = ALL.into_iter().find(|generator| generator.name == name);
        named.unwrap_or_else(|| panic!("{name} is unknown"))
    }

    #[test]
    fn every_generator_is_asked_for_a_closed_loop_on_the_same_url() {
        let task = task(Load::Closed);
        for generator in ALL {
            let arguments = (generator.arguments)(&task);
            assert!(arguments.contains(&task.url), "{arguments:?}");
            assert!(arguments.contains(&"64".to_owned()), "{arguments:?}");
        }
    }

    #[test]
    fn what_is_no_output_of_a_generator_is_refused_by_each() {
        for generator in ALL {
            for load in [Load::Closed, Load::Open { rate_per_s: 1000 }] {
                for odd in ["", "Segmentation fault", "{}", "Requests/sec: NaN"] {
                    let reading = (generator.read)(&task(load), odd);
                    assert!(reading.is_err(), "{} read {odd:?}", generator.name);
                }
            }
        }
    }

    #[test]
    fn an_absent_generator_is_told_with_its_cure() {
        let found = look_for(&ALL[0], Path::new("/nowhere"));
        let absence = found.absence().unwrap();
        assert!(absence.contains("cargo build"), "{absence}");
    }

    #[test]
    fn an_unknown_peer_is_refused_with_those_that_are_known() {
        let refusal = find(Path::new("/"), &["siege".to_owned()]).unwrap_err();
        assert!(refusal.to_string().contains("h2load"), "{refusal}");
    }
}
