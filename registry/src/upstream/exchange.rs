//! One request to another registry, to its end: with what it asks for, and to where it sends on.

use std::sync::{Mutex, PoisonError};

use hyper::{
    HeaderMap, Method, Response, StatusCode, Uri,
    body::Incoming,
    header::{AUTHORIZATION, HeaderName, HeaderValue, LOCATION},
};

use super::{
    Result,
    address::Address,
    authentication::Authentication,
    challenge::Challenge,
    connections::{Connections, Content, is_read, server},
    rate_limit::RateLimit,
    refusal::{self, drain},
    scope::Scope,
};

/// How often in a row a request is sent on.
const MOST_REDIRECTS: usize = 5;

/// What is asked.
pub(super) struct Question<'a> {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) content: Content,
    /// What a token for it has to allow.
    pub(super) scope: &'a Scope,
}

impl<'a> Question<'a> {
    pub(super) fn new(method: Method, uri: Uri, scope: &'a Scope) -> Self {
        Self { method, uri, headers: HeaderMap::new(), content: Content::Nothing, scope }
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(super) fn with_content(self, content: Content) -> Self {
        Self { content, ..self }
    }
}

/// Asks one registry.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) address: Address,
    pub(super) connections: Connections,
    authentication: Authentication,
    rate_limit: Mutex<Option<RateLimit>>,
}

impl Exchange {
    pub(super) fn new(address: Address, connections: Connections, authentication: Authentication) -> Self {
        Self { address, connections, authentication, rate_limit: Mutex::default() }
    }

    /// What the registry has told of its limit lately.
    pub(super) fn rate_limit(&self) -> Option<RateLimit> {
        *self.rate_limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer, of whatever status, to a question that credentials were shown with if the registry wants some.
    pub(super) async fn ask(&self, question: Question<'_>) -> Result<Response<Incoming>> {
        let Question { method, uri, headers, content, scope } = question;
        let shown = if self.address.is_origin_of(&uri) {
            self.authentication.unasked(&self.connections, scope).await?
        } else {
            None
        };
        let again = match &content {
            Content::Nothing => Some(Content::Nothing),
            Content::Bytes(bytes) => Some(Content::Bytes(bytes.clone())),
            Content::Stream(..) => None,
        };
        let (answer, from) = self.follow(&method, uri.clone(), &headers, content, shown.as_ref()).await?;
        // What another server asks for is no business of this registry's users.
        if answer.status() != StatusCode::UNAUTHORIZED || !self.address.is_origin_of(&from) {
            return Ok(answer);
        }
        let (Some(again), Some(challenge)) = (again, Challenge::of(answer.headers())) else {
            return Ok(answer);
        };
        match self.authentication.answer(&self.connections, challenge, scope, shown.as_ref()).await? {
            Some(shown) => {
                drain(answer, self.connections.silence()).await;
                Ok(self.follow(&method, uri, &headers, again, Some(&shown)).await?.0)
            }
            None => Ok(answer),
        }
    }

    /// The answer, which must be one of the `expected`; `what` was asked for.
    pub(super) async fn expect(
        &self,
        question: Question<'_>,
        expected: &[StatusCode],
        what: &str,
    ) -> Result<Response<Incoming>> {
        let server = server(&question.uri);
        let answer = self.ask(question).await?;
        if expected.contains(&answer.status()) {
            return Ok(answer);
        }
        Err(refusal::of(server, answer, what, self.connections.silence()).await)
    }

    /// Sends a request to where it is sent on, if only something is read, and tells who answered. Credentials are for the
    /// registry alone.
    async fn follow(
        &self,
        method: &Method,
        mut uri: Uri,
        headers: &HeaderMap,
        mut content: Content,
        shown: Option<&HeaderValue>,
    ) -> Result<(Response<Incoming>, Uri)> {
        for _ in 0..=MOST_REDIRECTS {
            let mut headers = headers.clone();
            let is_origin = self.address.is_origin_of(&uri);
            if let Some(shown) = shown.filter(|_| is_origin) {
                headers.insert(AUTHORIZATION, shown.clone());
            }
            let sent = std::mem::replace(&mut content, Content::Nothing);
            let answer = self.connections.send(method, &uri, headers, sent).await?;
            if is_origin && let Some(told) = RateLimit::of(answer.headers()) {
                *self.rate_limit.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
            }
            let is_sent_on = is_read(method) && is_redirect(answer.status());
            match answer.headers().get(LOCATION).filter(|_| is_sent_on) {
                None => return Ok((answer, uri)),
                Some(location) => {
                    uri = self.address.resolve(&uri, location.to_str().unwrap_or_default())?;
                    drain(answer, self.connections.silence()).await;
                }
            }
        }
        Err(self.address.invalid(format!("it sends on more than {MOST_REDIRECTS} times in a row")))
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    )
}
