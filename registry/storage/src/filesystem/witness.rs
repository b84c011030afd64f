//! What tells of a file, without waiting, that it is as it was: a look at it by its name in a folder that is kept open.
//!
//! A look by the whole path would take three times as long, since the system walks through ten folders then. The folder that is
//! kept open is the one at the path for as long as nobody moves folders about; whether somebody has is seen a moment later.
//!
//! The file itself is opened for who wants its bytes, and stays open for a moment only (`opened.rs`): longer, it would keep the room
//! of what was deleted. A file of one block, such as a link, has no such room: it is kept instead of its folder, and a look at it
//! takes half as long as one by its name. An open file has changed, too, when its name was taken away or given to another file.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{AtFlags, Mode, OFlags, fstat, fstatfs, open, openat, stat, statat};

use super::cached::{self, Wait};
use super::identity::{Identity, is_local};
use super::opened::Opened;
use super::{read, version};
use crate::{Body, ObjectMeta, Witness};

/// How long a folder may be taken for the one at its path.
const PLACE_IS_SURE: Duration = Duration::from_millis(50);

/// How large a file may be that is kept, in bytes: as large as the smallest of usual blocks.
const ONE_BLOCK: u64 = 4096;

/// What is kept open, for looks alone.
#[derive(Debug)]
enum Kept {
    File(OwnedFd),
    Folder(OwnedFd),
}

/// A file that is looked at.
#[derive(Debug)]
pub(super) struct FileWitness {
    kept: Kept,
    file: Identity,
    place: PathBuf,
    name: OsString,
    /// The device and the number of the folder.
    folder_number: (u64, u64),
    born: Instant,
    /// When the folder was last seen in its place, in milliseconds after that.
    seen_in_place: AtomicU64,
    /// Whether it can be said of the file what of it is in memory, once somebody has wanted to know.
    can_be_sent: OnceLock<bool>,
    opened: Opened,
}

impl FileWitness {
    /// A witness of the file at `path`, if it is the object of which `meta` tells, and if every change of it will show.
    pub(super) fn of(meta: &ObjectMeta, path: &Path) -> Option<Self> {
        let (place, name) = (path.parent()?, path.file_name()?);
        let look = OFlags::PATH | OFlags::CLOEXEC;
        let folder = open(place, look | OFlags::DIRECTORY, Mode::empty()).ok()?;
        if !is_local(fstatfs(&folder).ok()?) {
            return None;
        }
        let found = openat(&folder, name, look, Mode::empty()).ok()?;
        let file = Identity::from(&fstat(&found).ok()?);
        if Some(version::of_identity(&file)) != meta.version || !file.is_settled(SystemTime::now()) {
            return None;
        }
        let folder_number = number(&folder)?;
        Some(Self {
            kept: if file.size <= ONE_BLOCK { Kept::File(found) } else { Kept::Folder(folder) },
            file,
            place: place.to_owned(),
            name: name.to_owned(),
            folder_number,
            born: Instant::now(),
            seen_in_place: AtomicU64::default(),
            can_be_sent: OnceLock::new(),
            opened: Opened::default(),
        })
    }

    /// The file, if it is as it was, and if it can be opened without waiting.
    fn file(&self) -> Option<Arc<File>> {
        let open = self.opened.get();
        let file = match &open {
            Some(file) => Arc::clone(file),
            None => Arc::new(self.open_anew().ok()?),
        };
        if Identity::from(&fstat(&file).ok()?) != self.file || !self.is_in_place() {
            self.opened.close();
            return None;
        }
        if open.is_none() {
            self.opened.keep(&file);
        }
        Some(file)
    }

    fn open_anew(&self) -> io::Result<File> {
        match &self.kept {
            Kept::File(_) => cached::open(&self.place.join(&self.name), OFlags::RDONLY),
            Kept::Folder(folder) => cached::open_in(folder, &self.name),
        }
    }

    fn is_in_place(&self) -> bool {
        let now = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        let seen = self.seen_in_place.load(Ordering::Relaxed);
        if u128::from(now.saturating_sub(seen)) < PLACE_IS_SURE.as_millis() {
            return true;
        }
        let found = stat(&self.place).is_ok_and(|found| (found.st_dev, found.st_ino) == self.folder_number);
        if found {
            self.seen_in_place.store(now, Ordering::Relaxed);
        }
        found
    }
}

fn number(folder: &OwnedFd) -> Option<(u64, u64)> {
    let found = statat(folder, "", AtFlags::EMPTY_PATH).ok()?;
    Some((found.st_dev, found.st_ino))
}

