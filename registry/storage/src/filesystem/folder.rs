//! Folders that come with their first file and go with their last one.
//!
//! A new folder survives a failure of power once the one above it is flushed. That is put off until the file is in it, and
//! done before the file counts as kept: so the file system writes all of it down together. Whoever meanwhile puts a file
//! into the folder that another has made flushes it as well ([`Unsettled`] knows). Between processes nobody knows; there
//! it must hold that a file system that has flushed a folder has not forgotten an older one above it, as all do that keep
//! a journal.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::shared_flush::SharedFlush;

/// How often a file's folder may vanish, because somebody deleted its last file, before giving up.
const ATTEMPTS: usize = 64;

/// Its name, and the dot in it. Where folders are not counted there is one link, or two.
const LINKS_OF_AN_EMPTY_FOLDER: u64 = 2;

/// The folders of a store.
#[derive(Debug)]
pub(super) struct Folders {
    root: PathBuf,
    unsettled: Mutex<Unsettled>,
    flushes: SharedFlush,
}

/// New folders that a failure of power may take away, and a number that tells the times apart when one was made.
#[derive(Debug, Default)]
struct Unsettled {
    made: HashMap<PathBuf, u64>,
    last: u64,
}

impl Folders {
    /// Those below `root`, which is made with the first of them.
    pub(super) fn below(root: PathBuf) -> Self {
        Self { root, unsettled: Mutex::default(), flushes: SharedFlush::default() }
    }

    /// The folder that holds all of them.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the file at `path`.
    fn of<'a>(&'a self, path: &'a Path) -> &'a Path {
        path.parent().unwrap_or(&self.root)
    }

    /// Does `work`, which makes a file at `path`, in a folder that exists.
    ///
    /// Another process may remove the folder as empty just before the file is in it; then both are made again. Neither is
    /// sure to be kept before [`keep`](Folders::keep).
    pub(super) fn with_folder_of<T>(&self, path: &Path, work: impl Fn() -> io::Result<T>) -> io::Result<T> {
        for _ in 0..ATTEMPTS {
            match work() {
                // Whether the folder is there again by now says nothing.
                Err(error) if error.kind() == ErrorKind::NotFound => self.create(self.of(path))?,
                done => return done,
            }
        }
        work()
    }

    /// Makes the folder and those above it.
    fn create(&self, folder: &Path) -> io::Result<()> {
        match self.create_one(folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let Some(parent) = folder.parent() else {
                    return Err(error);
                };
                self.create(parent)?;
                self.create(folder)
            }
            created => created,
        }
    }

    /// Makes a folder that is known as new before anybody else can find it.
    fn create_one(&self, folder: &Path) -> io::Result<()> {
        let mut unsettled = self.unsettled();
        fs::create_dir(folder)?;
        unsettled.last += 1;
        let number = unsettled.last;
        unsettled.made.insert(folder.to_owned(), number);
        Ok(())
    }

    /// Makes the names of these files survive a failure of power, and the folders that lead to them. Each folder is flushed
    /// once, whoever of them needs it.
    pub(super) fn keep<'a>(&self, paths: impl IntoIterator<Item = &'a Path> + Clone) -> io::Result<()> {
        let new = self.new_above(paths.clone());
        let mut folders: Vec<_> = paths.into_iter().filter_map(Path::parent).collect();
        folders.extend(new.iter().filter_map(|(folder, _)| folder.parent()));
        folders.sort_unstable();
        folders.dedup();
        // The deepest first: what is above it is mostly written down along with it.
        folders.into_iter().rev().try_for_each(|folder| self.flush(folder))?;
        self.settle(&new);
        Ok(())
    }

    /// The new folders that lead to these files, and the numbers of the times when they were made.
    fn new_above<'a>(&self, paths: impl IntoIterator<Item = &'a Path>) -> Vec<(&'a Path, u64)> {
        let unsettled = self.unsettled();
        let above = paths.into_iter().flat_map(|path| path.ancestors().skip(1));
        above.filter_map(|folder| Some((folder, *unsettled.made.get(folder)?))).collect()
    }

    /// Remembers that the folders are kept, except those that were made anew meanwhile.
    fn settle(&self, kept: &[(&Path, u64)]) {
        let mut unsettled = self.unsettled();
        for (folder, number) in kept {
            if unsettled.made.get(*folder) == Some(number) {
                unsettled.made.remove(*folder);
            }
        }
    }

    fn flush(&self, folder: &Path) -> io::Result<()> {
        self.flushes.flush(folder, || sync(folder))
    }

    /// Removes the folders above `path` that have become empty, up to the root. Returns the first that stays.
    pub(super) fn remove_empty_above<'a>(&'a self, path: &'a Path) -> &'a Path {
        let nearest = self.of(path);
        let mut above = path.ancestors().skip(1).take_while(|folder| *folder != self.root);
        let stays = |folder: &&Path| (*folder != nearest && has_folders(folder)) || !self.remove(folder);
        above.find(stays).unwrap_or(&self.root)
    }

    /// Removes the folder if it is empty; `false` when it is not.
    ///
    /// Nobody else waits meanwhile, for a disk may take its time over it. Whoever makes the folder anew before that is noted
    /// makes another one, and one that is still to be kept.
    pub(super) fn remove(&self, folder: &Path) -> bool {
        let number = self.unsettled().made.get(folder).copied();
        let is_gone = fs::remove_dir(folder).is_ok();
        if let Some(number) = number.filter(|_| is_gone) {
            self.settle(&[(folder, number)]);
        }
        is_gone
    }

    /// Held while a folder is made, so that nobody finds it before it is known as new.
    fn unsettled(&self) -> MutexGuard<'_, Unsettled> {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the folder is known to have others in it: many file systems count them, and to ask costs less than to try in vain
