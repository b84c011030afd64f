//! What interrupted writes have left: temporary files, and folders whose file never came or is gone.
//!
//! That can be anywhere, and so every folder of the store is looked into. Each is reached from the one above it: by its
//! whole path, the kernel would spend most of the time on the way.

use std::io;
use std::mem::MaybeUninit;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RawDir, RawDirEntry, Stat, fstat, openat, statat, unlinkat,
};
use rustix::path::Arg;

use super::temporary::is_temporary;
use super::write::is_absent;

/// How much is read of a folder at once, in bytes. Most hold an entry or two.
const ROOM: usize = 4096;

/// Removes what is left in the folder and below it, if it is from before a point in time; returns how many files there were.
///
/// A folder that a write is about to need may go as well: it is made again then.
pub(super) fn remove(folder: &Path, before: SystemTime) -> io::Result<u64> {
    let before = before.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let opened = absent_is_none(open(CWD, folder))?;
    opened.map_or(Ok(0), |folder| Ok(clear(&folder, before)?.removed))
}

/// What has become of a folder, or of an entry of one.
#[derive(Debug, Clone, Copy, Default)]
struct Cleared {
    /// How many files were removed.
    removed: u64,
    /// Whether anything is left of it.
    stays: bool,
}

/// Clears the folder; it stays if anything in it does.
fn clear(folder: &OwnedFd, before: Duration) -> io::Result<Cleared> {
    let mut room = [MaybeUninit::uninit(); ROOM];
    let (mut entries, mut all) = (RawDir::new(folder, &mut room), Cleared::default());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            let one = clear_one(folder.as_fd(), &entry, before)?;
            all = Cleared { removed: all.removed + one.removed, stays: all.stays || one.stays };
        }
    }
    Ok(all)
}

fn clear_one(above: BorrowedFd<'_>, entry: &RawDirEntry<'_>, before: Duration) -> io::Result<Cleared> {
    let name = entry.file_name();
    match file_type(above, entry)? {
        Some(FileType::Directory) => clear_folder(above, name, before),
        Some(_) if is_temporary(&name.to_string_lossy()) => clear_file(above, name, before),
        Some(_) => Ok(Cleared { removed: 0, stays: true }),
        None => Ok(Cleared::default()),
    }
}

/// Clears a folder of another one, and removes it when nothing is left in it.
fn clear_folder(above: BorrowedFd<'_>, name: impl Arg + Copy, before: Duration) -> io::Result<Cleared> {
    let Some(folder) = absent_is_none(open(above, name))? else { return Ok(Cleared::default()) };
    // What is taken out of it below makes it look young.
    let is_old = is_old(&fstat(&folder)?, before);
    let cleared = clear(&folder, before)?;
    // Fails when something has come into it.
    let is_gone = is_old && !cleared.stays && unlinkat(above, name, AtFlags::REMOVEDIR).is_ok();
    Ok(Cleared { stays: !is_gone, ..cleared })
}

/// Removes a temporary file that is old.
fn clear_file(above: BorrowedFd<'_>, name: impl Arg + Copy, before: Duration) -> io::Result<Cleared> {
    let found = absent_is_none(statat(above, name, AtFlags::SYMLINK_NOFOLLOW))?;
    if !found.is_some_and(|found| is_old(&found, before)) {
        return Ok(Cleared { removed: 0, stays: true });
    }
    absent_is_none(unlinkat(above, name, AtFlags::empty()))?;
    Ok(Cleared { removed: 1, stays: false })
}

/// What the entry is; `None` when it is gone. Some file systems do not tell that with its name.
fn file_type(above: BorrowedFd<'_>, entry: &RawDirEntry<'_>) -> io::Result<Option<FileType>> {
    match entry.file_type() {
        FileType::Unknown => {
            let found = absent_is_none(statat(above, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW))?;
            Ok(found.map(|found| FileType::from_raw_mode(found.st_mode)))
        }
        known => Ok(Some(known)),
    }
}

fn open(above: impl AsFd, name: impl Arg) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(above, name, flags, Mode::empty())
}

/// Whether it was last changed before then, which is counted from 1970 on.
fn is_old(found: &Stat, before: Duration) -> bool {
    let modified = (u64::try_from(found.st_mtime).unwrap_or_default(), found.st_mtime_nsec);
    modified < (before.as_secs(), before.subsec_nanos().into())
}

fn absent_is_none<T>(done: rustix::io::Result<T>) -> io::Result<Option<T>> {
    match done.map_err(io::Error::from) {
        Err(error) if is_absent(&error) => Ok(None),
        done => done.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

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

    #[test]
    fn folders_that_hold_nothing_but_each_other_go_together_unless_one_is_young() {
        let root = tempfile::tempdir().unwrap();
        let old = SystemTime::now() - Duration::from_hours(48);
        for folder in ["a/b/c", "a/b", "a", "d/e", "d"].map(|folder| root.path().join(folder)) {
            fs::create_dir_all(&folder).unwrap();
            File::open(&folder).unwrap().set_modified(old).unwrap();
        }
        File::open(root.path().join("d/e")).unwrap().set_modified(SystemTime::now()).unwrap();
        assert_eq!(remove(root.path(), old + Duration::from_hours(24)).unwrap(), 0);
        assert!(!root.path().join("a").exists());
        assert!(root.path().join("d/e").exists());
    }

    #[test]
    fn what_a_link_leads_to_stays() {
        let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join(NAME), "").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), root.path().join("link")).unwrap();
        assert_eq!(remove(root.path(), SystemTime::now() + Duration::from_hours(1)).unwrap(), 0);
        assert!(elsewhere.path().join(NAME).exists() && root.path().join("link").exists());
    }
}