impl Witness for FileWitness {
    fn holds(&self) -> bool {
        let found = match &self.kept {
            Kept::File(file) => fstat(file),
            Kept::Folder(folder) => statat(folder, &self.name, AtFlags::empty()),
        };
        found.is_ok_and(|found| Identity::from(&found) == self.file) && self.is_in_place()
    }

    fn open(&self, range: Range<u64>) -> Option<Body> {
        let file = self.file()?;
        let can_be_sent = || *self.can_be_sent.get_or_init(|| read::can_be_sent(&file, range.start));
        let length = range.end.checked_sub(range.start)?;
        can_be_sent().then(|| read::part(file, range.start, length, Wait::Never).ok())?
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use futures::TryStreamExt as _;

    use super::super::{
        familiar::Familiar,
        identity::{settled, settled_with},
    };
    use super::*;

    fn witness(path: &Path) -> FileWitness {
        let meta = Familiar::default().meet(&"link".parse().unwrap(), path, Wait::ForDisk).unwrap();
        FileWitness::of(&meta, path).unwrap()
    }

    const CHANGES: [fn(&Path); 6] = [
        |path| fs::write(path, "2").unwrap(),
        |path| fs::remove_file(path).unwrap(),
        |path| {
            fs::write(path.with_extension("next"), "1").unwrap();
            fs::rename(path.with_extension("next"), path).unwrap();
        },
        |path| fs::rename(path, path.with_extension("away")).unwrap(),
        |path| {
            fs::hard_link(path, path.with_extension("other")).unwrap();
            fs::remove_file(path).unwrap();
        },
        |path| fs::remove_dir_all(path.parent().unwrap()).unwrap(),
    ];

    #[test]
    fn every_change_shows() {
        for change in CHANGES {
            let (_root, path) = settled();
            let witness = witness(&path);
            assert!(witness.holds());
            change(&path);
            assert!(!witness.holds());
        }
    }

    #[test]
    fn every_change_shows_to_whoever_wants_the_bytes() {
        for change in CHANGES {
            let (_root, path) = settled_with(&[1; 5000]);
            let witness = witness(&path);
            assert!(witness.holds() && witness.open(0..1).is_some());
            change(&path);
            assert!(!witness.holds() && witness.open(0..1).is_none());
        }
    }

    #[tokio::test]
    async fn every_change_shows_while_the_file_is_open() {
        for change in CHANGES {
            let (_root, path) = settled_with(&[1; 5000]);
            let witness = witness(&path);
            assert!(witness.open(0..1).is_some() && is_open(&path));
            change(&path);
            assert!(witness.open(0..1).is_none() && !is_open(&path));
        }
    }

    #[tokio::test]
    async fn the_part_that_is_wanted_is_opened_whatever_its_length() {
        let (_root, path) = settled_with(&vec![7; 100_000]);
        let witness = witness(&path);
        for (range, is_file) in [(5..9, false), (0..100_000, true), (9..99_999, true)] {
            let length = range.end - range.start;
            let body = witness.open(range).unwrap();
            assert_eq!(matches!(body, Body::File(_)), is_file);
            let chunks: Vec<_> = body.try_collect().await.unwrap();
            assert_eq!(chunks.concat(), vec![7; usize::try_from(length).unwrap()]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_file_stays_open_whose_room_somebody_may_want_back() {
        let (_root, path) = settled_with(&[1; 5000]);
        let witness = witness(&path);
        assert!(witness.open(0..1).is_some() && witness.open(0..1).is_some());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!is_open(&path));
    }

    /// Whether this process has the file open, which may have no name any more.
    fn is_open(path: &Path) -> bool {
        let path = path.to_str().unwrap();
        let is_it = |found: std::io::Result<fs::DirEntry>| {
            let target = found.and_then(|found| fs::read_link(found.path()));
            target.is_ok_and(|target| target.to_str().is_some_and(|target| target.starts_with(path)))
        };
        fs::read_dir("/proc/self/fd").unwrap().any(is_it)
    }

    #[test]
    fn a_folder_that_was_moved_away_is_missed_soon() {
        let (root, path) = settled();
        let witness = witness(&path);
        fs::rename(path.parent().unwrap(), root.path().join("elsewhere")).unwrap();
        while witness.holds() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn nobody_is_a_witness_of_another_version() {
        let (_root, path) = settled();
        let meta = Familiar::default().meet(&"link".parse().unwrap(), &path, Wait::ForDisk).unwrap();
        fs::write(&path, "2").unwrap();
        assert!(FileWitness::of(&meta, &path).is_none());
    }
}
