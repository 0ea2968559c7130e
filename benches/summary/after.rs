//! After a bench: whether it has measured anything, of which baseline, and where criterion put it.
//!
//! Criterion keeps this to itself, so it is read from the same arguments and the same environment.

use std::{env, path::PathBuf, process::Command};

use serde::Deserialize;

use super::{NEWEST, write};

/// What criterion was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Measure, and keep it under this name.
    Measure(String),
    /// Run everything once: `cargo test`, or `--test`.
    Test,
    /// Anything that leaves no figures.
    Nothing,
}

impl Asked {
    /// What the arguments of this program ask for.
    #[must_use]
    pub fn of_this_program() -> Self {
        let arguments: Vec<String> = env::args_os()
            .skip(1)
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect();
        Self::of(&arguments)
    }

    /// What `arguments` ask for.
    #[must_use]
    pub fn of(arguments: &[String]) -> Self {
        let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
        let value = |long: &str, short: Option<char>| value(arguments, long, short);
        if has("--list") || has("--ignored") || has("--help") || has("-h") {
            Self::Nothing
        } else if has("--test") || !has("--bench") {
            Self::Test
        } else if value("--profile-time", None).is_some() || has("--discard-baseline") {
            Self::Nothing
        } else {
            // What was measured is in `new` besides, among what other baselines left there.
            let named =
                value("--load-baseline", None).or_else(|| value("--save-baseline", Some('s')));
            Self::Measure(named.unwrap_or_else(|| NEWEST.to_owned()))
        }
    }
}

/// The value of an option, in any of the ways in which it can be given.
fn value(arguments: &[String], long: &str, short: Option<char>) -> Option<String> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == long {
            return arguments.next().cloned();
        }
        if let Some(value) = argument
            .strip_prefix(long)
            .and_then(|rest| rest.strip_prefix('='))
        {
            return Some(value.to_owned());
        }
        let Some(flags) = argument
            .strip_prefix('-')
            .filter(|rest| !rest.starts_with('-'))
        else {
            continue;
        };
        // -n and -v have no value and may stand before one that has.
        let flags = flags.trim_start_matches(['n', 'v']);
        if let Some(value) = short.and_then(|short| flags.strip_prefix(short)) {
            return match value.strip_prefix('=').unwrap_or(value) {
                "" => arguments.next().cloned(),
                value => Some(value.to_owned()),
            };
        }
    }
    None
}

/// Criterion's folder: `$CRITERION_HOME`, or `criterion` in the folder that cargo builds in.
#[must_use]
pub fn criterion_folder() -> PathBuf {
    if let Some(home) = env::var_os("CRITERION_HOME") {
        return home.into();
    }
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.or_else(of_cargo).unwrap_or_else(|| "target".into());
    target.join("criterion")
}

fn of_cargo() -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let mut cargo = Command::new(env::var_os("CARGO")?);
    let asked = cargo
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .ok()?;
    let metadata: Metadata = serde_json::from_slice(&asked.stdout).ok()?;
    Some(metadata.target_directory)
}

/// Write the summary anew if anything may have been measured, and tell where. What goes wrong is told and
/// goes no further: the bench has done its work.
pub fn bench(asked: &Asked) {
    // cargo-criterion takes the figures itself, and keeps them in a form of its own.
    let Asked::Measure(baseline) = asked else {
        return;
    };
    if env::var_os("CARGO_CRITERION_PORT").is_some() {
        return;
    }
    match write(&criterion_folder(), baseline, None) {
        Ok(written) => {
            for line in &written.passed_over {
                eprintln!("summary: {line}");
            }
            eprintln!("summary: {}", written.page.display());
        }
        Err(error) => eprintln!("summary: not written: {error:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Asked {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Asked::of(&arguments)
    }

    #[test]
    fn only_a_bench_that_measures_leaves_figures() {
        for line in ["", "--nocapture", "--test --bench", "pipe"] {
            assert_eq!(asked(line), Asked::Test, "{line}");
        }
        for line in [
            "--list --bench",
            "--list --format terse",
            "--profile-time 1 --bench",
            "--profile-time=1 --bench",
            "--discard-baseline --bench",
            "--ignored --bench",
        ] {
            assert_eq!(asked(line), Asked::Nothing, "{line}");
        }
        for line in [
            "--bench",
            "pipe --quick --bench",
            "--baseline old --bench",
            "-b old -n --bench",
        ] {
            assert_eq!(asked(line), Asked::Measure("new".to_owned()), "{line}");
        }
    }

    #[test]
    fn a_named_baseline_is_found_however_it_is_given() {
        for line in [
            "--save-baseline mine --bench",
            "--bench --save-baseline=mine",
            "-s mine --bench",
            "-smine --bench",
            "-ns mine --bench",
            "-s=mine --bench",
            "--load-baseline mine --baseline old --bench",
        ] {
            assert_eq!(asked(line), Asked::Measure("mine".to_owned()), "{line}");
        }
    }
}
