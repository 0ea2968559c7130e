//! Where and with what a run was made.

use serde::{Deserialize, Serialize};

/// The machine and the programs on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// [`crate::SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// As /proc/cpuinfo names it.
    pub cpu_model: String,
    /// CPUs that are online.
    pub cpus_online: u32,
    /// CPUs this process may use.
    pub cpus_allowed: Vec<u32>,
    /// Physical cores among the allowed CPUs (SMT siblings counted once).
    pub cores_allowed: u32,
    /// The frequency governor of the first allowed CPU; absent where the kernel shows none.
    pub governor: Option<String>,
    /// All memory.
    pub memory_bytes: u64,
    /// Kernel release.
    pub kernel: String,
    /// Distribution, as /etc/os-release names it.
    pub distribution: String,
    /// Hypervisor where /proc/cpuinfo shows the flag.
    pub virtual_machine: bool,
    /// Open files allowed to this process, after raising the soft limit.
    pub open_files_limit: u64,
    /// How the harness was built.
    pub build: Build,
    /// Guests' interpreters and servers, found or not.
    pub programs: Vec<Program>,
}

/// How the harness was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Version of Ten Counters.
    pub version: String,
    /// `release` or `debug`; timings of a debug build say nothing.
    pub profile: String,
    /// The compiler.
    pub rustc: String,
}

/// A program a guest needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its name, as in `node`.
    pub name: String,
    /// What it says of its version; absent where it was not found.
    pub version: Option<String>,
}
