//! `counters compare A B`: is B worse than A?
//!
//! Two run folders are read and compared cell by cell; two command lines are measured in turns
//! ([`turns`]). Either way the judging is that of `reports`, and what comes of it is told the same way:
//! a table or JSON on stdout, what fails the gate on stderr.
//!
//! Exit codes, the first that holds: 130 interrupted, 3 a rule of measurement is broken (a trial
//! failed, an answer was wrong), 1 the gate failed, 0.

mod args;
mod turns;

use std::{fs, path::Path};

use reports::{compare_markdown, compare_runs, compare_text};
use schema::CompareReport;

pub use self::args::CompareArgs;
use crate::{
    exit::{Exit, UsageError, usage},
    say,
};

/// What A or B is.
enum Subject<'a> {
    Folder(&'a Path),
    Words(Vec<String>),
}

/// Compares, tells, and holds B against the gate.
pub fn compare(args: &CompareArgs) -> anyhow::Result<Exit> {
    match (subject("A", &args.a)?, subject("B", &args.b)?) {
        (Subject::Folder(a), Subject::Folder(b)) => folders(args, a, b),
        (Subject::Words(a), Subject::Words(b)) => turns::compare(args, a, b),
        (Subject::Folder(_), Subject::Words(_)) => Err(unlike(args, "A", "B")),
        (Subject::Words(_), Subject::Folder(_)) => Err(unlike(args, "B", "A")),
    }
}

fn unlike(args: &CompareArgs, folder: &str, other: &str) -> anyhow::Error {
    let of = |name| if name == "A" { &args.a } else { &args.b };
    usage(format!(
        "{folder} is a folder ('{}') and {other} is none ('{}'); name two run folders, or two command lines",
        of(folder),
        of(other)
    ))
}

fn subject<'a>(name: &str, text: &'a str) -> anyhow::Result<Subject<'a>> {
    if Path::new(text).is_dir() {
        return Ok(Subject::Folder(Path::new(text)));
    }
    match shlex::split(text) {
        Some(words) if words.is_empty() => Err(usage(format!(
            "{name} is empty; name a run folder, or a command line that starts a server"
        ))),
        Some(words) => Ok(Subject::Words(words)),
        None => Err(usage(format!(
            "{name} is a command line whose quotes do not close ('{text}'); write it as for a shell"
        ))),
    }
}

fn folders(args: &CompareArgs, a: &Path, b: &Path) -> anyhow::Result<Exit> {
    if args.load.out.is_some() {
        return Err(usage(
            "--out keeps what is measured, and two run folders are not measured; leave it out",
        ));
    }
    let read =
        |dir: &Path| reports::read_folder(dir).map_err(|error| UsageError(error.to_string()));
    let (run_a, run_b) = (read(a)?, read(b)?);
    let report = compare_runs((&args.a, &run_a), (&args.b, &run_b));
    if report.valid && report.compared.is_empty() {
        let why = match report.only_in_a.first().zip(report.only_in_b.first()) {
            Some((a, b)) => format!("A measured {a} and others, B {b} and others"),
            None => "those of the same name were measured in different ways".to_owned(),
        };
        return Err(usage(format!(
            "no cell of A can be compared with one of B ({why}); name two runs of the same experiments"
        )));
    }
    Ok(end(&tell(args, report)?))
}

/// Holds B against the gate and prints the comparison.
fn tell(args: &CompareArgs, mut report: CompareReport) -> anyhow::Result<CompareReport> {
    report.gate = args.fail_above.map(|limit| reports::gate(&report, limit));
    if let Some(file) = &args.markdown {
        fs::write(file, compare_markdown(&report)).map_err(|error| {
            usage(format!(
                "cannot write {}: {error}; name another file with --markdown",
                file.display()
            ))
        })?;
    }
    if args.json {
        say::result(serde_json::to_string_pretty(&report)?)?;
    } else {
        say::result(compare_text(&report))?;
    }
    Ok(report)
}

/// How it ended, and why.
fn end(report: &CompareReport) -> Exit {
    if !report.valid {
        let why = report.caveats.first().map_or("", String::as_str);
        say::trouble(format_args!("the comparison is invalid: {why}"));
        return Exit::Invalid;
    }
    let Some(gate) = &report.gate else {
        return Exit::Fine;
    };
    let limit = gate.limit * 100.0;
    for sentence in &gate.untold {
        say::trouble(format_args!("not held against {limit} %: {sentence}"));
    }
    for sentence in &gate.failed {
        say::trouble(format_args!("worse by more than {limit} %: {sentence}"));
    }
    if gate.passed {
        Exit::Fine
    } else {
        Exit::Failed
    }
}
