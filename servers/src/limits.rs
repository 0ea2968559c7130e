//! What the kernel must grant before an event loop is made.

use nix::sys::resource::{Resource, getrlimit};

use crate::failure::Failure;

/// Open files without which no server makes sense: an event loop needs about ten before its first
/// connection, and tokio panics where it gets fewer.
const FEWEST_OPEN_FILES: u64 = 32;

/// Whether this process may open files enough.
///
/// # Errors
/// It may not.
pub fn check() -> Result<(), Failure> {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((limit, _)) if limit < FEWEST_OPEN_FILES => Err(Failure::OpenFiles {
            limit,
            fewest: FEWEST_OPEN_FILES,
        }),
        // Where the limit cannot be read, whoever runs into it says so.
        _ => Ok(()),
    }
}
