//! The answer with a manifest.

use axum::{
    body::Body,
    http::{
        HeaderMap, Method,
        header::{CONTENT_LENGTH, HeaderValue},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use berth_oci::Reference;

use crate::{
    api::{
        Api,
        authorize::Pull,
        extract::Known,
        mirrored,
        negotiate::is_named,
        prepared::made_ready,
        respond::{ManifestBody, NotModified},
    },
    repository::{Standing, StoredManifest},
};

/// An answer with a manifest, and what tells whether it is right.
#[derive(Debug)]
pub(in crate::api) struct PreparedManifest {
    reference: Reference,
    manifest: StoredManifest,
    /// Its type without parameters.
    essence: Box<str>,
    headers: HeaderMap,
    standing: Standing,
}

impl PreparedManifest {
    pub(super) fn new(reference: Reference, manifest: StoredManifest, standing: Standing) -> Self {
        let mut headers = ManifestBody(manifest.clone()).into_response().into_parts().0.headers;
        headers.insert(CONTENT_LENGTH, HeaderValue::from(manifest.bytes.len()));
        let essence = manifest.media_type.essence().into();
        Self { reference, manifest, essence, headers: made_ready(headers), standing }
    }

    /// The length of the manifest.
    pub(super) fn length(&self) -> u64 {
        self.manifest.bytes.len() as u64
    }

    /// The answer, if the manifest is what the client can read, who will rely on it after a `HEAD`. Notes the pull then.
    pub(super) fn answer(&self, api: &Api, Pull(repository): &Pull, request: &Parts) -> Option<Response> {
        let is_head = request.method == Method::HEAD;
        let serves = mirrored::holds(&api.mirrors, repository, &self.reference)
            && is_named(&request.headers, &self.essence)
            && if is_head { self.standing.can_be_relied_on() } else { self.standing.holds() };
        if !serves {
            return None;
        }
        repository.note_pull(&self.reference);
        mirrored::note_manifest(&api.mirrors, repository, self.length());
        if Known::of(&request.headers).contains(&self.manifest.digest) {
            return Some(NotModified(self.manifest.digest).into_response());
        }
        let body = if is_head { Body::empty() } else { Body::from(self.manifest.bytes.clone()) };
        let mut response = Response::new(body);
        *response.headers_mut() = self.headers.clone();
        Some(response)
    }
}
