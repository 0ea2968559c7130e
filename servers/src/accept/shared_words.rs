//! Words of memory that all workers of a gate share, forked ones as well.

use std::{io, ops::Deref, ptr, ptr::NonNull, sync::atomic::AtomicU32};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// The words themselves.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Words {
    /// Who holds the mutex, where the gate is one.
    pub lock: AtomicU32,
    /// Whether an event loop waits for the bell.
    pub wanted: AtomicU32,
}

/// Memory of its own for [`Words`], all 0 at first. A fork shares it instead of copying it.
#[derive(Debug)]
pub struct SharedWords(NonNull<Words>);

// SAFETY: the words are atomics, and the mapping belongs to no thread.
#[allow(unsafe_code)]
unsafe impl Send for SharedWords {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Map them.
    ///
    /// # Errors
    /// The kernel has no memory.
    #[allow(unsafe_code)]
    pub fn new() -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses a place where nothing is.
        let page = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                size_of::<Words>(),
                access,
                MapFlags::SHARED,
            )
        }?;
        NonNull::new(page.cast()).map(Self).ok_or_else(|| {
            // Nobody maps page 0 without asking for it.
            io::ErrorKind::OutOfMemory.into()
        })
    }
}

impl Deref for SharedWords {
    type Target = Words;

    #[allow(unsafe_code)]
    fn deref(&self) -> &Words {
        // SAFETY: the mapping is page-aligned, large enough, zeroed, which is what words of 0 are,
        // and lives as long as `self`. It is only ever changed through atomics.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for SharedWords {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: nobody borrows from `self` any more. Other processes have mappings of their own.
        let _ = unsafe { munmap(self.0.as_ptr().cast(), size_of::<Words>()) };
    }
}
