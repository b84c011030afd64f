//! Values that are read from files and read again when the files change: passwords, access rules, certificates. Each tells by
//! a digest which state of its files is in force.
//!
//! Changes are found by polling, because Kubernetes swaps symbolic links above the files, which notification
//! interfaces do not report for the files themselves. What the bytes mean is left to the caller's parser.

mod follow;
mod in_force;

use std::{
    error::Error,
    fmt, io,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use berth_oci::Digest;
use sha2::{Digest as _, Sha256};

pub use follow::{Refresh, follow};
pub use in_force::{FileDigest, InForce};

/// How often the files are looked at.
pub const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Turns the contents of the files, in the order of their paths, into the value.
pub type Parser<T> = dyn Fn(&[Vec<u8>]) -> Result<T, Box<dyn Error + Send + Sync>> + Send + Sync;

/// Why a value could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file is missing or not readable.
    #[error("cannot read {what} {}", .path.display())]
    Unreadable {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The contents are not what they should be.
    #[error("{what} {} cannot be used", list(.paths))]
    Invalid {
        /// What the files are for.
        what: &'static str,
        /// The files.
        paths: Vec<PathBuf>,
        /// What is wrong with them.
        source: Box<dyn Error + Send + Sync>,
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" with ")
}

/// A value that follows its files.
pub struct Reloading<T> {
    what: &'static str,
    paths: Vec<PathBuf>,
    parse: Box<Parser<T>>,
    seen: Mutex<Vec<Option<Fingerprint>>>,
    current: RwLock<Read<T>>,
}

/// The value and what it was made of.
struct Read<T> {
    value: Arc<T>,
    /// The digest of each file, in the order of the paths.
    digests: Vec<Digest>,
}

/// What tells one state of a file from the next without reading it: device, inode, length, time of change.
type Fingerprint = (u64, u64, u64, i64, i64);

impl<T> fmt::Debug for Reloading<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What was read may be secret.
        f.debug_struct("Reloading")
            .field("what", &self.what)
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

impl<T> Reloading<T> {
    /// Reads the files for the first time; `what` names them in errors and log lines.
    pub fn open(
        what: &'static str,
        paths: Vec<PathBuf>,
        parse: impl Fn(&[Vec<u8>]) -> Result<T, Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
    ) -> Result<Self, LoadError> {
        // Taken before the files are read: a change in between is found by the next look.
        let seen = fingerprints(&paths);
        let read = load(what, &paths, &parse)?;
        let (seen, current) = (Mutex::new(seen), RwLock::new(read));
        Ok(Self { what, paths, parse: Box::new(parse), seen, current })
    }

    /// The value as of the last good reading.
    pub fn current(&self) -> Arc<T> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).value)
    }

    /// The files with the digests of the bytes that the value was made of.
    pub fn digests(&self) -> Vec<FileDigest> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        self.paths.iter().cloned().zip(current.digests.iter().copied()).collect()
    }

    /// Reads the files again if they have changed, and tells whether they had. If they cannot be used, the value stays
    /// and a line is logged.
    pub fn refresh(&self) -> bool {
        let now = fingerprints(&self.paths);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now {
            return false;
        }
        *seen = now;
        match load(self.what, &self.paths, &*self.parse) {
            Ok(read) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = read;
                tracing::info!(files = list(&self.paths), "{} changed and was read again", self.what);
            }
            Err(error) => tracing::error!(
                error = &error as &dyn Error,
                "{} changed and cannot be used: the last good version stays in force",
                self.what
            ),
        }
        true
    }
}

fn load<T>(what: &'static str, paths: &[PathBuf], parse: &Parser<T>) -> Result<Read<T>, LoadError> {
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|source| LoadError::Unreadable { what, path: path.clone(), source })
    };
    let contents = paths.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let value =
        parse(&contents).map_err(|source| LoadError::Invalid { what, paths: paths.to_vec(), source })?;
    let digests = contents.iter().map(|content| Digest::sha256(Sha256::digest(content).into())).collect();
    Ok(Read { value: Arc::new(value), digests })
}

fn fingerprints(paths: &[PathBuf]) -> Vec<Option<Fingerprint>> {
    paths
        .iter()
        .map(|path| {
            let file = std::fs::metadata(path).ok()?;
            Some((file.dev(), file.ino(), file.len(), file.ctime(), file.ctime_nsec()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn number(contents: &[Vec<u8>]) -> Result<u32, Box<dyn Error + Send + Sync>> {
        Ok(std::str::from_utf8(&contents[0])?.parse()?)
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        std::fs::write(&path, "1").unwrap();
        let value = Reloading::open("the number", vec![path.clone()], number).unwrap();
        std::fs::write(&path, "22").unwrap();
        assert!(value.refresh() && !value.refresh());
        assert_eq!(*value.current(), 22);
    }

    #[test]
    fn a_swapped_symbolic_link_counts_as_a_change() {
        let folder = tempfile::tempdir().unwrap();
        for version in ["1", "2"] {
            std::fs::create_dir(folder.path().join(version)).unwrap();
            std::fs::write(folder.path().join(version).join("number"), version).unwrap();
        }
        let (data, path) = (folder.path().join("data"), folder.path().join("data/number"));
        symlink("1", &data).unwrap();
        let value = Reloading::open("the number", vec![path], number).unwrap();
        symlink("2", folder.path().join("next")).unwrap();
        std::fs::rename(folder.path().join("next"), &data).unwrap();
        value.refresh();
        assert_eq!(*value.current(), 2);
    }

    #[test]
    fn a_broken_new_version_keeps_the_last_good_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        std::fs::write(&path, "1").unwrap();
        let value = Reloading::open("the number", vec![path.clone()], number).unwrap();
        std::fs::write(&path, "one hundred").unwrap();
        let digests = value.digests();
        value.refresh();
        assert_eq!(*value.current(), 1);
        assert_eq!(value.digests(), digests, "what is told is what is in force");
    }

    #[test]
    fn what_is_in_force_is_told_by_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        std::fs::write(&path, "1").unwrap();
        let value = Reloading::open("the number", vec![path.clone()], number).unwrap();
        let digest_of_1 = "sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b";
        assert_eq!(value.digests(), [(path.clone(), digest_of_1.parse().unwrap())]);
        std::fs::write(&path, "22").unwrap();
        value.refresh();
        assert_ne!(value.digests()[0].1.to_string(), digest_of_1);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Reloading::open("the number", vec!["/nonexistent/number".into()], number).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the number /nonexistent/number");
    }
}
