//! Markdown for a step summary or a comment: the answer, its figures, every cell, and what must be
//! known, folded away.

use std::fmt::Write as _;

use schema::{Cell, Cores, Estimate, Verdicts};

use super::{name, rows};
use crate::{
    Run,
    figures::{duration, mebibytes, rate},
    groups::{counted, experiment},
    pages::{escaped, figure, in_sentences},
};

pub(super) fn export(run: &Run, verdicts: &Verdicts) -> String {
    let (answer, sentences) = in_sentences(run, verdicts);
    let mut text = format!("## Ten Counters: {answer}\n\n");
    if !verdicts.valid {
        text.push_str("**Do not quote this run**: it breaks a rule of measurement.\n\n");
    }
    for sentence in &sentences {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "- {}", escaped(sentence));
    }
    if !sentences.is_empty() {
        text.push('\n');
    }
    text.push_str(&cells(run, verdicts));
    text.push_str(&folded("caveat", &verdicts.caveats, !verdicts.valid));
    let _ = writeln!(
        text,
        "<sub>Preset {}, seed {}; {}, {}, Linux {}; Ten Counters {}. In brackets: 95 % intervals.</sub>",
        run.plan.preset.name(),
        run.plan.seed,
        escaped(&run.machine.cpu_model),
        counted(run.machine.cpus_allowed.len(), "CPU"),
        escaped(&run.machine.kernel),
        escaped(&run.machine.build.version),
    );
    text
}

fn cells(run: &Run, verdicts: &Verdicts) -> String {
    if verdicts.estimates.is_empty() {
        return "Nothing was measured.\n\n".to_owned();
    }
    // What stands alone fills pages of its own, and would drown the rest.
    let listed = |(cell, _): &(&Cell, _)| !experiment::stands_alone(&cell.experiment);
    let mut rows = rows(run, verdicts).filter(listed).peekable();
    if rows.peek().is_none() {
        return String::new();
    }
    let mut table = "| cell | requests/s | CPU/request | p99 | memory (PSS) |\n".to_owned();
    table.push_str("|---|---:|---:|---:|---:|\n");
    for (cell, row) in rows {
        let p99 = (cell.cores != Cores::Emulated).then_some(row.p99_ns);
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} |",
            escaped(&name(cell)),
            figure(&row.throughput_per_s, rate),
            figure(&row.cpu_ns_per_request, duration),
            shown(p99, duration),
            shown(row.pss_bytes, |bytes| format!("{} MiB", mebibytes(bytes))),
        );
    }
    table.push('\n');
    table
}

fn shown(estimate: Option<Estimate>, show: fn(f64) -> String) -> String {
    estimate.map_or_else(|| "–".to_owned(), |estimate| figure(&estimate, show))
}

/// Sentences behind a line that opens them; nothing where there are none.
pub(crate) fn folded(noun: &str, sentences: &[String], open: bool) -> String {
    if sentences.is_empty() {
        return String::new();
    }
    let open = if open { " open" } else { "" };
    let count = counted(sentences.len(), noun);
    let mut text = format!("<details{open}><summary>Before quoting this: {count}</summary>\n\n");
    for sentence in sentences {
        let _ = writeln!(text, "- {}", escaped(sentence));
    }
    // Markdown begins anew only behind an empty line.
    text.push_str("\n</details>\n\n");
    text
}
