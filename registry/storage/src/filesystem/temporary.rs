//! Files that are being written: `<name>.<uuid>.tmp` beside their final place, as Distribution names them.
//!
//! What a crash leaves behind is invisible to readers and is removed by a later walk over the store.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use uuid::Uuid;

/// After this time nobody is still writing to a temporary file.
pub(super) const ABANDONED_AFTER: Duration = Duration::from_hours(24);

/// A new file, which is removed again unless it is moved away.
pub(super) struct Temporary {
    path: PathBuf,
    pub(super) file: File,
    is_moved: bool,
}

impl Temporary {
    /// A new file beside `path`.
    pub(super) fn beside(path: &Path) -> io::Result<Self> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", Uuid::new_v4()));
        let path = path.with_file_name(name);
        let file = File::create_new(&path)?;
        Ok(Self { path, file, is_moved: false })
    }

    /// Moves the file to `path`, and replaces what is there.
    pub(super) fn replace(mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.is_moved = true;
        Ok(())
    }

    /// Gives the file the name `path` if nothing has it.
    pub(super) fn create(&mut self, path: &Path) -> io::Result<()> {
        match renameat_with(CWD, &self.path, CWD, path, RenameFlags::NOREPLACE) {
            Ok(()) => self.is_moved = true,
            // The file system, or a sandbox, knows no such call; a second name does as well.
            Err(Errno::INVAL | Errno::NOSYS | Errno::PERM) => fs::hard_link(&self.path, path)?,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_moved {
            // A later walk comes by again.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether a file of this name is, or was, being written.
pub(super) fn is_temporary(name: &str) -> bool {
    let uuid = name.strip_suffix(".tmp").and_then(|stem| stem.rsplit_once('.')).map(|(_, uuid)| uuid);
    uuid.is_some_and(|uuid| Uuid::try_parse(uuid).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_files_are_known_by_their_name() {
        assert!(is_temporary("link.7ddc8dbe-7ed8-4b17-9c0a-2c3f3b5b8f2d.tmp"));
        for name in ["link", "data", "a.tmp", "a.b.tmp", ".tmp", "7ddc8dbe-7ed8-4b17-9c0a-2c3f3b5b8f2d"] {
            assert!(!is_temporary(name), "{name}");
        }
    }

    #[test]
    fn what_was_not_moved_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("data");
        drop(Temporary::beside(&place).unwrap());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        Temporary::beside(&place).unwrap().replace(&place).unwrap();
        assert!(Temporary::beside(&place).unwrap().create(&place).is_err());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
