//! Uploads of blobs, and what comes of them.

use axum::{
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{LOCATION, RANGE},
    },
    response::{IntoResponse, Response},
};
use berth_oci::{Digest, UploadId};

use super::{CONTENT_DIGEST, UPLOAD_UUID, value};

/// The bytes that an upload has, as clients read it: `0-0` also when there are none.
pub(in crate::api) fn upload_range(size: u64) -> HeaderValue {
    value(&format_args!("0-{}", size.saturating_sub(1)))
}

/// 201: the repository has the blob.
pub(in crate::api) struct BlobCreated {
    pub(in crate::api) location: String,
    pub(in crate::api) digest: Digest,
}

impl IntoResponse for BlobCreated {
    fn into_response(self) -> Response {
        let headers = [(LOCATION, value(&self.location)), (CONTENT_DIGEST, value(&self.digest))];
        (StatusCode::CREATED, headers).into_response()
    }
}

/// Where an upload stands, after a step or on request.
pub(in crate::api) struct UploadProgress {
    pub(in crate::api) location: String,
    pub(in crate::api) id: UploadId,
    pub(in crate::api) size: u64,
}

impl UploadProgress {
    /// 202: the client may send more.
    pub(in crate::api) fn accepted(self) -> Response {
        (StatusCode::ACCEPTED, self.headers()).into_response()
    }

    /// 204: the answer to a question.
    pub(in crate::api) fn status(self) -> Response {
        (StatusCode::NO_CONTENT, self.headers()).into_response()
    }

    fn headers(&self) -> [(HeaderName, HeaderValue); 3] {
        [(LOCATION, value(&self.location)), (RANGE, upload_range(self.size)), (UPLOAD_UUID, value(&self.id))]
    }
}

/// 204: the upload is gone.
pub(in crate::api) struct Cancelled;

impl IntoResponse for Cancelled {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}
