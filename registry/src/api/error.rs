//! Failures: which status, code and message each one has, in one exhaustive match.
//!
//! An [`Error`] travels to `edge` as an extension of an empty response; there its body is written, together with the
//! id of the request, and the cause of a server error is logged once.

use std::{error::Error as StdError, sync::Arc};

use axum::{
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_RANGE, RANGE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use berth_oci::ErrorCode;
use serde_json::{Value, json};

use super::{
    access_record::AccessRecord,
    respond::{unsatisfied_range, upload_range},
};
use crate::repository;

/// The result of a handler.
pub(super) type Result<T, E = Error> = std::result::Result<T, E>;

/// What the client is told, and what the log is told.
#[derive(Clone, Debug)]
pub(super) struct Error {
    pub(super) status: StatusCode,
    pub(super) code: ErrorCode,
    pub(super) message: String,
    pub(super) detail: Option<Value>,
    pub(super) header: Option<Box<(HeaderName, HeaderValue)>>,
    /// What a token lacks; the challenge asks for it.
    pub(super) lacking: Option<Box<AccessRecord>>,
    /// The failure below, for the log alone.
    pub(super) cause: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(super) fn new(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), detail: None, header: None, lacking: None, cause: None }
    }

    /// 400.
    pub(super) fn bad_request(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 404: what the client names, as its `kind`, is not there.
    fn unknown(code: ErrorCode, message: String, kind: &str, name: &dyn ToString) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message).with_detail(json!({ kind: name.to_string() }))
    }

    /// 403: the identity is known and lacks the right.
    pub(super) fn denied(message: impl Into<String>, lacking: &AccessRecord) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorCode::Denied, message).with_detail(json!([lacking]))
    }

    /// 401: the client has shown nothing that is right.
    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message)
    }

    /// 401: another token may have the right.
    pub(super) fn insufficient(message: impl Into<String>, lacking: AccessRecord) -> Self {
        let error = Self::unauthorized(message).with_detail(json!([lacking]));
        Self { lacking: Some(Box::new(lacking)), ..error }
    }

    pub(super) fn with_header(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { header: Some(Box::new((name, value))), ..self }
    }

    pub(super) fn with_detail(self, detail: Value) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// A failure of this server: the client learns that it happened, the log learns why.
    fn internal(status: StatusCode, code: ErrorCode, message: &str, cause: repository::Error) -> Self {
        Self { cause: Some(Arc::new(cause)), ..Self::new(status, code, message) }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        (self.status, axum::Extension(Arc::new(self))).into_response()
    }
}

impl From<repository::Error> for Error {
    fn from(error: repository::Error) -> Self {
        use ErrorCode as Code;
        use StatusCode as Status;
        use repository::Error as Rule;
        let told = error.to_string();
        match error {
            Rule::NameUnknown(name) => Self::unknown(Code::NameUnknown, told, "name", &name),
            Rule::BlobUnknown(digest) => Self::unknown(Code::BlobUnknown, told, "digest", &digest),
            Rule::ManifestUnknown(reference) => {
                Self::unknown(Code::ManifestUnknown, told, "reference", &reference)
            }
            Rule::ManifestBlobUnknown(digest) => {
                Self::unknown(Code::ManifestBlobUnknown, told, "digest", &digest)
            }
            Rule::ManifestInvalid(_) | Rule::UrlNotAllowed(_) | Rule::ManifestObsolete => {
                Self::bad_request(Code::ManifestInvalid, told)
            }
            Rule::UploadUnknown(_) => Self::new(Status::NOT_FOUND, Code::BlobUploadUnknown, told),
            Rule::UploadBusy => Self::new(Status::CONFLICT, Code::BlobUploadInvalid, told),
            Rule::OffsetMismatch { expected } => {
                Self::new(Status::RANGE_NOT_SATISFIABLE, Code::RangeInvalid, told)
                    .with_header(RANGE, upload_range(expected))
            }
            Rule::DigestMismatch { .. } => Self::bad_request(Code::DigestInvalid, told),
            Rule::SizeInvalid { .. } => Self::bad_request(Code::SizeInvalid, told),
            Rule::RangeNotSatisfiable { size } => {
                Self::new(Status::RANGE_NOT_SATISFIABLE, Code::RangeInvalid, told)
                    .with_header(CONTENT_RANGE, unsatisfied_range(size))
            }
            Rule::TooLarge { .. } => Self::new(Status::PAYLOAD_TOO_LARGE, Code::SizeInvalid, told),
            Rule::PreconditionFailed { reference, current } => {
                let current = current.map(|digest| digest.to_string());
                Self::new(Status::PRECONDITION_FAILED, Code::Denied, told)
                    .with_detail(json!({ "reference": reference.to_string(), "current": current }))
            }
            Rule::DeleteDisabled | Rule::ReadOnly => {
                Self::new(Status::METHOD_NOT_ALLOWED, Code::Unsupported, told)
            }
            Rule::LowSpace { free, reserve } => Self::new(Status::FORBIDDEN, Code::Denied, told)
                .with_detail(json!({ "free": free, "reserve": reserve })),
            Rule::BodyInterrupted(_) => Self::bad_request(Code::BlobUploadInvalid, told),
            Rule::NoSpace(_) => Self::internal(
                Status::INSUFFICIENT_STORAGE,
                Code::Unavailable,
                "no space is left in the storage of the registry",
                error,
            ),
            Rule::Unavailable(_) => Self::internal(
                Status::SERVICE_UNAVAILABLE,
                Code::Unavailable,
                Code::Unavailable.default_message(),
                error,
            )
            .with_header(RETRY_AFTER, HeaderValue::from_static("5")),
            Rule::Storage(_) => Self::internal(
                Status::INTERNAL_SERVER_ERROR,
                Code::Unknown,
                "the registry failed; its log tells why under the id of this request",
                error,
            ),
        }
    }
}
