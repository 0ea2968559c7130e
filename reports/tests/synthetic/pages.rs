//! Pages of a run, written and read back.

use std::{fs, path::Path};

use reports::Run;

/// Pages of a run, as written.
pub struct Pages {
    pub folder: tempfile::TempDir,
    pub html: String,
    pub markdown: String,
}

impl Pages {
    pub fn of(run: &Run) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let written = reports::write_pages(run, &reports::judge(run), folder.path()).unwrap();
        let read = |file: &Path| fs::read_to_string(file).unwrap();
        Self {
            html: read(&written.html).replace('\u{a0}', " "),
            markdown: read(&written.markdown),
            folder,
        }
    }

    /// A chart's file.
    pub fn chart(&self, name: &str) -> String {
        let file = self
            .folder
            .path()
            .join("charts")
            .join(format!("{name}.svg"));
        fs::read_to_string(file).unwrap()
    }
}
