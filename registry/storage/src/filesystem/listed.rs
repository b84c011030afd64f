//! Folders whose names are asked for again and again, such as that of the tags of a repository.
//!
//! To read a folder of ten thousand names takes milliseconds, and one look tells whether it is as it was: whatever is added to
//! a folder, taken from it or renamed in it changes its times. Where that might not show, nothing is remembered
//! (`identity.rs`), so that the next request sees what any process has done before.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use quick_cache::{Weighter, sync::Cache};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, RawDir, Stat, fstat, fstatfs, stat, statat};

use super::identity::{Identity, is_local};
use super::looks::Looks;
use super::temporary::is_temporary;
use super::write::is_absent;
use crate::{Key, Names};

/// How much is remembered, in bytes: more than two hundred thousand names in one folder, or those of seven thousand small ones.
const CAPACITY: u64 = 4 * 1024 * 1024;

/// What remembering a folder takes beside its names, about.
const OVERHEAD: usize = 448;

/// With so few expected, all share the whole capacity, and one large folder may take most of it.
const EXPECTED: usize = 32;

/// How much is read of a folder at once, in bytes.
const ROOM: usize = 32 * 1024;

/// What is known of such folders.
#[derive(Debug)]
pub(super) struct Listed(Cache<Box<str>, Arc<Folder>, ByLength>);

/// The names in a folder, as it was when it was read.
#[derive(Debug, Default)]
pub(super) struct Folder {
    identity: Option<Identity>,
    pub(super) names: Names,
    /// Below which of them an object was seen.
    pub(super) looks: Looks,
}

#[derive(Debug, Clone)]
struct ByLength;

impl Weighter<Box<str>, Arc<Folder>> for ByLength {
    fn weight(&self, key: &Box<str>, folder: &Arc<Folder>) -> u64 {
        (key.len() + folder.names.size() + OVERHEAD) as u64
    }
}

impl Default for Listed {
    fn default() -> Self {
        Self(Cache::with_weighter(EXPECTED, CAPACITY, ByLength))
    }
}

impl Listed {
    /// The folder, if it is as it was read before.
    pub(super) fn known(&self, key: &Key, path: &Path) -> Option<Arc<Folder>> {
        self.unless_changed(key.as_str(), || stat(path).ok())
    }

    /// The folders of these names below one, each if it is as it was read before. The way to all of them is gone once.
    pub(super) fn known_below(&self, key: &Key, path: &Path, names: &Names) -> Vec<Option<Arc<Folder>>> {
        let Ok(Some(above)) = open(path, OFlags::PATH) else { return vec![None; names.len()] };
        let mut text = format!("{key}/");
        let start = text.len();
        let known = names.iter().map(|name| {
            text.truncate(start);
            text.push_str(name);
            self.unless_changed(&text, || statat(&above, name, AtFlags::empty()).ok())
        });
        known.collect()
    }

    fn unless_changed(&self, key: &str, look: impl FnOnce() -> Option<Stat>) -> Option<Arc<Folder>> {
        let folder = self.0.get(key)?;
        let is_same = look().is_some_and(|found| Some(Identity::from(&found)) == folder.identity);
        if !is_same {
            self.0.remove(key);
            return None;
        }
        Some(folder)
    }

    /// Reads the folder; one that is absent has no names. `None` of a folder on another machine, where it is better to look for
    /// several objects at once than for one after the other.
    ///
    /// It is looked at before it is read: what changes meanwhile makes it another.
    pub(super) fn read(&self, key: &Key, path: &Path) -> io::Result<Option<Arc<Folder>>> {
        let Some(opened) = open(path, OFlags::RDONLY)? else { return Ok(Some(Arc::default())) };
        if !is_local(fstatfs(&opened)?) {
            return Ok(None);
        }
        let identity = Identity::from(&fstat(&opened)?);
        let names = sorted_names(&opened)?.into_iter().collect();
        let folder = Arc::new(Folder { identity: Some(identity), names, looks: Looks::default() });
        if identity.is_settled(SystemTime::now()) {
            self.0.insert(key.as_str().into(), Arc::clone(&folder));
        }
        Ok(Some(folder))
    }
}

/// Opens a folder; `None` when there is none.
pub(super) fn open(path: &Path, flags: OFlags) -> io::Result<Option<OwnedFd>> {
    let flags = flags | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()).map_err(io::Error::from) {
        Err(error) if is_absent(&error) => Ok(None),
        opened => Ok(Some(opened?)),
    }
}

