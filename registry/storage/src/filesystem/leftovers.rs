//! What interrupted writes have left: temporary files, and folders whose file never came or is gone.

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::temporary::is_temporary;
use super::write::is_absent;

/// Removes what is left in the folder and below it, if it is from before a point in time; returns how many files there were.
///
/// A folder that a write is about to need may go as well: it is made again then.
pub(super) fn remove(folder: &Path, before: SystemTime) -> io::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Err(error) if is_absent(&error) => return Ok(0),
        entries => entries?,
    };
    let mut removed = 0;
    for entry in entries {
        removed += remove_one(&entry?, before)?;
    }
    Ok(removed)
}

fn remove_one(entry: &DirEntry, before: SystemTime) -> io::Result<u64> {
    let (path, is_folder) = (entry.path(), entry.file_type()?.is_dir());
    if is_folder {
        // What is taken out of it below makes it look young.
        let is_old = is_old(fs::symlink_metadata(&path), before)?;
        let removed = remove(&path, before)?;
        if is_old {
            // Fails when there is anything in it.
            let _is_needed = fs::remove_dir(&path);
        }
        return Ok(removed);
    }
    let is_left = is_temporary(&entry.file_name().to_string_lossy());
    if is_left && is_old(fs::symlink_metadata(&path), before)? {
        return absent_is_fine(fs::remove_file(&path)).map(|()| 1);
    }
    Ok(0)
}

/// Whether it was last changed before then; what is gone was not.
fn is_old(metadata: io::Result<Metadata>, before: SystemTime) -> io::Result<bool> {
    match metadata {
        Err(error) if is_absent(&error) => Ok(false),
        metadata => Ok(metadata?.modified()? < before),
    }
}

fn absent_is_fine(done: io::Result<()>) -> io::Result<()> {
    done.or_else(|error| if is_absent(&error) { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    const NAME: &str = "link.7ddc8dbe-7ed8-4b17-9c0a-2c3f3b5b8f2d.tmp";

    #[test]
    fn what_a_crash_left_behind_goes_wherever_it_lies_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["tags/a/current", "tags/b/current", "uploads/1", "uploads/2"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        for file in ["tags/a/current/link", "tags/b/current/link.tmp"] {
            fs::write(root.path().join(file), "kept").unwrap();
        }
        fs::write(root.path().join("tags/a/current").join(NAME), "").unwrap();
        fs::write(root.path().join("uploads/2").join(NAME), "").unwrap();
        let old = SystemTime::now() - Duration::from_hours(48);
        for path in ["tags/a/current", "uploads/1", "uploads/2"].map(|folder| root.path().join(folder)) {
            File::open(&path).unwrap().set_modified(old).unwrap();
            let _none = File::open(path.join(NAME)).map(|file| file.set_modified(old).unwrap());
        }

        assert_eq!(remove(root.path(), old).unwrap(), 0);
        assert_eq!(remove(root.path(), old + Duration::from_hours(24)).unwrap(), 2);
        assert!(root.path().join("tags/a/current/link").exists());
        assert!(root.path().join("tags/b/current/link.tmp").exists());
        assert_eq!(fs::read_dir(root.path().join("tags/a/current")).unwrap().count(), 1);
        assert!(!root.path().join("uploads/1").exists() && !root.path().join("uploads/2").exists());
        assert_eq!(remove(&root.path().join("absent"), SystemTime::now()).unwrap(), 0);
    }

    #[test]
    fn what_is_being_written_stays() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("uploads")).unwrap();
        fs::write(root.path().join(NAME), "").unwrap();
        assert_eq!(remove(root.path(), SystemTime::now() - Duration::from_hours(1)).unwrap(), 0);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
    }
}
