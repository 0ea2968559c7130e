//! From verdicts to files.

mod csv;
mod headline;
mod html;
mod markdown;
mod order;
mod provenance;
mod sections;
mod summary;

use std::{
    fs::{self, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use schema::Verdicts;

use self::sections::Section;
pub use self::summary::summary;
pub(crate) use self::{
    headline::{badge, chance_note, in_sentences},
    markdown::{escaped, figure},
    summary::aligned,
};
use crate::{
    Run,
    charts::{Chart, Panel, charts},
    groups::{Group, groups},
    measurements::Measurements,
};

/// The page of all that `cargo bench` found, beside the report.
pub const PRIMITIVES_PAGE: &str = "primitives.html";

/// The files that [`write_pages`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The report, one file that loads nothing.
    pub html: PathBuf,
    /// The same facts in Markdown.
    pub markdown: PathBuf,
    /// The estimates as a table for other programs.
    pub csv: PathBuf,
    /// The verdicts as the judge gave them.
    pub verdicts: PathBuf,
    /// Charts as files of their own, on white.
    pub charts: Vec<PathBuf>,
}

/// Why a page could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be written ({source}); check that the folder is there, is yours and has room", file.display())]
pub struct WriteError {
    /// Which file.
    pub file: PathBuf,
    /// The kernel's reason.
    pub source: io::Error,
}

/// A group with what its pages show.
pub(crate) struct GroupPages<'a> {
    pub(crate) group: Group<'a>,
    pub(crate) panel: Panel<'a>,
    pub(crate) charts: Vec<Chart>,
}

impl GroupPages<'_> {
    fn file_name(&self, chart: &Chart) -> String {
        format!("{}-{}.svg", self.group.name, chart.name)
    }

    /// Why latency and memory are not shown, where they are not.
    fn no_latency(&self) -> Option<&'static str> {
        (!self.group.shows_latency()).then_some(
            "Latency is not shown: on emulated cores, a worker that has used up its share waits for the next period, so it would be the quota's. Nor is memory: servers that run at the same time share the pages of their program.",
        )
    }
}

/// Writes the pages of a run into a folder: `verdicts.json`, `report.html`, `report.md`,
/// `estimates.csv` and `charts/*.svg`.
///
/// Each file is whole or as it was before: it is written beside its place and then moved. The
/// same run and verdicts give the same bytes.
///
/// # Errors
/// Where a file cannot be written.
pub fn write_pages(run: &Run, verdicts: &Verdicts, folder: &Path) -> Result<Written, WriteError> {
    let mut groups = group_panels(run, verdicts);
    for group in &mut groups {
        group.charts = charts(&group.panel);
    }
    let alone = sections::standing_alone(run, verdicts);
    let drawings = folder.join("charts");
    fs::create_dir_all(&drawings).map_err(|source| WriteError {
        file: drawings.clone(),
        source,
    })?;
    let written = Written {
        html: folder.join("report.html"),
        markdown: folder.join("report.md"),
        csv: folder.join("estimates.csv"),
        verdicts: folder.join("verdicts.json"),
        charts: groups
            .iter()
            .flat_map(|group| group.charts.iter().map(|chart| group.file_name(chart)))
            .chain(alone.iter().flat_map(Section::charts).map(Chart::file_name))
            .map(|name| drawings.join(name))
            .collect(),
    };
    write(&written.verdicts, &json(verdicts, &written.verdicts)?)?;
    write(&written.csv, &csv::table(run, verdicts))?;
    let documents = groups.iter().flat_map(|group| &group.charts);
    let documents = documents.chain(alone.iter().flat_map(Section::charts));
    for (file, chart) in written.charts.iter().zip(documents) {
        write(file, &chart.document)?;
    }
    write(
        &written.markdown,
        &markdown::page(run, verdicts, &groups, &alone),
    )?;
    // Last, so that who sees the report finds the rest beside it.
    write(&written.html, &html::page(run, verdicts, &groups, &alone))?;
    Ok(written)
}

/// The groups of a run, their charts not yet drawn.
fn group_panels<'a>(run: &'a Run, verdicts: &'a Verdicts) -> Vec<GroupPages<'a>> {
    let measurements = Measurements::of(run);
    groups(&run.plan)
        .into_iter()
        .map(|group| GroupPages {
            panel: Panel::new(&measurements, verdicts, &group),
            group,
            charts: Vec::new(),
        })
        .collect()
}

fn json(verdicts: &Verdicts, file: &Path) -> Result<String, WriteError> {
    serde_json::to_string_pretty(verdicts)
        .map(|text| text + "\n")
        .map_err(|error| WriteError {
            file: file.to_owned(),
            source: error.into(),
        })
}

fn write(file: &Path, text: &str) -> Result<(), WriteError> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let whole = || -> io::Result<()> {
        // Readable as any other file: the process's mask still applies.
        let mut beside = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)?;
        beside.write_all(text.as_bytes())?;
        beside.as_file().sync_all()?;
        beside.persist(file)?;
        Ok(())
    };
    whole().map_err(|source| WriteError {
        file: file.to_owned(),
        source,
    })
}
