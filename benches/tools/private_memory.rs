//! Private memory that a process has really got: each page written, and each a small one.
//!
//! Huge pages are kept out of it, as with them there is one entry in the page table for 512 pages: a fork
//! would copy so much less.

use std::{
    ptr::{self, NonNull},
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

use anyhow::{Context, bail, ensure};
use procfs::{Current, Meminfo};
use rustix::{
    io::Errno,
    mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap},
    param::page_size,
};

/// A private mapping.
#[derive(Debug)]
pub struct PrivateMemory {
    start: NonNull<u8>,
    bytes: usize,
}

impl PrivateMemory {
    /// Have `mebibytes`, and write to every page. None of it is had where it is 0.
    ///
    /// # Errors
    /// There is not so much.
    #[allow(unsafe_code)]
    pub fn touched(mebibytes: usize) -> anyhow::Result<Option<Self>> {
        if mebibytes == 0 {
            return Ok(None);
        }
        // The kernel promises more than there is, and kills whoever takes it at its word.
        let available = Meminfo::current()
            .ok()
            .and_then(|memory| memory.mem_available);
        if let Some(bytes) = available {
            let there = bytes >> 20;
            ensure!(
                there > mebibytes as u64,
                "cannot have {mebibytes} MiB of memory: {there} MiB are available; free some, or choose \
                 benchmarks with less"
            );
        }
        let bytes = mebibytes << 20;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses a place where nothing is.
        let start = unsafe { mmap_anonymous(ptr::null_mut(), bytes, access, MapFlags::PRIVATE) }
            .with_context(|| {
                format!(
                    "cannot have {mebibytes} MiB of memory; raise the limit (ulimit -v), or choose \
                     benchmarks with less"
                )
            })?;
        let start = NonNull::new(start.cast()).context("the kernel maps memory at 0")?;
        let memory = Self { start, bytes };
        // SAFETY: the mapping is ours, and this changes nothing of what is in it.
        match unsafe { madvise(start.as_ptr().cast(), bytes, Advice::LinuxNoHugepage) } {
            // A kernel without huge pages does not know the advice.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(error) => bail!("cannot keep huge pages out of memory: {error}"),
        }
        for page in (0..bytes).step_by(page_size()) {
            // SAFETY: within the mapping, which nobody else knows of.
            let byte = unsafe { AtomicU8::from_ptr(start.as_ptr().add(page)) };
            byte.store(1, Relaxed);
        }
        Ok(Some(memory))
    }
}

impl Drop for PrivateMemory {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: nobody borrows from `self`.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
