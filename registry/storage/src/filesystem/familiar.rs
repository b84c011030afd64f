//! Objects that are asked for again and again, such as the link of a tag.
//!
//! A look at such a file by its name costs a microsecond, since the system has it at hand, so that it is taken on the spot. To
//! open and read the file takes four times as long; while it is the same as when it was read, what was read is told again.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use quick_cache::{Weighter, sync::Cache};
use rustix::fs::{OFlags, fstatfs};

use super::cached::Wait;
use super::identity::{Identity, is_local};
use super::read;
use crate::{Key, ObjectMeta};

/// How much is remembered, in bytes.
const CAPACITY: u64 = 2 * 1024 * 1024;

/// What remembering an object takes beside its content, about.
const OVERHEAD: usize = 512;

/// The longest content that is remembered, in bytes. Links and the switches of the registry are shorter.
const LONGEST: u64 = 1024;

/// What is known of such objects.
#[derive(Debug)]
pub(super) struct Familiar {
    known: Cache<Key, Arc<Known>, ByLength>,
    /// A file was seen that lies on another machine.
    is_elsewhere: AtomicBool,
}

/// What was read of a file.
#[derive(Debug)]
pub(super) struct Known {
    file: Identity,
    pub(super) meta: ObjectMeta,
    /// The content, of a small file that may be told again.
    pub(super) content: Option<Bytes>,
}

#[derive(Debug, Clone)]
struct ByLength;

impl Weighter<Key, Arc<Known>> for ByLength {
    fn weight(&self, key: &Key, known: &Arc<Known>) -> u64 {
        (key.as_str().len() + known.content.as_ref().map_or(0, Bytes::len) + OVERHEAD) as u64
    }
}

impl Default for Familiar {
    fn default() -> Self {
        let expected = usize::try_from(CAPACITY).unwrap_or_default() / (2 * OVERHEAD);
        Self {
            known: Cache::with_weighter(expected, CAPACITY, ByLength),
            is_elsewhere: AtomicBool::default(),
        }
    }
}

impl Familiar {
    /// What is known about the object now, if it is a familiar one.
    pub(super) fn head(&self, key: &Key, path: &Path) -> Option<io::Result<ObjectMeta>> {
        let known = self.known.get(key)?;
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(error) => {
                self.known.remove(key);
                return Some(Err(error));
            }
        };
        if Identity::from(&metadata) == known.file {
            return Some(Ok(known.meta.clone()));
        }
        Some(read::meta(key.clone(), &metadata))
    }

    /// The object, if it is as it was read before.
    pub(super) fn read(&self, key: &Key, path: &Path) -> Option<(ObjectMeta, Bytes)> {
        let known = self.known.get(key)?;
        let content = known.content.clone()?;
        let is_same = Identity::from(&path.metadata().ok()?) == known.file;
        is_same.then(|| (known.meta.clone(), content))
    }

    /// Looks at a file for the first time.
    pub(super) fn meet(&self, key: &Key, path: &Path, wait: Wait) -> io::Result<ObjectMeta> {
        let file = read::file(path, OFlags::PATH, wait)?;
        let metadata = file.metadata()?;
        let meta = read::meta(key.clone(), &metadata)?;
        if self.is_local(&file) {
            self.remember(&metadata, &meta, None);
        }
        Ok(meta)
    }

    /// Reads a file.
    pub(super) fn open(&self, key: &Key, path: &Path, wait: Wait) -> io::Result<(ObjectMeta, Bytes)> {
        let file = read::file(path, OFlags::RDONLY, wait)?;
        let metadata = file.metadata()?;
        let meta = read::meta(key.clone(), &metadata)?;
        let content = read::whole(&file, 0, meta.size, wait)?;
        let may_be_told = meta.size <= LONGEST && Identity::from(&metadata).is_settled(SystemTime::now());
        if may_be_told && self.is_local(&file) {
            self.remember(&metadata, &meta, Some(content.clone()));
        }
        Ok((meta, content))
    }

    /// Whether some of the files lie on another machine, where nothing is familiar.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.is_elsewhere.load(Ordering::Relaxed)
    }

    fn is_local(&self, file: &File) -> bool {
        let is_local = fstatfs(file).is_ok_and(is_local);
        if !is_local {
            self.is_elsewhere.store(true, Ordering::Relaxed);
        }
        is_local
    }

    fn remember(&self, metadata: &Metadata, meta: &ObjectMeta, content: Option<Bytes>) {
        let known = Known { file: Identity::from(metadata), meta: meta.clone(), content };
        self.known.insert(meta.key.clone(), Arc::new(known));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::identity::settled;
    use super::*;

    fn key() -> Key {
        "link".parse().unwrap()
    }

    #[test]
    fn what_was_read_is_told_again_until_the_file_changes() {
        let ((root, path), key) = (settled(), key());
        let familiar = Familiar::default();
        assert_eq!(familiar.read(&key, &path), None);
        let read = familiar.open(&key, &path, Wait::ForDisk).unwrap();
        assert_eq!(familiar.read(&key, &path), Some(read));

        let next = root.path().join("next");
        fs::write(&next, "2").unwrap();
        fs::rename(&next, &path).unwrap();
        assert_eq!(familiar.read(&key, &path), None);
        assert_eq!(&familiar.open(&key, &path, Wait::ForDisk).unwrap().1[..], b"2");
    }

    #[test]
    fn a_change_in_place_shows() {
        let ((_root, path), key) = (settled(), key());
        let familiar = Familiar::default();
        familiar.open(&key, &path, Wait::ForDisk).unwrap();
        fs::write(&path, "2").unwrap();
        assert_eq!(familiar.read(&key, &path), None);
    }

    #[test]
    fn what_has_just_changed_is_read_each_time() {
        let root = tempfile::tempdir().unwrap();
        let (path, key) = (root.path().join("link"), key());
        let familiar = Familiar::default();
        fs::write(&path, "1").unwrap();
        familiar.open(&key, &path, Wait::ForDisk).unwrap();
        assert_eq!(familiar.read(&key, &path), None);
    }

    #[test]
    fn a_familiar_object_is_looked_at_and_not_remembered_to_be_there() {
        let ((_root, path), key) = (settled(), key());
        let familiar = Familiar::default();
        assert!(familiar.head(&key, &path).is_none());
        familiar.meet(&key, &path, Wait::ForDisk).unwrap();
        assert_eq!(familiar.head(&key, &path).unwrap().unwrap().size, 1);
        fs::write(&path, "22").unwrap();
        assert_eq!(familiar.head(&key, &path).unwrap().unwrap().size, 2);
        fs::remove_file(&path).unwrap();
        assert_eq!(familiar.head(&key, &path).unwrap().unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn content_that_is_long_is_not_remembered() {
        let ((_root, path), key) = (settled(), key());
        let familiar = Familiar::default();
        fs::write(&path, vec![0; 4096]).unwrap();
        assert_eq!(familiar.open(&key, &path, Wait::ForDisk).unwrap().1.len(), 4096);
        assert_eq!(familiar.read(&key, &path), None);
    }
}
