//! Writing to a cgroup hierarchy.
//!
//! Behind a trait, because what v2 demands is an order of steps, and most machines that tests run on
//! have no v2 hierarchy with the cpu controller to show it. Reading needs none: files are files.

use std::{
    fmt::Debug,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use super::SlotError;

/// Something that takes changes as a cgroup file system does.
pub(super) trait Tree: Debug + Send + Sync {
    /// Makes a group.
    fn make(&self, dir: &Path) -> Result<(), SlotError> {
        self.mkdir(dir).map_err(|source| SlotError::Make {
            dir: dir.to_owned(),
            source,
        })
    }

    /// Writes to a file that the kernel made, in one write.
    fn write(&self, file: &Path, text: &str) -> Result<(), SlotError> {
        self.put(file, text).map_err(|source| SlotError::Write {
            file: file.to_owned(),
            text: text.to_owned(),
            source,
        })
    }

    /// As mkdir(2).
    fn mkdir(&self, dir: &Path) -> io::Result<()>;

    /// As write(2).
    fn put(&self, file: &Path, text: &str) -> io::Result<()>;

    /// As rmdir(2).
    fn rmdir(&self, dir: &Path) -> io::Result<()>;
}

/// The kernel's own.
#[derive(Debug)]
pub(super) struct Kernel;

impl Tree for Kernel {
    fn mkdir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir(dir)
    }

    fn put(&self, file: &Path, text: &str) -> io::Result<()> {
        // Never created: where a group lacks the file, "not found" is what is to be said.
        let mut file = OpenOptions::new().write(true).open(file)?;
        file.write_all(text.as_bytes())
    }

    fn rmdir(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir(dir)
    }
}
