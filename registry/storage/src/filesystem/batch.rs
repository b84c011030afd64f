//! Small objects that are written together: first what they hold, then their names, one after the other, and in the end what
//! makes the names last.
//!
//! A flush waits for the disk. Where the content of all is on its way before the first flush, and all names are given before
//! the first of their folders is flushed, the file system writes down with the first what the others ask for.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{Advice, fadvise};

use super::folder::Folders;
use super::temporary::Temporary;
use super::version;
use super::write::{replace_whatever_is_there, touch};

/// Keeps what each file is to hold, whatever is there. `before` is done when all of it is on the disk and nothing has its name
/// yet, and gives names of its own to the files `ahead`, which are made to last as well.
pub(super) fn put(
    folders: &Folders,
    files: &[(PathBuf, Bytes)],
    ahead: &[&Path],
    before: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let put = write(folders, files).and_then(|written| {
        before()?;
        for (file, path) in written {
            replace_whatever_is_there(file, path)?;
        }
        folders.keep(ahead.iter().copied().chain(files.iter().map(|(path, _)| path.as_path())))
    });
    if put.is_err() {
        for (path, _) in files {
            folders.remove_empty_above(path);
        }
    }
    put
}

/// Writes and flushes what is not there already.
fn write<'a>(folders: &Folders, files: &'a [(PathBuf, Bytes)]) -> io::Result<Vec<(Temporary, &'a Path)>> {
    let mut written = Vec::with_capacity(files.len());
    for (path, body) in files {
        if is_there(path, body)? {
            continue;
        }
        let file = folders.with_folder_of(path, || {
            let mut temporary = Temporary::beside(path)?;
            temporary.file.write_all(body)?;
            Ok(temporary)
        })?;
        written.push((file, path.as_path()));
    }
    if written.len() > 1 {
        for (temporary, _) in &written {
            // Linux begins to write what it hears is not needed.
            let _without_it_each_flush_waits_for_its_own =
                fadvise(&temporary.file, 0, None, Advice::DontNeed);
        }
    }
    written.iter().try_for_each(|(temporary, _)| temporary.file.sync_data())?;
    Ok(written)
}

/// Whether the file holds just that. Then it is dated anew, which is all that writing it would change.
fn is_there(path: &Path, body: &[u8]) -> io::Result<bool> {
    let Some(mut locked) = version::lock(path)? else { return Ok(false) };
    let file = &mut locked.file;
    let mut found = Vec::new();
    let is_same = file.metadata()?.len() == body.len() as u64
        && file.read_to_end(&mut found).is_ok_and(|_| found == body)
        && touch(file).is_ok();
    if is_same {
        // Whoever wrote it may have died before it was flushed.
        file.sync_data()?;
    }
    Ok(is_same)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn files(root: &Path, contents: [&'static str; 2]) -> Vec<(PathBuf, Bytes)> {
        let paths = ["a/first", "b/c/second"].map(|path| root.join(path));
        paths.into_iter().zip(contents.map(Bytes::from)).collect()
    }

    #[test]
    fn what_is_there_already_keeps_its_file_and_is_dated_anew() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders::below(root.path().to_owned());
        put(&folders, &files(root.path(), ["1", "2"]), &[], || Ok(())).unwrap();
        let paths = ["a/first", "b/c/second"].map(|path| root.path().join(path));
        let numbers = || paths.each_ref().map(|path| path.metadata().unwrap().ino());
        let before = numbers();
        let old = SystemTime::now() - Duration::from_hours(48);
        for path in &paths {
            fs::File::open(path).unwrap().set_modified(old).unwrap();
        }

        put(&folders, &files(root.path(), ["1", "3"]), &[], || Ok(())).unwrap();
        assert_eq!(paths.each_ref().map(|path| fs::read_to_string(path).unwrap()), ["1", "3"]);
        assert!(paths.iter().all(|path| path.metadata().unwrap().modified().unwrap() > old));
        let after = numbers();
        assert_eq!(before[0], after[0]);
        assert_ne!(before[1], after[1]);
    }

    #[test]
    fn nothing_is_left_of_what_failed() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders::below(root.path().to_owned());
        let failed = || Err(io::ErrorKind::StorageFull.into());
        put(&folders, &files(root.path(), ["1", "2"]), &[], failed).unwrap_err();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
