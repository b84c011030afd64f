//! What can go wrong with an archive.

use std::fmt;
use std::io;
use std::path::PathBuf;

use berth_oci::Digest;

use crate::repository::Error as RepositoryError;

/// The result of reading or writing an archive.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an archive was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file or folder cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The archive broke off while it was read from a stream, or its compression is damaged.
    #[error("the archive broke off after {bytes} bytes: it is damaged, or was not copied to its end")]
    BrokenOff {
        /// How many bytes came, after decompression.
        bytes: u64,
        /// What the reader said.
        source: io::Error,
    },
    /// There is no room for a copy of the archive.
    #[error(
        "the archive cannot be kept in a temporary file in {folder}: name a folder with room for it in TMPDIR"
    )]
    Temporary {
        /// Where it was to be.
        folder: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// These are not the bytes of a tar archive.
    #[error("this is no tar archive, compressed with gzip or zstd or not")]
    NotTar(#[source] io::Error),
    /// The archive is damaged behind its beginning.
    #[error("the archive is damaged or cut off behind {entry}")]
    Damaged {
        /// The last entry that is whole.
        entry: String,
        /// What the reader said.
        source: io::Error,
    },
    /// The archive ends too early.
    #[error("the archive ends in the middle of {entry}: it was not copied to its end")]
    Truncated {
        /// The entry that is not whole.
        entry: String,
    },
    /// The archive has a path that is absolute or leads above its root.
    #[error("the archive names {0:?}, which leads out of it")]
    ClimbingPath(String),
    /// The archive is of another format.
    #[error(
        "the archive holds neither an OCI layout (index.json) nor what docker save writes (manifest.json); \
         archives of Docker before 1.10 have to be saved again"
    )]
    UnknownFormat,
    /// The archive lacks something that it should have.
    #[error("the archive lacks {0}")]
    Missing(String),
    /// The archive lacks a part of an image, and the repository does not have it either.
    #[error("the archive lacks {part}, which {manifest} needs, and the repository does not have it either")]
    Incomplete {
        /// The manifest.
        manifest: Digest,
        /// What it needs.
        part: Box<Digest>,
    },
    /// The archive goes on from another one, which was not taken in.
    #[error(
        "the archive was written with --since, and the registry lacks {part}: import the earlier archive first, the one that \
         --since named"
    )]
    NoBase {
        /// What the earlier archive has.
        part: Digest,
    },
    /// An entry is not what it should be.
    #[error("{entry} in the archive is wrong: {reason}")]
    Invalid {
        /// Its name.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The archive does not say where an image belongs.
    #[error("the archive names no repository for {0}: give one with --repository")]
    NoRepository(Digest),
    /// One tag cannot be given to several images.
    #[error("the archive holds {0} images, and --tag can name only one")]
    SeveralImages(usize),
    /// An image was not taken in or not found.
    #[error("{name}")]
    Repository {
        /// The image.
        name: String,
        /// What the rules said.
        source: RepositoryError,
    },
    /// A stored image lacks a part.
    #[error("{name} cannot be exported: it lacks {part}; push it again")]
    Unstored {
        /// The image.
        name: String,
        /// What is missing.
        part: Digest,
    },
    /// An archive of Docker can only hold images for containers.
    #[error("{0} is no container image: export it with --format oci")]
    NotForDocker(String),
    /// An archive of Docker can only hold images for one platform.
    #[error("{name} has no image for {wanted}, but for {available}: choose one with --platform")]
    NoPlatform {
        /// The image.
        name: String,
        /// The platform that was wanted.
        wanted: String,
        /// Those that there are.
        available: String,
    },
    /// The archive cannot be written.
    #[error("the archive cannot be written")]
    Write(#[source] io::Error),
}

impl Error {
    /// That `entry` is wrong for `reason`.
    pub(super) fn invalid(entry: &str, reason: impl fmt::Display) -> Self {
        Self::Invalid { entry: entry.to_owned(), reason: reason.to_string() }
    }
}
