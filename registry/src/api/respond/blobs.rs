//! Blobs, whole and in part.

use std::ops::RangeInclusive;

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LOCATION},
    },
    response::{IntoResponse, Response},
};
use berth_oci::Digest;
use berth_storage::Body as Content;
use futures::StreamExt as _;

use super::{BYTES, CONTENT_DIGEST, FOR_A_YEAR, NOT_TO_BE_KEPT, NotModified, OCTET_STREAM, etag, value};
use crate::{
    repository::{BlobContent, BlobInfo, PresignedBlob},
    server::Files,
};

/// The length of a blob, for who has asked for bytes that it does not have.
pub(in crate::api) fn unsatisfied_range(size: u64) -> HeaderValue {
    value(&format_args!("bytes */{size}"))
}

/// 304: the client has this blob, and may keep it for as long as if it had got it now (RFC 9110, section 15.4.5).
pub(in crate::api) struct BlobNotModified(pub(in crate::api) Digest);

impl IntoResponse for BlobNotModified {
    fn into_response(self) -> Response {
        ([(CACHE_CONTROL, FOR_A_YEAR)], NotModified(self.0)).into_response()
    }
}

/// 200 without the bytes: a blob exists.
pub(in crate::api) struct BlobHead(pub(in crate::api) BlobInfo);

impl IntoResponse for BlobHead {
    fn into_response(self) -> Response {
        let BlobInfo { digest, size } = self.0;
        (blob_headers(&digest), [(CONTENT_LENGTH, value(&size))], Body::empty()).into_response()
    }
}

/// 200 with a blob, or 206 with a part of it.
pub(in crate::api) struct BlobBody {
    pub(in crate::api) content: BlobContent,
    /// Where pieces of files are left, if the connection can send them.
    pub(in crate::api) files: Option<Files>,
}

impl IntoResponse for BlobBody {
    fn into_response(self) -> Response {
        let BlobContent { digest, size, range, body } = self.content;
        let headers = blob_headers(&digest);
        let body = body_of(body, self.files);
        match range {
            None => (headers, [(CONTENT_LENGTH, value(&size))], body).into_response(),
            Some(range) => {
                let mut response = (StatusCode::PARTIAL_CONTENT, headers, body).into_response();
                describe_part(&range, size, response.headers_mut());
                response
            }
        }
    }
}

/// Tells which part of a blob of this size is in the body.
pub(in crate::api) fn describe_part(range: &RangeInclusive<u64>, size: u64, headers: &mut HeaderMap) {
    let (first, last) = (range.start(), range.end());
    headers.insert(CONTENT_LENGTH, HeaderValue::from(last - first + 1));
    headers.insert(CONTENT_RANGE, value(&format_args!("bytes {first}-{last}/{size}")));
}

/// The body of an answer with this content: stand-ins for pieces of files, where these can be sent.
pub(in crate::api) fn body_of(content: Content, files: Option<Files>) -> Body {
    match (content, files) {
        (Content::File(range), Some(files)) => {
            let pieces = range.pieces(Files::LONGEST);
            Body::from_stream(pieces.map(move |piece| piece.map(|piece| files.stand_in(piece))))
        }
        (content, _) => Body::from_stream(content),
    }
}

/// 307: the blob is to be read from the storage. Nobody may keep the URL, which is a secret and will expire.
pub(in crate::api) struct BlobRedirect(pub(in crate::api) PresignedBlob);

impl IntoResponse for BlobRedirect {
    fn into_response(self) -> Response {
        let PresignedBlob { blob: BlobInfo { digest, .. }, url } = self.0;
        let mut location = value(&url.reveal());
        location.set_sensitive(true);
        let headers =
            [(LOCATION, location), (CONTENT_DIGEST, value(&digest)), (CACHE_CONTROL, NOT_TO_BE_KEPT)];
        (StatusCode::TEMPORARY_REDIRECT, headers).into_response()
    }
}

fn blob_headers(digest: &Digest) -> [(HeaderName, HeaderValue); 5] {
    [
        (CONTENT_TYPE, OCTET_STREAM),
        (CONTENT_DIGEST, value(&digest)),
        (ETAG, etag(digest)),
        (CACHE_CONTROL, FOR_A_YEAR),
        (ACCEPT_RANGES, BYTES),
    ]
}
