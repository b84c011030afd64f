//! What a failure of the S3 server means for whoever works with an object.

use std::error::Error as StdError;
use std::io;

use hyper::StatusCode;
use object_store::Error as S3Error;
use object_store::client::{HttpError, HttpErrorKind};

use super::http::NotImplemented;
use crate::{Error, Key};

/// A request was answered with a failure.
#[derive(Debug, thiserror::Error)]
#[error("the S3 server answered {status}: {body}")]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) body: String,
}

/// What `error` means for `key`.
pub(super) fn explain(key: &Key, error: S3Error) -> Error {
    let key = key.clone();
    if says(&error, "NoSuchBucket") {
        return Error::Other { key, source: io::Error::new(io::ErrorKind::NotFound, error) };
    }
    match &error {
        S3Error::NotFound { .. } => Error::NotFound(key),
        _ if is_unknown_upload(&error) => Error::NotFound(key),
        _ if is_conflict(&error) => Error::Unavailable { key, source: io::Error::other(error) },
        S3Error::AlreadyExists { .. } => Error::AlreadyExists(key),
        S3Error::PermissionDenied { .. } | S3Error::Unauthenticated { .. } => {
            Error::Other { key, source: io::Error::new(io::ErrorKind::PermissionDenied, error) }
        }
        S3Error::InvalidPath { .. } | S3Error::NotSupported { .. } | S3Error::NotImplemented { .. } => {
            Error::Other { key, source: io::Error::new(io::ErrorKind::Unsupported, error) }
        }
        _ if is_not_implemented(&error) => {
            Error::Other { key, source: io::Error::new(io::ErrorKind::Unsupported, error) }
        }
        _ if is_full(&error) => {
            Error::NoSpace { key, source: io::Error::new(io::ErrorKind::StorageFull, error) }
        }
        _ => Error::Unavailable { key, source: io::Error::other(error) },
    }
}

/// What it means that a request about `key` cannot be written down.
pub(super) fn invalid(key: &Key, error: impl StdError + Send + Sync + 'static) -> Error {
    Error::Other { key: key.clone(), source: io::Error::new(io::ErrorKind::InvalidInput, error) }
}

/// What the end of a transfer means for `key`.
pub(super) fn explain_transfer(key: &Key, error: HttpError) -> Error {
    let key = key.clone();
    match error.kind() {
        HttpErrorKind::Timeout => {
            Error::Unavailable { key, source: io::Error::new(io::ErrorKind::TimedOut, error) }
        }
        HttpErrorKind::Decode => {
            Error::Other { key, source: io::Error::new(io::ErrorKind::Unsupported, error) }
        }
        _ => Error::Unavailable { key, source: io::Error::other(error) },
    }
}

/// What a refusal means for `key`.
pub(super) fn explain_answer(key: &Key, answered: Answered) -> Error {
    let (key, says) = (key.clone(), |code: &str| answered.body.contains(code));
    match answered.status {
        StatusCode::NOT_FOUND if !says("NoSuchBucket") => Error::NotFound(key),
        StatusCode::INSUFFICIENT_STORAGE => {
            Error::NoSpace { key, source: io::Error::new(io::ErrorKind::StorageFull, answered) }
        }
        // A success that turned out to be a failure is one that passes.
        status if status.is_success() || is_worth_asking_again(status) => {
            Error::Unavailable { key, source: io::Error::other(answered) }
        }
        _ => Error::Other { key, source: io::Error::other(answered) },
    }
}

/// Whether the bytes of the request were others when they arrived.
pub(super) fn is_damaged(error: &Error) -> bool {
    let says = |source: &io::Error, code| source.to_string().contains(code);
    matches!(error, Error::Other { source, .. }
        if says(source, "BadDigest") || says(source, "XAmzContentChecksumMismatch"))
}

/// Whether the same request may be answered otherwise soon.
pub(super) fn is_worth_asking_again(status: StatusCode) -> bool {
    let is_throttled = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    is_throttled || (status.is_server_error() && status != StatusCode::INSUFFICIENT_STORAGE)
}

/// Whether a condition did not hold. That two requests meet at the same object says nothing about it.
pub(super) fn is_unmet_condition(error: &S3Error) -> bool {
    let is_refused = matches!(
        error,
        S3Error::AlreadyExists { .. } | S3Error::Precondition { .. } | S3Error::NotModified { .. }
    );
    is_refused && !is_conflict(error)
}

fn is_conflict(error: &S3Error) -> bool {
    ["ConditionalRequestConflict", "OperationAborted"].iter().any(|code| says(error, code))
}

/// Whether the request asked for bytes that come after the end of the object.
pub(super) fn is_range_after_end(error: &S3Error) -> bool {
    says(error, "InvalidRange") || says(error, &StatusCode::RANGE_NOT_SATISFIABLE.to_string())
}

/// Whether the server has never heard of the multipart upload.
pub(super) fn is_unknown_upload(error: &S3Error) -> bool {
    says(error, "NoSuchUpload")
}

/// Whether the server does not know such a request.
pub(super) fn is_not_implemented(error: &S3Error) -> bool {
    causes(error).any(|cause| cause.downcast_ref::<NotImplemented>().is_some())
}

fn is_full(error: &S3Error) -> bool {
    ["QuotaExceeded", "StorageFull", "507 Insufficient"].iter().any(|code| says(error, code))
}

/// Whether the server named this code. `object_store` keeps the answer only as text.
fn says(error: &S3Error, code: &str) -> bool {
    causes(error).any(|cause| cause.to_string().contains(code))
}

fn causes(error: &S3Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |cause: &&(dyn StdError + 'static)| (*cause).source())
}
