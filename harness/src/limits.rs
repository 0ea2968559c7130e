//! Open files: each connection is one, here and in the server.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::exit::usage;

/// Files a program needs beside its connections.
const BESIDE_CONNECTIONS: u64 = 64;

/// Raises the soft limit on open files as far as the hard one allows; servers inherit it. Returns
/// the limit in force.
pub fn raise_open_files(connections: u32) -> anyhow::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    let needed = u64::from(connections) + BESIDE_CONNECTIONS;
    if hard < needed {
        return Err(usage(format!(
            "{connections} connections need {needed} open files, but this process may open {hard}; \
             raise the limit with 'ulimit -Hn {needed}' (as root) or use fewer --connections"
        )));
    }
    Ok(hard)
}
