//! Programs of this machine that guests need: where they are, and which version.
//!
//! A program is looked for in the folders of PATH, and where one of them is a `bin`, in the `sbin` beside it
//! too: Debian puts servers there and leaves it out of the PATH of normal users. What is found is run once,
//! behind a guard, to say its version; one that cannot do so within [`ANSWER_TIMEOUT`] is as good as absent.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use schema::Program;

use super::Absent;
use crate::guarded;

/// How long a program may take to say its version.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A program to look for.
pub struct Sought {
    /// What it is called.
    pub program: &'static str,
    /// What makes it say its version.
    pub question: &'static [&'static str],
    /// The Debian package that brings it.
    pub package: &'static str,
    /// The version in what it then says.
    pub version: fn(&str) -> Option<&str>,
}

/// A program that runs.
#[derive(Clone, Debug)]
pub struct Installed {
    /// Where it is.
    pub path: PathBuf,
    /// What it says of itself.
    pub version: String,
}

impl Sought {
    /// Looks for it, and asks it.
    ///
    /// # Errors
    /// [`Absent`] where it is nowhere or does not run.
    pub fn look(&self) -> Result<Installed, Absent> {
        let program = self.program;
        let absent = |reason: String| Absent {
            reason,
            cure: format!("install it with: apt-get install {}", self.package),
        };
        let Some(path) = on_path(program).or_else(|| beside_path(program)) else {
            return Err(absent(format!("{program} not found")));
        };
        let question = self.question.iter().map(Into::into);
        let words: Vec<_> = [path.clone().into_os_string()]
            .into_iter()
            .chain(question)
            .collect();
        let output = match guarded::output_within(guarded::command(&[], &words), ANSWER_TIMEOUT) {
            Ok(Some(output)) => output,
            Ok(None) => {
                return Err(Absent {
                    reason: format!(
                        "{program} did not say its version within {}",
                        humantime::format_duration(ANSWER_TIMEOUT)
                    ),
                    cure: format!(
                        "see what holds up: {} {}",
                        path.display(),
                        self.hand_asked()
                    ),
                });
            }
            Err(error) => return Err(absent(format!("{program} cannot be asked ({error:#})"))),
        };
        // Some say it on stdout, some on stderr.
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        match (self.version)(&said) {
            Some(version) => Ok(Installed {
                version: version.to_owned(),
                path,
            }),
            None => Err(absent(format!(
                "{program} does not run ({})",
                output.status
            ))),
        }
    }

    /// The question as a shell takes it.
    fn hand_asked(&self) -> String {
        shlex::try_join(self.question.iter().copied()).unwrap_or_default()
    }

    /// For the report.
    pub fn told(&self, found: &Result<Installed, Absent>) -> Program {
        Program {
            name: self.program.to_owned(),
            version: found.as_ref().ok().map(|found| found.version.clone()),
        }
    }
}

/// A program, at its path or in a folder of PATH, where whoever starts it by name finds it too.
pub fn on_path(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(program.into()).filter(|path: &PathBuf| is_program(path));
    }
    among(folders_of_path(), program)
}

fn beside_path(program: &str) -> Option<PathBuf> {
    let mut folders = folders_of_path();
    folders.retain(|folder| folder.ends_with("bin"));
    let beside = folders
        .into_iter()
        .map(|folder| folder.with_file_name("sbin"));
    among(beside.collect(), program)
}

fn folders_of_path() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).collect()
}

fn among(folders: Vec<PathBuf>, program: &str) -> Option<PathBuf> {
    folders
        .into_iter()
        .map(|folder| folder.join(program))
        .find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
