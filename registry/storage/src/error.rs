//! What can go wrong with an object, in the cases that a caller can act on.

use std::io;

use crate::Key;

/// The result of an operation on objects.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on objects failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such object or upload.
    #[error("{0} does not exist")]
    NotFound(Key),
    /// The object was to be created, and is there already.
    #[error("{0} exists already")]
    AlreadyExists(Key),
    /// The object was to be replaced if it is of a certain version, and it is of another, or gone.
    #[error("{0} was changed by somebody else")]
    VersionMismatch(Key),
    /// The chunk does not start where the upload ends.
    #[error("the upload has {expected} bytes, and the chunk does not start there")]
    OffsetMismatch {
        /// The offset where the next chunk must start.
        expected: u64,
    },
    /// Somebody else is writing to this upload.
    #[error("{0} is being written to")]
    Busy(Key),
    /// The body's stream broke off. What came before is kept.
    #[error("the body broke off after {written} bytes")]
    BodyInterrupted {
        /// How many bytes of this body were kept.
        written: u64,
        /// What the stream said.
        source: io::Error,
    },
    /// The disk, or the quota, is full.
    #[error("no space is left to write {key}")]
    NoSpace {
        /// What was being written.
        key: Key,
        /// What the operating system said.
        source: io::Error,
    },
    /// The storage does not answer as it should; a later attempt may succeed.
    #[error("the storage failed at {key}")]
    Unavailable {
        /// What was being read or written.
        key: Key,
        /// What the operating system said.
        source: io::Error,
    },
    /// Anything else, such as missing permissions; another attempt will not help.
    #[error("the storage refused {key}")]
    Other {
        /// What was being read or written.
        key: Key,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Error {
    /// Whether the same operation may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::BodyInterrupted { .. } | Self::Unavailable { .. })
    }

    /// Whether the object or the upload does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// What `source`, an error of the operating system, means for `key`.
    pub(crate) fn from_io(key: &Key, source: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let key = key.clone();
        match source.kind() {
            // A path of which a part is a file, or that names a folder: nothing is stored under that key.
            Kind::NotFound | Kind::NotADirectory | Kind::IsADirectory => Self::NotFound(key),
            Kind::AlreadyExists => Self::AlreadyExists(key),
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => Self::NoSpace { key, source },
            Kind::PermissionDenied
            | Kind::ReadOnlyFilesystem
            | Kind::InvalidFilename
            | Kind::InvalidInput => Self::Other { key, source },
            _ => Self::Unavailable { key, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_operating_system_are_told_apart_by_what_can_be_done() {
        let from = |code| Error::from_io(&Key::default(), io::Error::from_raw_os_error(code));
        let (enoent, eio, eacces, enospc, edquot) = (2, 5, 13, 28, 122);
        assert!(from(enoent).is_not_found());
        assert!(from(eio).is_transient());
        assert!(matches!(from(eacces), Error::Other { .. }));
        assert!(matches!(from(enospc), Error::NoSpace { .. }));
        assert!(matches!(from(edquot), Error::NoSpace { .. }));
    }
}
