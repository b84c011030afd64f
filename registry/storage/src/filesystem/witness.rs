//! What tells of a file, without waiting, that it is as it was: a look at it by its name in a folder that is kept open.
//!
//! A look by the whole path would take three times as long, since the system walks through ten folders then. The folder that is
//! kept open is the one at the path for as long as nobody moves folders about; whether somebody has is seen a moment later.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{AtFlags, Mode, OFlags, fstatfs, open, stat, statat};

use super::identity::{Identity, is_local};
use super::version;
use crate::{ObjectMeta, Witness};

/// How long a folder may be taken for the one at its path.
const PLACE_IS_SURE: Duration = Duration::from_millis(50);

/// A file that is looked at.
#[derive(Debug)]
pub(super) struct FileWitness {
    folder: OwnedFd,
    name: OsString,
    file: Identity,
    place: PathBuf,
    /// The device and the number of the folder.
    folder_number: (u64, u64),
    born: Instant,
    /// When the folder was last seen in its place, in milliseconds after that.
    seen_in_place: AtomicU64,
}

impl FileWitness {
    /// A witness of the file at `path`, if it is the object of which `meta` tells, and if every change of it will show.
    pub(super) fn of(meta: &ObjectMeta, path: &Path) -> Option<Self> {
        let (place, name) = (path.parent()?, path.file_name()?);
        let folder = open(place, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        if !is_local(fstatfs(&folder).ok()?) {
            return None;
        }
        let found = statat(&folder, name, AtFlags::empty()).ok()?;
        let file = Identity::from(&found);
        if Some(version::of_identity(&file)) != meta.version || !file.is_settled(SystemTime::now()) {
            return None;
        }
        let folder_number = number(&folder)?;
        Some(Self {
            folder,
            name: name.to_owned(),
            file,
            place: place.to_owned(),
            folder_number,
            born: Instant::now(),
            seen_in_place: AtomicU64::default(),
        })
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
        let found = statat(&self.folder, &self.name, AtFlags::empty());
        found.is_ok_and(|found| Identity::from(&found) == self.file) && self.is_in_place()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{cached::Wait, familiar::Familiar, identity::settled};
    use super::*;

    fn witness(path: &Path) -> FileWitness {
        let meta = Familiar::default().meet(&"link".parse().unwrap(), path, Wait::ForDisk).unwrap();
        FileWitness::of(&meta, path).unwrap()
    }

    #[test]
    fn every_change_shows() {
        let changes: [fn(&Path); 4] = [
            |path| fs::write(path, "2").unwrap(),
            |path| fs::remove_file(path).unwrap(),
            |path| {
                fs::write(path.with_extension("next"), "1").unwrap();
                fs::rename(path.with_extension("next"), path).unwrap();
            },
            |path| fs::remove_dir_all(path.parent().unwrap()).unwrap(),
        ];
        for change in changes {
            let (_root, path) = settled();
            let witness = witness(&path);
            assert!(witness.holds());
            change(&path);
            assert!(!witness.holds());
        }
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
