//! Why a folder cannot be read as a run.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use schema::SCHEMA_VERSION;

/// Why a folder cannot be read as a run.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file is missing.
    #[error("{}: not there; name a folder that 'counters run' wrote", file.display())]
    Missing {
        /// Which.
        file: PathBuf,
    },
    /// A file cannot be read.
    #[error("{}: cannot be read ({source}); check that it is a file and that you may read it", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
    /// A file that Ten Counters did not write.
    #[error(
        "{place}: has no schema_version, so Ten Counters did not write it; name a folder that 'counters run' wrote"
    )]
    Foreign {
        /// File, and line where there are lines.
        place: Place,
    },
    /// A file of another version of Ten Counters.
    #[error(
        "{place}: has schema version {found} and this program reads {SCHEMA_VERSION}; use the version of Ten Counters that wrote it, or measure again"
    )]
    Version {
        /// File, and line where there are lines.
        place: Place,
        /// The version it names.
        found: u64,
    },
    /// A file that is damaged.
    #[error("{place}: is damaged ({reason}); restore the file, or measure again")]
    Damaged {
        /// File, and line where there are lines.
        place: Place,
        /// What does not fit.
        reason: String,
    },
    /// Files that are not of one run.
    #[error("{place}: does not fit plan.json ({reason}); keep the files of one run together")]
    Mixed {
        /// File, and line where there are lines.
        place: Place,
        /// What does not fit.
        reason: String,
    },
}

/// A file, or one line of it, written `file` or `file:line`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; absent where the file is one value.
    pub line: Option<usize>,
}

impl Place {
    pub(super) fn whole(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
        }
    }

    pub(super) fn line(file: &Path, line: usize) -> Self {
        Self {
            file: file.to_owned(),
            line: Some(line),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}
