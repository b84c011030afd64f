//! A request with its answer, from the first byte to the last: what the access log and the metrics tell of it.
//!
//! An exchange ends when the last byte of the answer was handed over or the client has left, which is when the body of
//! the answer is dropped.

mod body;
mod findings;
mod span;
mod told;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, HttpBody},
    extract::{MatchedPath, Request, State},
    http::{
        self, HeaderMap, HeaderName, Method, StatusCode,
        header::{AUTHORIZATION, CONTENT_LENGTH},
    },
    middleware::Next,
    response::Response,
};

use self::{
    body::{Answering, Counted},
    findings::Found,
};
pub(super) use self::{findings::Findings, told::Told};
use super::{Answers, Api, access_log, handler, request_id::RequestId};
use crate::{
    auth::Identity,
    metrics::{Authentication, Handler, Outcome},
    server::Peer,
    telemetry::RequestSpan,
};

/// Counts a request as being worked on, once the router has found its endpoint.
pub(super) async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    if let Some(findings) = request.extensions().get::<Findings>() {
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        let owned = || route.map(|route| route.to_owned().into());
        findings.found(&api, handler::of(route), request.method(), owned);
    }
    next.run(request).await
}

/// What is known of a request and its answer.
#[derive(Debug)]
pub(super) struct Exchange {
    start: Instant,
    /// How answers look from outside, as it was when the request came.
    pub(super) answers: Arc<Answers>,
    id: RequestId,
    found: Found,
    /// What else was found; made for a request that the router leads.
    findings: Option<Findings>,
    /// `None` when no line of the log will be written.
    told: Option<Box<Told>>,
    span: Option<Box<RequestSpan>>,
    pub(super) method: Method,
    has_credentials: bool,
    /// How many bytes of the answer's body were handed over.
    pub(super) sent: u64,
    /// The length of the answer's body, if it was announced.
    announced: Option<u64>,
    /// `None` when the client has left before the answer began.
    pub(super) status: Option<StatusCode>,
    ended: bool,
}

impl Exchange {
    /// Begins with the head of a request.
    pub(super) fn begin<B>(api: &Api, request: &http::Request<B>, peer: Peer) -> Self {
        let headers = request.headers();
        Self {
            start: Instant::now(),
            answers: api.answers(),
            id: RequestId::of(headers),
            found: Found::default(),
            findings: None,
            told: Told::of(request, peer.address),
            span: api.traces.as_ref().and_then(|traces| span::begin(traces, request, peer)),
            method: request.method().clone(),
            has_credentials: headers.contains_key(AUTHORIZATION),
            sent: 0,
            announced: None,
            status: None,
            ended: false,
        }
    }

    /// The id of the request.
    pub(super) fn id(&self) -> &RequestId {
        &self.id
    }

    /// Counts the request as being worked on, by an endpoint that was found without the router.
    pub(super) fn found(&mut self, api: &Api, handler: Handler, route: &'static str) {
        self.found.endpoint(api, handler, &self.method, || Some(route.into()));
    }

    /// Tells who sends the request.
    pub(super) fn identify(&mut self, identity: &Identity) {
        self.found.identity = Some(identity.clone());
    }

    /// Leaves with a request what the router and the handlers behind it tell the exchange by, and counts its body.
    pub(super) fn accompany(&mut self, request: Request) -> Request {
        let findings = self.findings.insert(Findings::new(self.id.clone())).clone();
        let mut request = request.map(|body| Body::new(Counted::new(body, findings.clone())));
        request.extensions_mut().insert(findings);
        request
    }

    /// Follows the answer to its end, which is that of its head if it has no body.
    pub(super) fn follow(mut self, response: Response) -> Response {
        self.status = Some(response.status());
        self.announced = if self.method == Method::HEAD { Some(0) } else { announced(&response) };
        if response.body().is_end_stream() {
            return response;
        }
        response.map(|body| Body::new(Answering::new(body, self)))
    }

    /// The user, if there is one who has shown who it is.
    pub(super) fn user(&self) -> Option<&str> {
        self.found.identity.as_ref()?.user()
    }

    /// Whether the client got the whole answer.
    pub(super) fn is_complete(&self) -> bool {
        self.ended
            || (self.status.is_some() && self.announced.is_some_and(|announced| self.sent >= announced))
    }

    /// How many bytes of the request's body have arrived.
    pub(super) fn received(&self) -> u64 {
        self.findings.as_ref().map_or(0, Findings::received)
    }

    /// How long it has taken so far.
    pub(super) fn duration(&self) -> Duration {
        self.start.elapsed()
    }

    /// The id of the trace that the request belongs to, if its span is recorded.
    pub(super) fn trace_id(&self) -> Option<String> {
        self.span.as_deref().map(RequestSpan::trace_id)
    }

    fn authentication(&self) -> Option<Authentication> {
        match self.status {
            Some(StatusCode::UNAUTHORIZED) if self.has_credentials => Some(Authentication::Failed),
            Some(StatusCode::UNAUTHORIZED) => Some(Authentication::Missing),
            _ if self.user().is_some() => Some(Authentication::Succeeded),
            _ => None,
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(findings) = &self.findings {
            self.found = findings.end();
        }
        if let Some(endpoint) = &self.found.endpoint {
            endpoint.active.end(&Outcome {
                status: self.status,
                duration: self.duration(),
                received: self.received(),
                sent: self.sent,
                authentication: self.authentication(),
            });
        }
        if let Some(told) = &self.told {
            access_log::write(self, told);
        }
        if let Some(mut span) = self.span.take() {
            span::end(&mut span, self);
        }
    }
}

/// The length of the answer's body, as the client is told it.
fn announced(response: &Response) -> Option<u64> {
    let header = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    header.or_else(|| response.body().size_hint().exact())
}

fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
