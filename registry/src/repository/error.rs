//! What the rules answer when something cannot be done.

use berth_oci::{Digest, InvalidManifest, Reference, RepositoryName, UploadId};
use berth_storage::Error as StorageError;

use super::room::Readable;

/// The result of an operation on a repository.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on a repository was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repository has no manifest and never was pushed to.
    #[error("there is no repository {0}")]
    NameUnknown(RepositoryName),
    /// The repository does not have the blob.
    #[error("the repository does not have the blob {0}")]
    BlobUnknown(Digest),
    /// The repository does not have the manifest.
    #[error("the repository does not have the manifest {0}")]
    ManifestUnknown(Reference),
    /// The manifest needs content that the repository does not have.
    #[error("the manifest refers to {0}, which the repository does not have: push it first")]
    ManifestBlobUnknown(Digest),
    /// The bytes are not a manifest that can be kept.
    #[error(transparent)]
    ManifestInvalid(#[from] InvalidManifest),
    /// A layer of the manifest names a URL that the configuration does not allow.
    #[error("a layer names the URL {0}, which validation.manifests.urls does not allow")]
    UrlNotAllowed(String),
    /// A manifest of schema 1 was pushed.
    #[error("manifests of schema 1 are no longer taken in: push with a newer client")]
    ManifestObsolete,
    /// There is no such upload.
    #[error("there is no upload {0}: it was finished, cancelled or never started")]
    UploadUnknown(UploadId),
    /// Another request is writing to the upload.
    #[error("another request is writing to this upload: try again when it has ended")]
    UploadBusy,
    /// The chunk does not start where the upload ends.
    #[error("the length of the upload is {expected}: continue there")]
    OffsetMismatch {
        /// How many bytes the upload has.
        expected: u64,
    },
    /// The content has another digest than the client said. An upload is dropped.
    #[error("the content has the digest {actual}, not {expected}")]
    DigestMismatch {
        /// What the client said.
        expected: Digest,
        /// What the content is.
        actual: Box<Digest>,
    },
    /// The chunk has another length than its range.
    #[error("the length of the chunk is {actual}, and that of its range is {expected}")]
    SizeInvalid {
        /// The length of the range.
        expected: u64,
        /// How many bytes were kept.
        actual: u64,
    },
    /// No byte of the blob is in the range.
    #[error("the length of the blob is {size}, and none of it is in the range")]
    RangeNotSatisfiable {
        /// The length of the blob.
        size: u64,
    },
    /// The manifest is larger than the configured limit.
    #[error("the manifest is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// What the client wants to be true of the tag or digest is not.
    #[error("{}", precondition_failed(.reference, .current.as_deref()))]
    PreconditionFailed {
        /// What was to be changed.
        reference: Reference,
        /// What it points at.
        current: Option<Box<Digest>>,
    },
    /// Deletion is switched off in the configuration.
    #[error("deletion is switched off: set storage.delete.enabled to true to allow it")]
    DeleteDisabled,
    /// The registry is in read-only mode.
    #[error("the registry is read-only at the moment")]
    ReadOnly,
    /// The storage is nearly full, and what is left is kept free of pushes.
    #[error(
        "the storage is nearly full: {} are free and the last {} are kept back, so that pushes are refused until \
         something is deleted",
        Readable(*.free),
        Readable(*.reserve)
    )]
    LowSpace {
        /// What is free, in bytes.
        free: u64,
        /// What is kept free of pushes, in bytes.
        reserve: u64,
    },
    /// The client's body broke off.
    #[error("the body broke off")]
    BodyInterrupted(#[source] StorageError),
    /// The storage is full.
    #[error("no space is left in the storage")]
    NoSpace(#[source] StorageError),
    /// The storage does not answer as it should; a later attempt may succeed.
    #[error("the storage is not available")]
    Unavailable(#[source] StorageError),
    /// The storage failed in another way.
    #[error("the storage failed")]
    Storage(#[source] StorageError),
}

fn precondition_failed(reference: &Reference, current: Option<&Digest>) -> String {
    match current {
        Some(current) => format!("{reference} is at {current} now, which the request does not expect"),
        None => format!("{reference} does not exist, which the request does not expect"),
    }
}

impl From<StorageError> for Error {
    /// What a failure of the storage means where its not-found has no meaning of its own.
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Busy(_) => Self::UploadBusy,
            StorageError::OffsetMismatch { expected } => Self::OffsetMismatch { expected },
            StorageError::BodyInterrupted { .. } => Self::BodyInterrupted(error),
            StorageError::NoSpace { .. } => Self::NoSpace(error),
            StorageError::Unavailable { .. } => Self::Unavailable(error),
            StorageError::NotFound(_)
            | StorageError::AlreadyExists(_)
            | StorageError::VersionMismatch(_)
            | StorageError::Other { .. } => Self::Storage(error),
        }
    }
}
