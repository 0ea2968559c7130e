//! What the figures of all benches say: `primitives.json`, `summary.md` and `summary.html`, in the folder
//! `summary` of criterion's; and the page once more without links, `primitives.html`, for runs that carry it.
//!
//! # Order of events
//! Every bench writes them anew when it has measured ([`after`]), and the program `bench-summary` without
//! measuring: [`read`] finds what criterion left, of this bench and of earlier ones; [`figures`] makes costs
//! and ratios of it; [`tables`] sets threads beside processes as the [`catalogue`] has them, and asks its
//! sentences what they mean; then the pages.
//!
//! # What fails
//! What cannot be read is passed over and told in a line each; the rest is written. A bench never fails for
//! its summary's sake.

pub mod after;
pub mod catalogue;
pub mod drift;
pub mod figures;
mod forest;
mod html;
mod markdown;
mod notes;
pub mod read;
pub mod rows;
mod sentences;
pub mod tables;
#[cfg(test)]
mod tests;
mod words;

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, ensure};

use self::{read::Folder, tables::Summary};
use crate::tools::machine::Machine;

/// Where criterion keeps what a run measured, whatever other names it has.
pub const NEWEST: &str = "new";

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// `summary.html`.
    pub page: PathBuf,
    /// What was passed over, and why: a line each.
    pub passed_over: Vec<String>,
}

/// Write the summary of `baseline` in criterion's folder into `out`, by default its folder `summary`.
///
/// # Errors
/// There are no such figures, or the files cannot be written.
pub fn write(criterion: &Path, baseline: &str, out: Option<&Path>) -> anyhow::Result<Written> {
    ensure!(
        criterion.is_dir(),
        "there is no folder {}; run cargo bench first, or name criterion's folder",
        criterion.display()
    );
    let criterion = &criterion.canonicalize()?;
    let folder = Folder::read(criterion, baseline);
    let passed_over = folder.passed_over.clone();
    ensure!(
        !folder.measured.is_empty(),
        "{} has no figures of the baseline '{baseline}'{}; run cargo bench first",
        criterion.display(),
        passed_over
            .first()
            .map(|line| format!(" ({line})"))
            .unwrap_or_default()
    );
    let summary = Summary::of(folder, Machine::read());
    let out = out.map_or_else(|| criterion.join("summary"), Path::to_owned);
    fs::create_dir_all(&out)
        .with_context(|| format!("cannot make the folder {}", out.display()))?;
    let out = out.canonicalize()?;
    let json = serde_json::to_string_pretty(&summary.primitives)?;
    put(&out, "primitives.json", &json)?;
    put(&out, "summary.md", &markdown::page(&summary))?;
    // For runs, which carry it elsewhere.
    put(&out, "primitives.html", &html::page(&summary, None))?;
    let linked = html::Criterion {
        folder: criterion,
        way: &way(&out, criterion),
    };
    let page = put(&out, "summary.html", &html::page(&summary, Some(linked)))?;
    Ok(Written { page, passed_over })
}

/// Whole or not at all: who reads meanwhile has the one before.
fn put(folder: &Path, name: &str, text: &str) -> anyhow::Result<PathBuf> {
    let path = folder.join(name);
    let unfinished = folder.join(format!("{name}.part"));
    fs::write(&unfinished, text)
        .and_then(|()| fs::rename(&unfinished, &path))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// The link that leads from a page in one folder to another; both are absolute.
fn way(from: &Path, to: &Path) -> String {
    let common = from
        .components()
        .zip(to.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = from.components().skip(common).map(|_| "..".to_owned());
    let down = to
        .components()
        .skip(common)
        .map(|part: Component<'_>| html::in_url(&part.as_os_str().to_string_lossy()));
    let parts: Vec<String> = up.chain(down).collect();
    if parts.is_empty() {
        ".".to_owned()
    } else {
        parts.join("/")
    }
}
