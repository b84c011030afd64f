//! The error codes of the distribution specification, and those that Docker's registry adds.

use std::fmt;

use serde::{Serialize, Serializer};

/// What went wrong, in the one word that clients compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// `BLOB_UNKNOWN`
    BlobUnknown,
    /// `BLOB_UPLOAD_INVALID`
    BlobUploadInvalid,
    /// `BLOB_UPLOAD_UNKNOWN`
    BlobUploadUnknown,
    /// `DIGEST_INVALID`
    DigestInvalid,
    /// `MANIFEST_BLOB_UNKNOWN`
    ManifestBlobUnknown,
    /// `MANIFEST_INVALID`
    ManifestInvalid,
    /// `MANIFEST_UNKNOWN`
    ManifestUnknown,
    /// `NAME_INVALID`
    NameInvalid,
    /// `NAME_UNKNOWN`
    NameUnknown,
    /// `SIZE_INVALID`
    SizeInvalid,
    /// `UNAUTHORIZED`
    Unauthorized,
    /// `DENIED`
    Denied,
    /// `UNSUPPORTED`
    Unsupported,
    /// `TOOMANYREQUESTS`
    TooManyRequests,
    /// `TAG_INVALID` (Docker)
    TagInvalid,
    /// `RANGE_INVALID` (Docker)
    RangeInvalid,
    /// `PAGINATION_NUMBER_INVALID` (Docker)
    PaginationNumberInvalid,
    /// `UNAVAILABLE` (Docker)
    Unavailable,
    /// `UNKNOWN` (Docker)
    Unknown,
}

impl ErrorCode {
    /// The code as it stands in the body.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Denied => "DENIED",
            Self::Unsupported => "UNSUPPORTED",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::TagInvalid => "TAG_INVALID",
            Self::RangeInvalid => "RANGE_INVALID",
            Self::PaginationNumberInvalid => "PAGINATION_NUMBER_INVALID",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// A sentence for people, for when nothing more exact is known.
    pub fn default_message(self) -> &'static str {
        match self {
            Self::BlobUnknown => "the repository does not have this blob",
            Self::BlobUploadInvalid => "the upload cannot be continued: start it again",
            Self::BlobUploadUnknown => "there is no such upload: it was finished, cancelled or never started",
            Self::DigestInvalid => "the digest does not match the content",
            Self::ManifestBlobUnknown => {
                "the manifest refers to content that the repository does not have: push it first"
            }
            Self::ManifestInvalid => "the manifest is not valid",
            Self::ManifestUnknown => "the repository does not have this manifest",
            Self::NameInvalid => "the repository name is not valid",
            Self::NameUnknown => "there is no such repository",
            Self::SizeInvalid => "the length does not match the content",
            Self::Unauthorized => "authentication is required",
            Self::Denied => "access to this is denied",
            Self::Unsupported => "this operation is not supported",
            Self::TooManyRequests => "too many requests: try again later",
            Self::TagInvalid => "the tag is not valid",
            Self::RangeInvalid => "the range is not valid",
            Self::PaginationNumberInvalid => "the number of entries is not valid",
            Self::Unavailable => "the service is not available at the moment: try again later",
            Self::Unknown => "an unknown error occurred",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
