//! What the allocator keeps for later of the memory that nobody uses.
//!
//! A push of a large layer fills a megabyte of buffers in a millisecond and lets go of it two later. By default the allocator
//! gives the end of its heap back to the kernel whenever it is larger than half a megabyte, and gets it again, page by page and
//! cleared: a fifth of the processor time of such a push. So more of it is kept while somebody is connected, and all of
//! it given back when nobody is.

use libc::{M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, c_int, mallopt};

/// How much may be free at the end of a heap: what is on the way of one push, from its socket to the hash and the disk.
const KEPT: c_int = 8 << 20;

/// What is larger has pages of its own, which go with it. Buffers of connections are smaller.
const LARGE: c_int = 1 << 20;

/// Keeps memory for later. Call it before the runtime starts (`cli::serve::run`).
#[expect(unsafe_code, reason = "the settings of the allocator are reached through C only")]
pub(super) fn keep() {
    // SAFETY: both take a number, and change nothing but when memory goes back to the kernel.
    unsafe {
        mallopt(M_TRIM_THRESHOLD, KEPT);
        mallopt(M_MMAP_THRESHOLD, LARGE);
    }
}

/// Gives all that is kept back to the kernel. Call it in `unmapping::unmap_code_at_rest`, before `unmap_code`.
#[expect(unsafe_code, reason = "the allocator is reached through C only")]
pub(super) fn give_back() {
    // SAFETY: it touches only memory that nobody uses, under the locks of the allocator.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The pages of this process that are in memory.
    fn pages() -> usize {
        let statm = fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn what_is_kept_goes_back() {
        keep();
        let buffers: Vec<_> = (0..1024).map(|_| vec![1_u8; 64 << 10]).collect();
        let full = pages();
        drop(buffers);
        give_back();
        assert!(pages() < full - (32 << 20) / 4096, "{} of {full} pages", pages());
    }
}
