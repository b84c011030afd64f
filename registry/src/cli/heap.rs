//! When memory that nobody uses goes back to the kernel.
//!
//! A push of a large layer fills a megabyte of buffers in a millisecond and lets go of it two later. By default the allocator
//! gives the end of its heap back to the kernel whenever it is larger than half a megabyte, and gets it again, page by page and
//! cleared: a fifth of the processor time of such a push. So more of it is kept while somebody is connected, and all of
//! it given back when nobody is.
//!
//! What is much larger, such as the names in a large folder, has pages of its own, and must not lose them: by default the allocator
//! takes what was let go of for usual, and serves the next ones of that size from the heap of whichever thread asks. In time each
//! of sixteen heaps keeps room for the largest folder.

use libc::{M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, c_int, mallopt};

/// How much may be free at the end of a heap: what is on the way of one push, from its socket to the hash and the disk.
const KEPT: c_int = 8 << 20;

/// What is larger has pages of its own, which go with it. Buffers of connections are smaller.
const LARGE: c_int = 1 << 20;

/// Has what is large, whatever came before it, go back to the kernel as soon as nobody uses it. Call it before the runtime starts.
#[expect(unsafe_code, reason = "the settings of the allocator are reached through C only")]
pub(super) fn give_back_large() {
    // SAFETY: it takes a number, and changes nothing but where memory comes from and goes to.
    unsafe { mallopt(M_MMAP_THRESHOLD, LARGE) };
}

/// Keeps memory for later. Call it before the runtime starts (`cli::serve::run`).
#[expect(unsafe_code, reason = "the settings of the allocator are reached through C only")]
pub(super) fn keep() {
    // SAFETY: it takes a number, and changes nothing but when memory goes back to the kernel.
    unsafe { mallopt(M_TRIM_THRESHOLD, KEPT) };
}

/// Gives all that is kept back to the kernel. Call it in `serve::unmapping::unmap_code_at_rest`, before `unmap_code`.
#[expect(unsafe_code, reason = "the allocator is reached through C only")]
pub(super) fn give_back() {
    // SAFETY: it touches only memory that nobody uses, under the locks of the allocator.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// The memory of the process is that of all tests.
    static ALONE: Mutex<()> = Mutex::new(());

    /// The pages of this process that are in memory.
    fn pages() -> usize {
        let statm = fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn what_is_large_goes_back_at_once_each_time() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        give_back_large();
        for _ in 0..3 {
            let large = vec![1_u8; 64 << 20];
            let full = pages();
            drop(large);
            assert!(pages() < full - (32 << 20) / 4096, "{} of {full} pages", pages());
        }
    }

    #[test]
    fn what_is_kept_goes_back() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        keep();
        let buffers: Vec<_> = (0..1024).map(|_| vec![1_u8; 64 << 10]).collect();
        let full = pages();
        drop(buffers);
        give_back();
        assert!(pages() < full - (32 << 20) / 4096, "{} of {full} pages", pages());
    }
}
