//! Requests for which `object_store` has no method: signed by it, and sent again here.

use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, Method, Request};
use object_store::PutPayload;
use object_store::client::{HttpError, HttpErrorKind, HttpRequestBody, HttpService as _};
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer as _};

use super::attempts::Attempts;
use super::bucket::Bucket;
use super::error::{self, Answered};
use crate::{Key, Result};

/// How long a signature is valid: as long as a request may take, and the clocks may differ.
const VALID_FOR: Duration = Duration::from_mins(15);

/// A request about the object of a path, or about the bucket where that is empty.
#[derive(Debug, Clone)]
pub(super) struct Plain<'a> {
    pub(super) method: Method,
    pub(super) path: &'a Path,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: PutPayload,
}

impl<'a> Plain<'a> {
    /// A request with nothing but a method and a path.
    pub(super) fn new(method: Method, path: &'a Path) -> Self {
        Self { method, path, query: Vec::new(), headers: HeaderMap::new(), body: PutPayload::new() }
    }
}

enum Outcome {
    Answered(Answered),
    Broken(HttpError),
}

impl Bucket {
    /// Sends the request, again and again where that may help, and returns the body of the answer. It is about `key`.
    ///
    /// It must do no harm when it is done twice.
    pub(super) async fn send(&self, key: &Key, request: Plain<'_>) -> Result<Bytes> {
        self.ask(key, request).await.map(|(_, body)| body)
    }

    /// The same, with the headers of the answer.
    pub(super) async fn ask(&self, key: &Key, request: Plain<'_>) -> Result<(HeaderMap, Bytes)> {
        let mut attempts = Attempts::new(&self.settings.requests);
        loop {
            match self.send_once(key, &request).await? {
                Ok(answer) => return Ok(answer),
                Err(outcome) if outcome.is_final() || !attempts.again().await => {
                    return Err(outcome.explain(key));
                }
                Err(_) => {}
            }
        }
    }

    async fn send_once(&self, key: &Key, plain: &Plain<'_>) -> Result<Result<(HeaderMap, Bytes), Outcome>> {
        let mut options = SignedUrlOptions::new().with_query(plain.query.clone());
        options.signed_headers = plain.headers.clone();
        let url = self.client.signed_url_opts(plain.method.clone(), plain.path, VALID_FOR, &options).await;
        let url = url.map_err(|failure| error::explain(key, failure))?;
        let request = Request::builder().method(plain.method.clone()).uri(url.as_str());
        let request = request
            .body(HttpRequestBody::from(plain.body.clone()))
            .map_err(|invalid| error::invalid(key, invalid))?;
        let (mut head, body) = request.into_parts();
        head.headers.extend(plain.headers.clone());
        Ok(self.exchange(Request::from_parts(head, body)).await)
    }

    async fn exchange(&self, request: Request<HttpRequestBody>) -> Result<(HeaderMap, Bytes), Outcome> {
        let answer = self.connections.call(request).await.map_err(Outcome::Broken)?;
        let (head, body) = answer.into_parts();
        let body = body.bytes().await.map_err(Outcome::Broken)?;
        // A copy that takes long is answered with 200 before it is known how it ends.
        let has_failed = !head.status.is_success() || find(&body, b"<Error>");
        if !has_failed {
            return Ok((head.headers, body));
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        Err(Outcome::Answered(Answered { status: head.status, body }))
    }
}

impl Outcome {
    /// Whether asking again is in vain.
    fn is_final(&self) -> bool {
        match self {
            Self::Answered(answered) => {
                !answered.status.is_success() && !error::is_worth_asking_again(answered.status)
            }
            Self::Broken(error) => matches!(error.kind(), HttpErrorKind::Decode | HttpErrorKind::Unknown),
        }
    }

    fn explain(self, key: &Key) -> crate::Error {
        match self {
            Self::Answered(answered) => error::explain_answer(key, answered),
            Self::Broken(error) => error::explain_transfer(key, error),
        }
    }
}

fn find(body: &[u8], text: &[u8]) -> bool {
    body.windows(text.len()).any(|bytes| bytes == text)
}
