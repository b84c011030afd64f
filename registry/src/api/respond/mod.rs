//! Answers: every status of success and every header of the protocol is written here.

mod blobs;
mod extension;
mod lists;
mod manifests;
mod uploads;

use std::fmt::{Display, Write as _};

use axum::{
    Json,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, ETAG},
    },
    response::{IntoResponse, Response},
};
use berth_oci::Digest;
use jiff::{Timestamp, Unit};
use serde_json::json;

pub(super) use self::{
    blobs::{BlobBody, BlobHead, BlobNotModified, BlobRedirect, body_of, describe_part, unsatisfied_range},
    extension::{
        CollectionRun, Documentation, Extensions, ReadOnlyState, RebuiltIndex, RestoredManifests,
        RetentionReport, TrashList,
    },
    lists::{Catalog, ReferrersIndex, TagList, TagSummaries},
    manifests::{ManifestBody, ManifestCreated},
    uploads::{BlobCreated, Cancelled, UploadProgress, upload_range},
};
use crate::auth::Issued;

/// The name and value by which clients know a registry.
pub(super) const API_VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("docker-distribution-api-version"), HeaderValue::from_static("registry/2.0"));
/// The id under which the log tells of a request.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");
const OCI_FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const JSON_LINES: HeaderValue = HeaderValue::from_static("application/jsonl");
const OCTET_STREAM: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// What is found under a digest never changes.
const FOR_A_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");
const NOT_TO_BE_KEPT: HeaderValue = HeaderValue::from_static("no-store");
const BYTES: HeaderValue = HeaderValue::from_static("bytes");

/// A header value of text that is known to have none but visible ASCII characters.
fn value(text: &impl Display) -> HeaderValue {
    // Room for a digest, which most values are.
    let mut value = String::with_capacity(80);
    let _ = write!(value, "{text}");
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(""))
}

fn etag(digest: &Digest) -> HeaderValue {
    value(&format_args!("\"{digest}\""))
}

/// A token, under both names that clients look for (token specification of Distribution, RFC 6749).
pub(super) struct Token(pub(super) Issued);

impl IntoResponse for Token {
    fn into_response(self) -> Response {
        let Issued { token, lifetime, since, refresh_token } = self.0;
        let since = Timestamp::try_from(since).ok().and_then(|since| since.round(Unit::Second).ok());
        let mut body = json!({
            "token": token,
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": lifetime.as_secs(),
            "issued_at": since,
        });
        if let Some(refresh_token) = refresh_token {
            body["refresh_token"] = json!(refresh_token);
        }
        ([(CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(body)).into_response()
    }
}

/// 200: this is a registry.
pub(super) struct Version;

impl IntoResponse for Version {
    fn into_response(self) -> Response {
        Json(json!({})).into_response()
    }
}

/// 304: the client has this content.
pub(super) struct NotModified(pub(super) Digest);

impl IntoResponse for NotModified {
    fn into_response(self) -> Response {
        let headers = [(ETAG, etag(&self.0)), (CONTENT_DIGEST, value(&self.0))];
        (StatusCode::NOT_MODIFIED, headers).into_response()
    }
}

/// 202: it is deleted.
pub(super) struct Deleted;

impl IntoResponse for Deleted {
    fn into_response(self) -> Response {
        StatusCode::ACCEPTED.into_response()
    }
}
