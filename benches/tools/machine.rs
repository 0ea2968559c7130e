//! What the figures were measured on.

use std::fs;

use serde::Serialize;

/// The machine.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// As the kernel names it.
    pub cpu_model: String,
    /// Its release.
    pub kernel: String,
}

impl Machine {
    /// Reads it from /proc.
    #[must_use]
    pub fn read() -> Self {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.trim() == "model name");
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease");
        Self {
            cpu_model: model.map_or_else(unknown, |(_, name)| name.trim().to_owned()),
            kernel: kernel.map_or_else(|_| unknown(), |text| text.trim().to_owned()),
        }
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}
