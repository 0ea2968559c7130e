//! Where the server binaries are, and how they come to be.
//!
//! They lie beside this program. In a checkout they are built there when one is missing, and, under
//! `cargo run`, brought up to date: cargo builds the program it runs and nothing else.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use crate::{guard, guarded};

const NAMES: [&str; 4] = ["single", "cluster", "threads", "floor"];

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
            build(&root, cargo.unwrap_or_else(|| "cargo".into()))?;
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

/// Behind a guard: a build, and whatever it starts, is not to outlive a harness that is killed.
fn build(root: &Path, cargo: OsString) -> anyhow::Result<()> {
    let mut words = vec![cargo];
    words.extend(["build", "--quiet", "-p", "servers"].map(OsString::from));
    let mut by_hand = "cargo build -p servers".to_owned();
    if env!("COUNTERS_PROFILE") == "release" {
        words.push("--release".into());
        by_hand.push_str(" --release");
    }
    let mut command = guarded::command(&[], &words);
    // Cargo's standard output belongs to this program's results.
    command.current_dir(root).stdout(std::io::stderr());
    let status = guarded::status(command).context("cannot build the servers")?;
    if status.success() {
        Ok(())
    } else if status.code() == Some(i32::from(guard::NOT_FOUND)) {
        bail!(
            "the servers are not built and {} was not found; install Rust (https://rustup.rs) and run: {by_hand}",
            words[0].display()
        )
    } else {
        bail!("building the servers failed ({status}); see above, mend it and run: {by_hand}")
    }
}