/// to remove it, for which others that work in it wait.
fn has_folders(folder: &Path) -> bool {
    folder.symlink_metadata().is_ok_and(|metadata| metadata.nlink() > LINKS_OF_AN_EMPTY_FOLDER)
}

/// Makes the names in the folder survive a failure of power.
fn sync(folder: &Path) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn made(folders: &Folders) -> Vec<PathBuf> {
        let mut made: Vec<_> = folders.unsettled().made.keys().cloned().collect();
        made.sort();
        made
    }

    #[test]
    fn a_folder_that_vanishes_under_a_write_is_made_again() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders::below(root.path().to_owned());
        let path = root.path().join("a/b/file");
        let attempt = Cell::new(0);
        let write = || {
            attempt.set(attempt.get() + 1);
            if attempt.get() < 3 {
                fs::remove_dir_all(root.path().join("a"))?;
            }
            fs::write(&path, "x")
        };
        folders.with_folder_of(&path, write).unwrap();
        assert_eq!(attempt.get(), 3);
        assert!(path.exists());
    }

    #[test]
    fn new_folders_are_known_until_a_file_below_them_is_kept_whoever_made_them() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders::below(root.path().to_owned());
        let (first, second) = (root.path().join("a/b/first"), root.path().join("a/c/second"));
        for path in [&first, &second] {
            folders.with_folder_of(path, || fs::write(path, "x")).unwrap();
        }
        assert_eq!(made(&folders), ["a", "a/b", "a/c"].map(|folder| root.path().join(folder)));
        folders.keep([second.as_path()]).unwrap();
        assert_eq!(made(&folders), [root.path().join("a/b")]);
        folders.keep([first.as_path()]).unwrap();
        assert!(made(&folders).is_empty());
    }

    #[test]
    fn a_folder_that_was_made_anew_is_not_taken_for_the_one_that_was_kept() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders::below(root.path().to_owned());
        let folder = root.path().join("a");
        folders.create(&folder).unwrap();
        let number = folders.unsettled().made[&folder];
        folders.remove_empty_above(&folder.join("file"));
        assert!(made(&folders).is_empty(), "what is gone need not be kept");
        folders.create(&folder).unwrap();
        folders.settle(&[(&folder, number)]);
        assert_eq!(made(&folders), [folder]);
    }

    #[test]
    fn a_folder_that_is_made_while_it_is_removed_is_known_as_new_or_gone() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders::below(root.path().to_owned());
        let path = root.path().join("a/file");
        std::thread::scope(|scope| {
            let remove = || _ = folders.remove_empty_above(&path);
            let remover = scope.spawn(move || (0..2000).for_each(|_| remove()));
            while !remover.is_finished() {
                folders.with_folder_of(&path, || fs::write(&path, "x")).unwrap();
                assert_eq!(made(&folders), [root.path().join("a")]);
                fs::remove_file(&path).unwrap();
            }
        });
    }

    #[test]
    fn only_empty_folders_below_the_root_are_removed() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders::below(root.path().to_owned());
        fs::create_dir_all(root.path().join("a/b/c")).unwrap();
        fs::write(root.path().join("a/kept"), "x").unwrap();
        folders.remove_empty_above(&root.path().join("a/b/c/gone"));
        assert!(root.path().join("a/kept").exists());
        assert!(!root.path().join("a/b").exists());
        folders.remove_empty_above(&root.path().join("gone"));
        assert!(root.path().exists());
    }
}
