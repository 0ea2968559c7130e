//! Memory that the bench and its workers share, whichever kind they are.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::{self, NonNull},
    slice,
    sync::atomic::{AtomicU32, AtomicU64},
};

use rustix::{
    fs::{MemfdFlags, fstat, ftruncate, memfd_create},
    mm::{MapFlags, ProtFlags, mmap, munmap},
};

/// Bytes apart that words are where two writers are not to disturb each other: two lines of a cache, as CPUs
/// fetch lines in pairs.
pub const LINE: usize = 128;

/// A mapping of memory that has a descriptor, which a worker gets to map the same memory. All 0 at first.
#[derive(Debug)]
pub struct SharedMemory {
    descriptor: OwnedFd,
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping belongs to no thread. Who reads and writes its bytes answers for that itself.
#[allow(unsafe_code)]
unsafe impl Send for SharedMemory {}
// SAFETY: as above; of itself it gives only atomics out.
#[allow(unsafe_code)]
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// Make `bytes` of it.
    ///
    /// # Errors
    /// The kernel has no memory or descriptors.
    pub fn new(bytes: usize) -> io::Result<Self> {
        let descriptor = memfd_create("ten-counters-bench", MemfdFlags::CLOEXEC)?;
        ftruncate(&descriptor, bytes as u64)?;
        Self::open(descriptor)
    }

    /// Map what somebody else has made.
    ///
    /// # Errors
    /// The descriptor is of something else, or the kernel has no memory.
    #[allow(unsafe_code)]
    pub fn open(descriptor: OwnedFd) -> io::Result<Self> {
        let length = fstat(&descriptor)?.st_size;
        let bytes = usize::try_from(length).map_err(io::Error::other)?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses a place where nothing is.
        let start = unsafe {
            mmap(
                ptr::null_mut(),
                bytes,
                access,
                MapFlags::SHARED,
                &descriptor,
                0,
            )
        }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self {
            descriptor,
            start,
            bytes,
        })
    }

    /// All of it, as counters. A place is used as one kind of word only.
    #[must_use]
    #[allow(unsafe_code)]
    pub fn words(&self) -> &[AtomicU64] {
        let words = self.bytes / size_of::<AtomicU64>();
        // SAFETY: the mapping is page-aligned and lives as long as `self`, and every pattern of bits is a
        // counter.
        unsafe { slice::from_raw_parts(self.start.as_ptr().cast(), words) }
    }

    /// All of it, as words that the kernel can wait on.
    #[must_use]
    #[allow(unsafe_code)]
    pub fn futexes(&self) -> &[AtomicU32] {
        let words = self.bytes / size_of::<AtomicU32>();
        // SAFETY: as above.
        unsafe { slice::from_raw_parts(self.start.as_ptr().cast(), words) }
    }

    /// Where it begins, for those who know which bytes are whose.
    #[must_use]
    pub const fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// How long it is.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl AsFd for SharedMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for SharedMemory {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: nobody borrows from `self` any more, and others have mappings of their own.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
