//! The ring of buffers that receives take from: written here, read by the kernel.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    io,
    ptr::NonNull,
    sync::atomic::{AtomicU16, Ordering},
};

use io_uring::{IoUring, types::BufRingEntry};

/// The only group of buffers.
pub const GROUP: u16 = 0;
/// A power of two, as the ring's mask needs.
const COUNT: u16 = 512;
const BYTES: u32 = 4096;
/// The ring begins on a page.
const PAGE: usize = 4096;

/// Buffers and the ring that offers them.
#[derive(Debug)]
pub struct Buffers {
    entries: NonNull<BufRingEntry>,
    memory: Box<[u8]>,
    tail: u16,
}

impl Buffers {
    const LAYOUT: Layout =
        match Layout::from_size_align(COUNT as usize * size_of::<BufRingEntry>(), PAGE) {
            Ok(layout) => layout,
            Err(_) => panic!("the size is small and the alignment a power of two"),
        };

    /// Registers a ring with all its buffers.
    pub fn register(ring: &IoUring) -> io::Result<Self> {
        // SAFETY: the layout is not empty.
        let memory = unsafe { alloc_zeroed(Self::LAYOUT) };
        // Aligned to a page, by the layout.
        #[allow(clippy::cast_ptr_alignment)]
        let memory = memory.cast::<BufRingEntry>();
        let Some(entries) = NonNull::new(memory) else {
            handle_alloc_error(Self::LAYOUT)
        };
        let mut buffers = Self {
            entries,
            memory: vec![0; usize::from(COUNT) * BYTES as usize].into_boxed_slice(),
            tail: 0,
        };
        // SAFETY: the entries live until after the ring is dropped: whoever holds both drops the ring
        // first.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(
                entries.as_ptr() as u64,
                COUNT,
                GROUP,
                0,
            )?;
        }
        for id in 0..COUNT {
            buffers.offer(id);
        }
        buffers.publish();
        Ok(buffers)
    }

    /// Copies what the kernel wrote into a buffer, and offers it again.
    pub fn take(&mut self, id: u16, length: usize, to: &mut [u8]) {
        let start = usize::from(id) * BYTES as usize;
        let length = length.min(BYTES as usize);
        to[..length].copy_from_slice(&self.memory[start..start + length]);
        self.offer(id);
        self.publish();
    }

    fn offer(&mut self, id: u16) {
        let start = usize::from(id) * BYTES as usize;
        let address = self.memory[start..start + BYTES as usize].as_mut_ptr() as u64;
        let index = usize::from(self.tail & (COUNT - 1));
        // SAFETY: the index is within the ring, and the kernel does not read an entry before the tail
        // has passed it.
        let entry = unsafe { self.entries.add(index).as_mut() };
        entry.set_addr(address);
        entry.set_len(BYTES);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        // SAFETY: the tail lies in the first entry, is aligned, and is only ever written here.
        let tail = unsafe {
            let tail = BufRingEntry::tail(self.entries.as_ptr());
            AtomicU16::from_ptr(tail.cast_mut())
        };
        tail.store(self.tail, Ordering::Release);
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.entries.as_ptr().cast(), Self::LAYOUT) }
    }
}
