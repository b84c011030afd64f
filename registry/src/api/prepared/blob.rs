//! The answer with a blob or a part of it, or with its head.

use axum::{
    body::Body,
    http::{HeaderMap, Method, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};

use crate::{
    api::{
        Api,
        authorize::Pull,
        extract::{Known, Wanted},
        mirrored,
        prepared::made_ready,
        redirect::Redirection,
        respond::{BlobHead, BlobNotModified, body_of, describe_part},
    },
    repository::{BlobContent, BlobStanding},
    server::{Arrival, Files},
};

/// An answer with a blob, and what tells whether it is right.
#[derive(Debug)]
pub(in crate::api) struct PreparedBlob {
    /// Those of the whole.
    headers: HeaderMap,
    standing: BlobStanding,
}

impl PreparedBlob {
    pub(super) fn new(standing: BlobStanding) -> Self {
        let headers = BlobHead(standing.blob()).into_response().into_parts().0.headers;
        Self { headers: made_ready(headers), standing }
    }

    /// The answer, if the repository has the blob, and if the client is not to get it from elsewhere.
    pub(super) fn answer(
        &self,
        api: &Api,
        Pull(repository): &Pull,
        request: &Parts,
        arrival: Arrival<'_>,
    ) -> Option<Response> {
        let (is_head, digest) = (request.method == Method::HEAD, self.standing.blob().digest);
        if Known::of(&request.headers).contains(&digest) {
            return self.standing.can_be_relied_on().then(|| BlobNotModified(digest).into_response());
        }
        if is_head {
            return self.standing.can_be_relied_on().then(|| self.whole(Body::empty()));
        }
        if Redirection::of(api, &request.headers, Some(&arrival.peer)).0.is_some() {
            return None;
        }
        let range = Wanted::of_request(&request.headers).and_then(|wanted| wanted.of(&digest));
        let content = self.standing.open(range)?;
        mirrored::note_blob(&api.mirrors, repository, &content);
        Some(self.with(content, arrival.files.cloned()))
    }

    fn with(&self, content: BlobContent, files: Option<Files>) -> Response {
        let BlobContent { size, range, body, .. } = content;
        let mut response = self.whole(body_of(body, files));
        if let Some(range) = range {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            describe_part(&range, size, response.headers_mut());
        }
        response
    }

    fn whole(&self, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.headers_mut() = self.headers.clone();
        response
    }
}
