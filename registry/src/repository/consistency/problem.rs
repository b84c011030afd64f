//! What may be wrong with a storage.

use berth_oci::{Digest, RepositoryName, Tag, UploadId};
use serde::Serialize;

use crate::repository::Difference;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "problem", rename_all = "kebab-case")]
pub enum Problem {
    /// The bytes of a blob or manifest are not those that its name promises.
    #[error("the content of {digest} is damaged: it has the digest {actual}")]
    DamagedContent {
        /// Its name.
        digest: Digest,
        /// What its bytes hash to.
        actual: Digest,
    },
    /// The bytes of a blob or manifest cannot be read.
    #[error("the content of {digest} cannot be read: {reason}")]
    UnreadableContent {
        /// Its name.
        digest: Digest,
        /// What the storage said.
        reason: String,
    },
    /// The link to a blob says something else than its name.
    #[error("the link to the blob {digest} is damaged")]
    DamagedBlobLink {
        /// The blob that it should lead to.
        digest: Digest,
    },
    /// A link leads to a blob that is not there.
    #[error("the blob {digest} is linked, but its content is missing")]
    BlobWithoutContent {
        /// The blob.
        digest: Digest,
    },
    /// The link to a manifest says something else than its name.
    #[error("the link to the manifest {digest} is damaged")]
    DamagedManifestLink {
        /// The manifest that it should lead to.
        digest: Digest,
    },
    /// A link leads to a manifest that is not there.
    #[error("the manifest {digest} is linked, but its content is missing")]
    ManifestWithoutContent {
        /// The manifest.
        digest: Digest,
    },
    /// A tag does not say what it points at.
    #[error("the tag {tag} is damaged")]
    DamagedTag {
        /// The tag.
        tag: Tag,
    },
    /// A tag points at a manifest that the repository does not have.
    #[error("the tag {tag} points at {digest}, which is missing")]
    TagWithoutManifest {
        /// The tag.
        tag: Tag,
        /// What it points at.
        digest: Digest,
    },
    /// The repository lacks something that a manifest needs, or has it damaged.
    #[error("the manifest {manifest} needs {part}, which is missing or damaged: push the image again")]
    MissingPart {
        /// The manifest.
        manifest: Digest,
        /// What it needs.
        part: Digest,
    },
    /// The index of referrers lacks a manifest that has a subject.
    #[error("the index of referrers does not say that {referrer} refers to {subject}")]
    ReferrerNotIndexed {
        /// What is referred to.
        subject: Digest,
        /// What refers to it.
        referrer: Digest,
    },
    /// The index of referrers lists a manifest that is gone, or that has another subject.
    #[error("the index of referrers says that {referrer} refers to {subject}, which is not so")]
    StaleReferrer {
        /// What is said to be referred to.
        subject: Digest,
        /// What is said to refer to it.
        referrer: Digest,
    },
    /// An upload that nobody has continued for a long time.
    #[error("the upload {upload} was left unfinished")]
    AbandonedUpload {
        /// The upload.
        upload: UploadId,
    },
}

impl From<Difference> for Problem {
    fn from(difference: Difference) -> Self {
        match difference {
            Difference::Missing { subject, referrer } => Self::ReferrerNotIndexed { subject, referrer },
            Difference::Stale { subject, referrer } => Self::StaleReferrer { subject, referrer },
        }
    }
}

/// A problem, where it is, and whether it is one still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The repository that has the problem; none for content, which all repositories share.
    pub repository: Option<RepositoryName>,
    /// What is wrong.
    #[serde(flatten)]
    pub problem: Problem,
    /// Whether it was repaired.
    pub repaired: bool,
}
