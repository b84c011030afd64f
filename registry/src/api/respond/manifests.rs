//! Manifests.

use axum::{
    http::{
        StatusCode,
        header::{CONTENT_TYPE, ETAG, LOCATION},
    },
    response::{IntoResponse, Response},
};
use berth_oci::{Digest, Tag};

use super::{CONTENT_DIGEST, OCI_SUBJECT, OCI_TAG, etag, value};
use crate::repository::StoredManifest;

/// 200 with a manifest; for HEAD, the bytes are left out later.
pub(in crate::api) struct ManifestBody(pub(in crate::api) StoredManifest);

impl IntoResponse for ManifestBody {
    fn into_response(self) -> Response {
        let StoredManifest { digest, media_type, bytes } = self.0;
        let headers =
            [(CONTENT_TYPE, value(&media_type)), (CONTENT_DIGEST, value(&digest)), (ETAG, etag(&digest))];
        (headers, bytes).into_response()
    }
}

/// 201: the repository has the manifest.
pub(in crate::api) struct ManifestCreated {
    pub(in crate::api) location: String,
    pub(in crate::api) digest: Digest,
    pub(in crate::api) subject: Option<Digest>,
    /// The tags that the client has asked for as parameters.
    pub(in crate::api) tags: Vec<Tag>,
}

impl IntoResponse for ManifestCreated {
    fn into_response(self) -> Response {
        let headers = [(LOCATION, value(&self.location)), (CONTENT_DIGEST, value(&self.digest))];
        let mut response = (StatusCode::CREATED, headers).into_response();
        if let Some(subject) = self.subject {
            // It tells the client that the referrer needs no fallback tag.
            response.headers_mut().insert(OCI_SUBJECT, value(&subject));
        }
        if !self.tags.is_empty() {
            let tags: Vec<&str> = self.tags.iter().map(Tag::as_str).collect();
            response.headers_mut().insert(OCI_TAG, value(&tags.join(", ")));
        }
        response
    }
}
