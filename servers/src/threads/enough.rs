//! Whether the kernel lets this process have all its threads at once, asked before there is any.
//!
//! A runtime asks too late: where its first thread is refused it panics, and where a later one is, it
//! goes on with fewer and does not say so.

use std::{
    sync::mpsc,
    thread::{self, yield_now},
};

use procfs::process::Process;

use crate::failure::Failure;

/// Make `count` threads, and end them again.
///
/// # Errors
/// The kernel refuses one of them.
pub fn check(count: usize) -> Result<(), Failure> {
    let before = running();
    let mut made = Vec::new();
    let mut refused = None;
    for _ in 0..count {
        let (end, told) = mpsc::channel::<()>();
        match thread::Builder::new().spawn(move || told.recv().is_ok()) {
            Ok(thread) => made.push((end, thread)),
            Err(error) => {
                refused = Some(Failure::Thread(error));
                break;
            }
        }
    }
    for (end, thread) in made {
        drop(end);
        let _ = thread.join();
    }
    // A thread that was joined counts until the kernel has put it away, a moment later.
    while before.is_some() && running() > before {
        yield_now();
    }
    refused.map_or(Ok(()), Err)
}

/// Threads of this process, where /proc tells.
#[must_use]
pub fn running() -> Option<usize> {
    let stat = Process::myself().and_then(|process| process.stat()).ok()?;
    usize::try_from(stat.num_threads).ok()
}
