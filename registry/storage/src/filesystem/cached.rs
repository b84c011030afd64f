//! System calls that answer from the caches of the kernel, and say so where they would have to wait for a disk.
//!
//! Such a call may be made on a thread that serves others as well. What it cannot answer is asked again on the blocking
//! pool, for which most objects are too small to be worth the way.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind, IoSliceMut};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::{ReadWriteFlags, preadv2};

use super::write::is_absent;

/// Whether the answer may be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Only what is in memory counts.
    Never,
    /// As long as the disk takes.
    ForDisk,
}

/// Whether the file system can be asked in this way: one over a network, for instance, cannot.
#[derive(Debug, Default)]
pub(super) struct Cache {
    cannot_be_asked: AtomicBool,
}

impl Cache {
    /// What is found without waiting; `None` when it has to be waited for.
    pub(super) fn ask<T>(&self, question: impl FnOnce() -> io::Result<T>) -> Option<io::Result<T>> {
        if self.cannot_be_asked.load(Ordering::Relaxed) {
            return None;
        }
        match question() {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                self.cannot_be_asked.store(true, Ordering::Relaxed);
                None
            }
            // Of other failures the pool has the last word: a sandbox may forbid the one way and not the other.
            Err(error) if !is_absent(&error) => None,
            answer => Some(answer),
        }
    }
}

/// Opens the file for reading, or only for looking at it.
pub(super) fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    Ok(openat2(CWD, path, flags | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::CACHED)?.into())
}

/// Opens a file of a folder for reading.
pub(super) fn open_in(folder: &OwnedFd, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(openat2(folder, name, flags, Mode::empty(), ResolveFlags::CACHED)?.into())
}

/// Reads what the page cache has from `offset` on, as far as there is room; `WouldBlock` when that is nothing.
pub(super) fn read(file: &File, room: &mut [u8], offset: u64) -> io::Result<usize> {
    Ok(preadv2(file, &mut [IoSliceMut::new(room)], offset, ReadWriteFlags::NOWAIT)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_just_written_is_known_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        fs::write(&path, "hello").unwrap();
        let mut room = [0; 8];
        let read = Cache::default().ask(|| read(&open(&path, OFlags::RDONLY)?, &mut room, 1)).unwrap();
        assert_eq!(&room[..read.unwrap()], b"ello");
        let absent = Cache::default().ask(|| open(&folder.path().join("absent"), OFlags::RDONLY));
        assert!(absent.is_none_or(|absent| is_absent(&absent.unwrap_err())));
    }

    #[test]
    fn a_file_system_that_cannot_be_asked_is_not_asked_again() {
        let cache = Cache::default();
        assert!(cache.ask(|| Ok(())).is_some());
        assert!(cache.ask(|| io::Result::<()>::Err(ErrorKind::WouldBlock.into())).is_none());
        assert!(cache.ask(|| Ok(())).is_some());
        assert!(cache.ask(|| io::Result::<()>::Err(ErrorKind::Unsupported.into())).is_none());
        assert!(cache.ask(|| Ok(())).is_none());
    }
}
