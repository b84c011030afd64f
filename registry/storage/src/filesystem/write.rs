//! Objects that are written, dated and deleted at once.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, futimens, utimensat};

use super::folder::Folders;
use super::temporary::{Temporary, is_temporary};
use super::{batch, version};
use crate::{Error, Key, PutCondition};

/// Whatever the kernel's clock says.
const NOW: Timestamps = {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Timestamps { last_access: now, last_modification: now }
};

/// Whether the file was of the version that it had to be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    Done,
    Refused,
}

/// Makes `body` the content of the file at `path`, if the condition holds.
///
/// The content is flushed before it gets its name, so that a name that survives a failure of power leads to all of it.
pub(super) fn put(folders: &Folders, path: &Path, body: &[u8], condition: &PutCondition) -> io::Result<Put> {
    let put = folders.with_folder_of(path, || {
        let mut temporary = Temporary::beside(path)?;
        temporary.file.write_all(body)?;
        temporary.file.sync_data()?;
        give_name(temporary, path, condition)
    });
    match put {
        Ok(Put::Done) => folders.keep([path]).map(|()| Put::Done),
        Ok(Put::Refused) => Ok(Put::Refused),
        Err(error) => {
            folders.remove_empty_above(path);
            Err(error)
        }
    }
}

/// Makes each body the content of the file at its path.
pub(super) fn put_all(folders: &Folders, files: &[(PathBuf, Bytes)]) -> io::Result<()> {
    batch::put(folders, files, &[], || Ok(()))
}

/// Makes `body` the content of the file at `path`, and leaves to the system when that reaches the disk.
pub(super) fn note(folders: &Folders, path: &Path, body: &[u8]) -> io::Result<()> {
    folders.with_folder_of(path, || {
        let mut temporary = Temporary::beside(path)?;
        temporary.file.write_all(body)?;
        temporary.replace(path)
    })
}

/// Makes the temporary file the one at `path`, if the condition holds.
fn give_name(mut temporary: Temporary, path: &Path, condition: &PutCondition) -> io::Result<Put> {
    match condition {
        PutCondition::Always => replace_whatever_is_there(temporary, path)?,
        PutCondition::IfAbsent => temporary.create(path)?,
        PutCondition::IfVersion(expected) => match version::lock(path)? {
            Some(locked) if locked.version == *expected => temporary.replace(path)?,
            _ => return Ok(Put::Refused),
        },
    }
    Ok(Put::Done)
}

pub(super) fn replace_whatever_is_there(mut temporary: Temporary, path: &Path) -> io::Result<()> {
    loop {
        match temporary.create(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            // Some file systems have no second names for a file.
            Err(error) if error.kind() != ErrorKind::NotFound => return temporary.replace(path),
            created => return created,
        }
        if let Some(_locked) = version::lock(path)? {
            return temporary.replace(path);
        }
    }
}

/// Removes the file at `path`, and the folders that become empty by it.
///
/// Lists of names may remember that there was a file below a name (`looks.rs`), and look only whether the folder of the names
/// is as it was. So that is made to look changed where the folder of the name stays, as that of a tag does, which has a
/// history besides its current link. A process that ends right in between is made up for by the next look, a second later.
pub(super) fn delete(folders: &Folders, path: &Path) -> io::Result<()> {
    let was_there = remove(path)?;
    let staying = folders.remove_empty_above(path);
    if !was_there {
        return Ok(());
    }
    let above = path.ancestors().skip(1).take(LOOKED_FOR_BELOW).skip_while(|above| *above != staying);
    // Whoever may remove a file from a folder need not own those above. Then the next look makes up for it, too.
    above.skip(1).filter(|above| above.starts_with(folders.root())).for_each(|list| drop(date(list)));
    Ok(())
}

/// Removes the file; `false` when there was none.
fn remove(path: &Path) -> io::Result<bool> {
    let _locked = version::lock(path)?;
    match fs::remove_file(path) {
        Err(error) if is_absent(&error) => Ok(false),
        removed => removed.map(|()| true),
    }
}

/// Removes the objects at these paths one after the other, for as long as that is permitted. Returns how many are gone.
pub(super) fn delete_each(
    folders: &Folders,
    objects: &[(Key, PathBuf)],
    is_permitted: &dyn Fn() -> bool,
) -> crate::Result<usize> {
    for (gone, (key, path)) in objects.iter().enumerate() {
        if !is_permitted() {
            return Ok(gone);
        }
        delete(folders, path).map_err(|error| Error::from_io(key, error))?;
    }
    Ok(objects.len())
}

/// Removes all files in the folder and below it, and the folder. Those above it stay: what comes and goes has its like.
pub(super) fn delete_all(folders: &Folders, folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if is_absent(&error) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            delete_all(folders, &path)?;
        } else if !is_temporary(&entry.file_name().to_string_lossy()) {
            remove(&path)?;
        }
    }
    folders.remove(folder);
    Ok(())
}

/// How many folders above a file may have lists of names that lead to it by one or two more components.
const LOOKED_FOR_BELOW: usize = 3;

/// Makes a folder look as if it had been changed just now.
fn date(folder: &Path) -> io::Result<()> {
    Ok(utimensat(CWD, folder, &NOW, AtFlags::empty())?)
}

/// Whether no file is there; a folder at that place is no file.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory)
}

/// Makes the open file look as if it had been written just now.
///
/// "Now" is left to the kernel, and said of both times: that is allowed to whoever may write the file, while
/// anything else is allowed to its owner only, and a volume that an older registry filled may belong to
/// somebody else.
pub(super) fn touch(file: &File) -> io::Result<()> {
    Ok(futimens(file, &NOW)?)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_touched_file_is_as_good_as_new() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders::below(root.path().to_owned());
        let path = root.path().join("data");
        put(&folders, &path, b"x", &PutCondition::Always).unwrap();
        let old = SystemTime::now() - Duration::from_hours(48);
        File::open(&path).unwrap().set_modified(old).unwrap();
        touch(&File::open(&path).unwrap()).unwrap();
        assert!(path.metadata().unwrap().modified().unwrap() > old + Duration::from_hours(24));
    }

    #[test]
    fn nothing_but_the_object_is_left_by_a_write() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders::below(root.path().to_owned());
        let path = root.path().join("a/b/data");
        put(&folders, &path, b"x", &PutCondition::IfAbsent).unwrap();
        put(&folders, &path, b"y", &PutCondition::Always).unwrap();
        put(&folders, &path, b"z", &PutCondition::IfAbsent).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"y");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        note(&folders, &path, b"n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"n");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        delete(&folders, &path).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