/// The names in an open folder, in byte order. One that is not text cannot belong to an object.
pub(super) fn sorted_names(folder: impl AsFd) -> io::Result<Vec<String>> {
    let mut room = Box::new_uninit_slice(ROOM);
    let (mut entries, mut names) = (RawDir::new(folder, &mut room), Vec::new());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        match entry.file_name().to_str() {
            Ok("." | "..") | Err(_) => {}
            Ok(name) if is_temporary(name) => {}
            Ok(name) => names.push(name.to_owned()),
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn key() -> Key {
        "tags".parse().unwrap()
    }

    /// Folders of three names each that have changed long enough ago, and what is known of them.
    fn settled<const N: usize>() -> [(tempfile::TempDir, Listed); N] {
        let folders = [(); N].map(|()| {
            let root = tempfile::tempdir().unwrap();
            for name in ["b", "a", "c"] {
                fs::create_dir(root.path().join(name)).unwrap();
            }
            (root, Listed::default())
        });
        for (root, listed) in &folders {
            while listed.known(&key(), root.path()).is_none() {
                listed.read(&key(), root.path()).unwrap();
            }
        }
        folders
    }

    fn names(folder: &Folder) -> Vec<&str> {
        folder.names.iter().collect()
    }

    #[test]
    fn a_folder_is_known_until_a_name_comes_goes_or_changes() {
        let changes: [fn(&Path); 4] = [
            |root| fs::create_dir(root.join("d")).unwrap(),
            |root| fs::remove_dir(root.join("a")).unwrap(),
            |root| fs::rename(root.join("a"), root.join("d")).unwrap(),
            |root| fs::remove_dir_all(root).unwrap(),
        ];
        for ((root, listed), change) in settled::<4>().into_iter().zip(changes) {
            assert_eq!(names(&listed.known(&key(), root.path()).unwrap()), ["a", "b", "c"]);
            change(root.path());
            assert!(listed.known(&key(), root.path()).is_none());
        }
    }

    #[test]
    fn folders_below_one_are_known_each_for_itself() {
        let [(root, listed)] = settled();
        let keys = ["a", "b"].map(|name| key().join(name));
        while keys
            .iter()
            .any(|folder| listed.known(folder, &root.path().join(&folder.as_str()[5..])).is_none())
        {
            for name in ["a", "b"] {
                listed.read(&key().join(name), &root.path().join(name)).unwrap();
            }
        }
        let all = ["a", "absent", "b", "c"].into_iter().collect();
        let known =
            || listed.known_below(&key(), root.path(), &all).iter().map(Option::is_some).collect::<Vec<_>>();
        assert_eq!(known(), [true, false, true, false]);
        fs::write(root.path().join("b/new"), "").unwrap();
        assert_eq!(known(), [true, false, false, false]);
        fs::remove_dir_all(root.path()).unwrap();
        assert_eq!(known(), [false; 4]);
    }

    #[test]
    fn a_folder_that_has_just_changed_is_read_each_time() {
        let [(root, listed)] = settled();
        fs::create_dir(root.path().join("d")).unwrap();
        assert_eq!(names(&listed.read(&key(), root.path()).unwrap().unwrap()), ["a", "b", "c", "d"]);
        assert!(listed.known(&key(), root.path()).is_none());
    }

    #[test]
    fn a_folder_with_the_names_of_another_is_not_taken_for_it() {
        let [(root, listed), (other, _)] = settled();
        let path = root.path().join("a");
        fs::rename(other.path(), &path).unwrap();
        assert!(listed.known(&key(), &path).is_none());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_one_large_folder_has_room() {
        let listed = Listed::default();
        let folder = |count: usize| {
            let names = (0..count).map(|number| format!("{number:06}")).collect();
            Arc::new(Folder { identity: None, names, looks: Looks::default() })
        };
        listed.0.insert("tags".into(), folder(200_000));
        assert!(listed.0.get("tags").is_some());
        for number in 0..20_000 {
            listed.0.insert(format!("tags/{number}").into(), folder(4));
        }
        assert!(listed.0.weight() <= CAPACITY);
    }

    #[test]
    fn an_absent_folder_and_a_file_have_no_names() {
        let (root, listed) = (tempfile::tempdir().unwrap(), Listed::default());
        fs::write(root.path().join("file"), "").unwrap();
        for name in ["absent", "file", "absent/below"] {
            assert!(listed.read(&key(), &root.path().join(name)).unwrap().unwrap().names.is_empty());
        }
    }
}
