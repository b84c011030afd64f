//! Folders that come with their first file and go with their last one.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

/// How often a file's folder may vanish, because somebody deleted its last file, before giving up.
const ATTEMPTS: usize = 64;

/// Does `work`, which makes a file at `path`, in a folder that exists.
///
/// Another process may remove the folder as empty just before the file is in it; then both are made again.
pub(super) fn with_folder_of<T>(root: &Path, path: &Path, work: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let folder = path.parent().unwrap_or(root);
    for _ in 1..ATTEMPTS {
        create(folder)?;
        match work() {
            // Whether the folder is there again by now says nothing.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            done => return done,
        }
    }
    create(folder)?;
    work()
}

/// Makes the folder and those above it, such that they survive a failure of power.
fn create(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Ok(()) => folder.parent().map_or(Ok(()), sync),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let Some(parent) = folder.parent() else {
                return Err(error);
            };
            create(parent)?;
            create(folder)
        }
        Err(error) => Err(error),
    }
}

/// Makes the names in the folder survive a failure of power.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    // A relative root has a parent that is written as nothing.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match File::open(folder) {
        Ok(folder) => {
            folder.sync_all()?;
            // XFS that has shut itself down after an error says that it has flushed a folder, and has not (Linux 6.18).
            // Anything else that it is asked it refuses.
            folder.metadata().map(drop)
        }
        // The last file went away again meanwhile, and its folder with it: nothing is left to keep.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes the folders above `path` that have become empty, up to the root.
pub(super) fn remove_empty_above(root: &Path, path: &Path) {
    let above = path.ancestors().skip(1).take_while(|folder| *folder != root);
    for folder in above {
        if fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_folder_that_vanishes_under_a_write_is_made_again() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b/file");
        let attempt = Cell::new(0);
        with_folder_of(root.path(), &path, || {
            attempt.set(attempt.get() + 1);
            if attempt.get() < 3 {
                fs::remove_dir_all(root.path().join("a"))?;
            }
            fs::write(&path, "x")
        })
        .unwrap();
        assert_eq!(attempt.get(), 3);
        assert!(path.exists());
    }

    #[test]
    fn only_empty_folders_below_the_root_are_removed() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b/c")).unwrap();
        fs::write(root.path().join("a/kept"), "x").unwrap();
        remove_empty_above(root.path(), &root.path().join("a/b/c/gone"));
        assert!(root.path().join("a/kept").exists());
        assert!(!root.path().join("a/b").exists());
        remove_empty_above(root.path(), &root.path().join("gone"));
        assert!(root.path().exists());
    }
}
