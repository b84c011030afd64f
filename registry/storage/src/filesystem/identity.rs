//! What tells a file from every other, and from itself before a change.
//!
//! Two things could hide a change: a file that was changed so lately that the clock of the file system may not have moved on since,
//! and a file on another machine, of which this one may be shown what was true some seconds ago. Whoever relies on an
//! identity asks about both.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, SystemTime};

use rustix::fs::{Stat, StatFs};

/// How long ago a file must have changed for its next change to show. Clocks of file systems stand still for some milliseconds.
const SETTLED: Duration = Duration::from_secs(1);

/// File systems of this machine alone, by the numbers that `statfs(2)` gives: ext2 to ext4, XFS, Btrfs, tmpfs, overlayfs, F2FS,
/// ZFS, bcachefs.
const LOCAL: [u32; 8] =
    [0x0000_ef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0xf2f5_2010, 0x2fc1_2fc1, 0xca45_1a4e];

/// Which file it is, and since which change. Times are in seconds and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    modified: (i64, i64),
    pub(super) changed: (i64, i64),
}

impl From<&Metadata> for Identity {
    fn from(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

impl From<&Stat> for Identity {
    fn from(file: &Stat) -> Self {
        Self {
            device: file.st_dev,
            inode: file.st_ino,
            size: file.st_size.cast_unsigned(),
            modified: (file.st_mtime, file.st_mtime_nsec.cast_signed()),
            changed: (file.st_ctime, file.st_ctime_nsec.cast_signed()),
        }
    }
}

impl Identity {
    /// Whether every later change will show.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let (Ok(seconds), Ok(nanoseconds)) = (self.changed.0.try_into(), self.changed.1.try_into()) else {
            return false;
        };
        let changed = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds);
        now.duration_since(changed).is_ok_and(|age| age > SETTLED)
    }
}

/// Whether a file system belongs to this machine alone.
pub(super) fn is_local(file_system: StatFs) -> bool {
    u32::try_from(file_system.f_type & 0xffff_ffff).is_ok_and(|number| LOCAL.contains(&number))
}

/// A file in a folder of its own that changed long enough ago.
#[cfg(test)]
pub(super) fn settled() -> (tempfile::TempDir, std::path::PathBuf) {
    settled_with(b"1")
}

/// The same with some content.
#[cfg(test)]
pub(super) fn settled_with(content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("current/link");
    std::fs::create_dir(root.path().join("current")).unwrap();
    std::fs::write(&path, content).unwrap();
    while !Identity::from(&path.metadata().unwrap()).is_settled(SystemTime::now()) {
        std::thread::yield_now();
    }
    (root, path)
}
