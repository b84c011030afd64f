//! Telling the versions of a file apart, and keeping others from changing a file meanwhile.
//!
//! Whoever replaces or removes a file that is there holds its lock, which other processes respect too. As a new
//! version is another file under the same name, whoever waited for the lock looks which file the name leads to then.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::identity::Identity;
use super::write::is_absent;
use crate::Version;
use crate::object_store::Stamp;

/// The version of the file that `metadata` describes. Each write makes a new file and gives it its name, and both
/// show in its number and in the time of its last change.
pub(super) fn of(metadata: &Metadata) -> Version {
    of_identity(&Identity::from(metadata))
}

/// The version of a file that is known by its identity.
pub(super) fn of_identity(file: &Identity) -> Version {
    let (seconds, nanoseconds) = file.changed;
    let changed = seconds.wrapping_mul(1_000_000_000).wrapping_add(nanoseconds);
    Version(Stamp::Numbers([file.inode, changed.cast_unsigned(), file.size]))
}

/// A file that nobody else replaces or removes until this is dropped.
pub(super) struct Locked {
    /// The version that it has.
    pub(super) version: Version,
    pub(super) file: File,
}

/// Locks the file at `path`; nothing when there is none.
///
/// A file system without locks gives no protection from other processes, and fails nobody for that.
pub(super) fn lock(path: &Path) -> io::Result<Option<Locked>> {
    loop {
        let Some(file) = found(open(path))? else { return Ok(None) };
        let _without_locks = file.lock();
        let (locked, Some(present)) = (file.metadata()?, found(path.metadata())?) else { return Ok(None) };
        if (locked.dev(), locked.ino()) == (present.dev(), present.ino()) {
            return Ok(Some(Locked { version: of(&present), file }));
        }
    }
}

/// Opens the file for writing as well where that is possible: NFS locks no other.
fn open(path: &Path) -> io::Result<File> {
    match OpenOptions::new().read(true).append(true).open(path) {
        Err(error) if !is_absent(&error) => File::open(path),
        opened => opened,
    }
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_was_written_again_is_of_another_version() {
        let root = tempfile::tempdir().unwrap();
        let (path, next) = (root.path().join("data"), root.path().join("next"));
        fs::write(&path, "1").unwrap();
        let first = lock(&path).unwrap().unwrap();
        assert_eq!(first.version, of(&path.metadata().unwrap()));
        fs::write(&next, "2").unwrap();
        fs::rename(&next, &path).unwrap();
        let second = lock(&path).unwrap().unwrap();
        assert_ne!(first.version, second.version);
    }

    #[test]
    fn what_is_absent_cannot_be_locked() {
        let root = tempfile::tempdir().unwrap();
        assert!(lock(&root.path().join("absent")).unwrap().is_none());
    }
}
