//! Where the server binaries are, and how they come to be.
//!
//! They lie beside this program. In a checkout they are built there when one is missing, and, under
//! `cargo run`, brought up to date: cargo builds the program it runs and nothing else.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

const NAMES: [&str; 3] = ["single", "cluster", "threads"];

/// The folder of the server binaries.
#[derive(Clone, Debug)]
pub struct Binaries(PathBuf);

impl Binaries {
    /// The folder given, or the one this program lies in; nothing is built.
    pub fn locate(given: Option<&Path>) -> anyhow::Result<Self> {
        let folder = match given {
            Some(folder) => folder.to_owned(),
            None => own_folder()?,
        };
        Ok(Self(folder))
    }

    /// As [`Self::locate`], and builds the servers where that is this program's business: no folder
    /// was given, there is a checkout around it, and a binary is missing or may be old.
    pub fn provide(given: Option<&Path>) -> anyhow::Result<Self> {
        let binaries = Self::locate(given)?;
        let missing = NAMES.iter().any(|name| !binaries.path(name).is_file());
        let cargo = env::var_os("CARGO");
        if given.is_none()
            && (missing || cargo.is_some())
            && let Some(root) = checkout()
        {
            build(&root, &cargo.unwrap_or_else(|| "cargo".into()))?;
        }
        Ok(binaries)
    }

    /// Where a server's binary is, or would be.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// The checkout this program was built in: the folder above it that holds the servers' sources.
pub fn checkout() -> Option<PathBuf> {
    let folder = own_folder().ok()?;
    folder
        .ancestors()
        .find(|above| above.join("servers/Cargo.toml").is_file())
        .map(Path::to_owned)
}

fn own_folder() -> anyhow::Result<PathBuf> {
    let program = env::current_exe().context("cannot find out where this program lies")?;
    Ok(program.parent().map(Path::to_owned).unwrap_or_default())
}

fn build(root: &Path, cargo: &std::ffi::OsStr) -> anyhow::Result<()> {
    let release = env!("COUNTERS_PROFILE") == "release";
    let by_hand = if release {
        "cargo build --release -p servers"
    } else {
        "cargo build -p servers"
    };
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "-p", "servers"])
        .current_dir(root);
    if release {
        command.arg("--release");
    }
    // Cargo's standard output belongs to this program's results.
    command.stdout(std::io::stderr());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            bail!("building the servers failed ({status}); see above, mend it and run: {by_hand}")
        }
        Err(error) => {
            bail!("the servers are not built and cargo does not start ({error}); run: {by_hand}")
        }
    }
}
