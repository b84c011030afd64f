//! Objects that are asked for again and again, such as the link of a tag.
//!
//! A look at such a file by its name costs a microsecond, since the system has it at hand, and the way to the blocking pool ten
//! times as much; so the look is taken on the spot. While the file is the same as when it was read, what was read is told again.
//!
//! Whether it is the same shows in its number and in the time of its last change. Two things could hide a change, and are
//! left out: a file that was changed so lately that the clock of the file system may not have moved on since, and a file
//! on another machine, of which this one may be shown what was true some seconds ago.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use quick_cache::{Weighter, sync::Cache};
use rustix::fs::{StatFs, fstatfs, statfs};

use super::read::meta;
use crate::{Key, ObjectMeta};

/// How much is remembered, in bytes.
const CAPACITY: u64 = 2 * 1024 * 1024;

/// What remembering an object takes beside its content, about.
const OVERHEAD: usize = 512;

/// The longest content that is remembered, in bytes. Links and the switches of the registry are shorter.
const LONGEST: u64 = 1024;

/// How long ago a file must have changed for its next change to show. Clocks of file systems stand still for some milliseconds.
const SETTLED: Duration = Duration::from_secs(1);

/// File systems of this machine alone, by the numbers that `statfs(2)` gives: ext2 to ext4, XFS, Btrfs, tmpfs, overlayfs, F2FS,
/// ZFS, bcachefs.
const LOCAL: [u32; 8] =
    [0x0000_ef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0xf2f5_2010, 0x2fc1_2fc1, 0xca45_1a4e];

/// What is known of such objects.
#[derive(Debug)]
pub(super) struct Familiar(Cache<Key, Arc<Known>, ByLength>);

/// What was read of a file.
#[derive(Debug)]
pub(super) struct Known {
    file: Identity,
    pub(super) meta: ObjectMeta,
    /// The content, of a small file that may be told again.
    pub(super) content: Option<Bytes>,
}

/// What tells a file from every other, and from itself before a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether every later change will show.
    fn is_settled(&self, now: SystemTime) -> bool {
        let (Ok(seconds), Ok(nanoseconds)) = (self.changed.0.try_into(), self.changed.1.try_into()) else {
            return false;
        };
        let changed = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds);
        now.duration_since(changed).is_ok_and(|age| age > SETTLED)
    }
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
        Self(Cache::with_weighter(expected, CAPACITY, ByLength))
    }
}

impl Familiar {
    /// What is known about the object now, if it is a familiar one.
    pub(super) fn head(&self, key: &Key, path: &Path) -> Option<io::Result<ObjectMeta>> {
        let known = self.0.get(key)?;
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(error) => {
                self.0.remove(key);
                return Some(Err(error));
            }
        };
        if Identity::of(&metadata) == known.file {
            return Some(Ok(known.meta.clone()));
        }
        Some(meta(key.clone(), &metadata))
    }

    /// The object, if it is as it was read before.
    pub(super) fn read(&self, key: &Key, path: &Path) -> Option<(ObjectMeta, Bytes)> {
        let known = self.0.get(key)?;
        let content = known.content.clone()?;
        let is_same = Identity::of(&path.metadata().ok()?) == known.file;
        is_same.then(|| (known.meta.clone(), content))
    }

    /// Looks at a file for the first time, on the blocking pool.
    pub(super) fn meet(&self, key: &Key, path: &Path) -> io::Result<ObjectMeta> {
        let metadata = path.metadata()?;
        let meta = meta(key.clone(), &metadata)?;
        if statfs(path).is_ok_and(is_local) {
            self.remember(&metadata, &meta, None);
        }
        Ok(meta)
    }

    /// Reads a file, on the blocking pool.
    pub(super) fn open(&self, key: &Key, path: &Path) -> io::Result<(ObjectMeta, Bytes)> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let meta = meta(key.clone(), &metadata)?;
        let mut content = Vec::with_capacity(usize::try_from(meta.size).map_err(io::Error::other)?);
        file.read_to_end(&mut content)?;
        let content = Bytes::from(content);
        let may_be_told = meta.size <= LONGEST && Identity::of(&metadata).is_settled(SystemTime::now());
        if may_be_told && fstatfs(&file).is_ok_and(is_local) {
            self.remember(&metadata, &meta, Some(content.clone()));
        }
        Ok((meta, content))
    }

    fn remember(&self, metadata: &Metadata, meta: &ObjectMeta, content: Option<Bytes>) {
        let known = Known { file: Identity::of(metadata), meta: meta.clone(), content };
        self.0.insert(meta.key.clone(), Arc::new(known));
    }
}

fn is_local(file_system: StatFs) -> bool {
    u32::try_from(file_system.f_type & 0xffff_ffff).is_ok_and(|number| LOCAL.contains(&number))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A file that changed long enough ago, and its key.
    fn settled() -> (tempfile::TempDir, std::path::PathBuf, Key) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("link");
        fs::write(&path, "1").unwrap();
        while !Identity::of(&path.metadata().unwrap()).is_settled(SystemTime::now()) {
            std::thread::yield_now();
        }
        (root, path, "link".parse().unwrap())
    }

    #[test]
    fn what_was_read_is_told_again_until_the_file_changes() {
        let (root, path, key) = settled();
        let familiar = Familiar::default();
        assert_eq!(familiar.read(&key, &path), None);
        let read = familiar.open(&key, &path).unwrap();
        assert_eq!(familiar.read(&key, &path), Some(read));

        let next = root.path().join("next");
        fs::write(&next, "2").unwrap();
        fs::rename(&next, &path).unwrap();
        assert_eq!(familiar.read(&key, &path), None);
        assert_eq!(&familiar.open(&key, &path).unwrap().1[..], b"2");
    }

    #[test]
    fn a_change_in_place_shows() {
        let (_root, path, key) = settled();
        let familiar = Familiar::default();
        familiar.open(&key, &path).unwrap();
        fs::write(&path, "2").unwrap();
        assert_eq!(familiar.read(&key, &path), None);
    }

    #[test]
    fn what_has_just_changed_is_read_each_time() {
        let root = tempfile::tempdir().unwrap();
        let (path, key) = (root.path().join("link"), "link".parse().unwrap());
        let familiar = Familiar::default();
        fs::write(&path, "1").unwrap();
        familiar.open(&key, &path).unwrap();
        assert_eq!(familiar.read(&key, &path), None);
    }

    #[test]
    fn a_familiar_object_is_looked_at_and_not_remembered_to_be_there() {
        let (_root, path, key) = settled();
        let familiar = Familiar::default();
        assert!(familiar.head(&key, &path).is_none());
        familiar.meet(&key, &path).unwrap();
        assert_eq!(familiar.head(&key, &path).unwrap().unwrap().size, 1);
        fs::write(&path, "22").unwrap();
        assert_eq!(familiar.head(&key, &path).unwrap().unwrap().size, 2);
        fs::remove_file(&path).unwrap();
        assert_eq!(familiar.head(&key, &path).unwrap().unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn content_that_is_long_is_not_remembered() {
        let (_root, path, key) = settled();
        let familiar = Familiar::default();
        fs::write(&path, vec![0; 4096]).unwrap();
        assert_eq!(familiar.open(&key, &path).unwrap().1.len(), 4096);
        assert_eq!(familiar.read(&key, &path), None);
    }
}
