//! Why something cannot be had through a mirror, as the API can answer it.

use std::{sync::Arc, time::Duration};

use crate::{repository, upstream};

/// The result of a pull through a mirror.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something cannot be had through a mirror. Cheap to clone, since all who wait for the same thing hear of it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Upstream does not have it.
    #[error("the upstream registry does not have it")]
    NotFound,
    /// It is not stored, and upstream is not asked.
    #[error("it is not stored here, and the mirror is offline")]
    Offline,
    /// Upstream was asked too often.
    #[error("the upstream registry was asked too often")]
    RateLimited {
        /// When it may be asked again.
        retry_after: Option<Duration>,
    },
    /// No byte of the blob is in the range.
    #[error("the length of the blob is {size}, and none of it is in the range")]
    RangeNotSatisfiable {
        /// The length of the blob.
        size: u64,
    },
    /// Upstream does not answer, or not as it should.
    #[error(transparent)]
    Upstream(upstream::Error),
    /// What upstream has sent cannot be stored.
    #[error("what the upstream registry has sent cannot be stored")]
    Storage(#[source] Arc<repository::Error>),
}

impl Error {
    /// Whether what is stored may be served in place of an answer of upstream.
    pub(super) fn excuses_stale(&self) -> bool {
        match self {
            Self::Offline | Self::RateLimited { .. } => true,
            Self::Upstream(error) => error.is_temporary(),
            Self::NotFound | Self::RangeNotSatisfiable { .. } | Self::Storage(_) => false,
        }
    }

    /// Whether the storage takes nothing in at the moment, as it may be told to.
    pub(super) fn is_refusal_of_storage(&self) -> bool {
        matches!(self, Self::Storage(error) if refuses(error))
    }
}

/// Whether the storage takes nothing in at the moment: what is pulled then is passed on without being kept.
pub(super) fn refuses(error: &repository::Error) -> bool {
    use repository::Error as Rule;
    matches!(error, Rule::ReadOnly | Rule::LowSpace { .. } | Rule::NoSpace(_))
}

impl From<upstream::Error> for Error {
    fn from(error: upstream::Error) -> Self {
        match error {
            upstream::Error::NotFound { .. } => Self::NotFound,
            upstream::Error::RateLimited { retry_after, .. } => Self::RateLimited { retry_after },
            error => Self::Upstream(error),
        }
    }
}

impl From<repository::Error> for Error {
    fn from(error: repository::Error) -> Self {
        Self::Storage(Arc::new(error))
    }
}
