//! Why an image was not copied.

use berth_oci::{Digest, InvalidManifest};

use crate::{repository, upstream};

/// What a step of a copy comes to.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an image was not copied.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A registry did not do what it was asked for.
    #[error(transparent)]
    Registry(#[from] upstream::Error),
    /// A storage did not.
    #[error(transparent)]
    Storage(#[from] repository::Error),
    /// A manifest cannot be read.
    #[error("the manifest {digest} cannot be read")]
    Manifest {
        /// Which one.
        digest: Digest,
        /// What is wrong with it.
        source: InvalidManifest,
    },
    /// The source does not have what it tells of.
    #[error("the source does not have {0}")]
    Missing(String),
    /// Indexes list indexes that list indexes, and so on.
    #[error("too many indexes are nested below {0}")]
    TooDeep(Digest),
}

impl Error {
    /// Whether the same step may succeed a little later.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_temporary(),
            _ => false,
        }
    }

    /// With all its causes, on one line.
    pub fn with_causes(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |error| error.source());
        causes.fold(self.to_string(), |told, cause| format!("{told}: {cause}"))
    }
}
