//! `counters doctor`: what this machine can measure, and the cure for what it cannot.
//!
//! Each finding is one line: how grave it is, what is so, and where it is not as it should be, what to
//! do. Nothing is changed but slots: one is made and removed to see whether that works, and those that a
//! run which was killed left behind are removed.

mod cpus;
mod noise;
mod programs;

use std::fmt;

use ::cores::{Cgroups, Topology};
use serde::Serialize;

use crate::{binaries::Binaries, cli::DoctorArgs, contenders, exit::Exit, limits, machine, say};

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Grade {
    /// As it should be.
    Fine,
    /// Less can be measured, or less well.
    Limits,
    /// Nothing can be measured.
    Prevents,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    /// What was looked at, in a word or two.
    about: &'static str,
    grade: Grade,
    /// What is so.
    fact: String,
    /// What to do about it.
    cure: Option<String>,
}

impl Finding {
    fn fine(about: &'static str, fact: impl Into<String>) -> Self {
        Self {
            about,
            grade: Grade::Fine,
            fact: fact.into(),
            cure: None,
        }
    }

    fn limits(about: &'static str, fact: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            about,
            grade: Grade::Limits,
            fact: fact.into(),
            cure: Some(cure.into()),
        }
    }

    fn prevents(about: &'static str, fact: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            grade: Grade::Prevents,
            ..Self::limits(about, fact, cure)
        }
    }
}

#[derive(Serialize)]
struct Diagnosis {
    schema_version: u32,
    findings: Vec<Finding>,
}

/// Looks at this machine.
pub fn doctor(args: &DoctorArgs) -> anyhow::Result<Exit> {
    let topology = Topology::read()?;
    let cgroups = Cgroups::here();
    let contenders = contenders::all(&Binaries::locate(args.bin_dir.as_deref())?);
    let open_files = limits::raise_open_files(0)?;
    let machine = machine::describe(&topology, open_files, &contenders)?;
    let mut findings = cpus::look(&machine, &topology, cgroups.as_ref(), args.cores);
    findings.extend(limits_of(open_files));
    findings.extend(noise::look(&topology)?);
    findings.extend(programs::look(&contenders, &machine));
    let prevented = findings.iter().any(|f| f.grade == Grade::Prevents);
    let diagnosis = Diagnosis {
        schema_version: schema::SCHEMA_VERSION,
        findings,
    };
    if args.json {
        say::result(serde_json::to_string_pretty(&diagnosis)?)?;
    } else {
        say::result(diagnosis)?;
    }
    Ok(if prevented { Exit::Failed } else { Exit::Fine })
}

/// Files that a run with ten cores for each of two servers opens here and in the servers, about.
const FILES_WANTED: u64 = 4_096;

fn limits_of(open_files: u64) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.push(if open_files < FILES_WANTED {
        Finding::limits(
            "open files",
            format!("{open_files} may be open at once; every connection is one"),
            format!("allow {FILES_WANTED} with ulimit -Hn {FILES_WANTED} (as root), or ask for fewer --cores"),
        )
    } else {
        Finding::fine("open files", format!("{open_files} may be open at once"))
    });
    findings
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self
            .findings
            .iter()
            .map(|finding| finding.about.len())
            .max();
        let width = widest.unwrap_or(0);
        for (index, finding) in self.findings.iter().enumerate() {
            let newline = if index > 0 { "\n" } else { "" };
            let sign = match finding.grade {
                Grade::Fine => "✓",
                Grade::Limits => "!",
                Grade::Prevents => "✕",
            };
            write!(
                f,
                "{newline}{sign} {:width$}  {}",
                finding.about, finding.fact
            )?;
            if let Some(cure) = &finding.cure {
                write!(f, "\n  {:width$}  → {cure}", "")?;
            }
        }
        Ok(())
    }
}
