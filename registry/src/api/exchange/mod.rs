//! A request with its answer, from the first byte to the last: what the access log and the metrics tell of it.
//!
//! An exchange ends when the last byte of the answer was handed over or the client has left, which is when the body of
//! the answer is dropped.

mod body;
mod span;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    body::{Body, HttpBody},
    extract::{MatchedPath, Request, State},
    http::{
        HeaderMap, HeaderName, Method, StatusCode, Version,
        header::{AUTHORIZATION, CONTENT_LENGTH, REFERER, USER_AGENT},
    },
    middleware::Next,
    response::Response,
};

use self::body::{Answering, Counted};
use super::{Api, access_log, authenticate::UserSlot, edge::RequestId, handler, prefix};
use crate::{
    metrics::{Active, Authentication, Outcome},
    server::Peer,
    telemetry::RequestSpan,
};

/// Follows a request to its end.
pub(super) async fn follow(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let mut exchange = Exchange::begin(&api, &mut request);
    let received = Arc::clone(&exchange.received);
    let response = next.run(request.map(|body| Body::new(Counted::new(body, received)))).await;
    exchange.answered(&response);
    response.map(|body| Body::new(Answering::new(body, exchange)))
}

/// Counts a request as being worked on, once the router has found its endpoint.
pub(super) async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    if let Some(slot) = request.extensions().get::<MatchedSlot>() {
        let route = request.extensions().get::<MatchedPath>().cloned();
        let handler = handler::of(route.as_ref().map(MatchedPath::as_str));
        slot.0.get_or_init(|| Matched {
            active: api.metrics.requests().begin(handler, request.method()),
            route,
        });
    }
    next.run(request).await
}

/// What is known since the router has found the endpoint.
#[derive(Debug)]
struct Matched {
    active: Active,
    /// The line of the route table; `None` when none fits.
    route: Option<MatchedPath>,
}

/// Where an exchange finds what the router has found; an extension of the request.
#[derive(Clone, Debug, Default)]
struct MatchedSlot(Arc<OnceLock<Matched>>);

impl MatchedSlot {
    fn get(&self) -> Option<&Matched> {
        self.0.get()
    }
}

/// What is known of a request and its answer.
#[derive(Debug)]
pub(super) struct Exchange {
    start: Instant,
    pub(super) id: RequestId,
    pub(super) user: UserSlot,
    matched: MatchedSlot,
    span: Option<RequestSpan>,
    pub(super) method: Method,
    pub(super) path: String,
    /// The path as it stands in the route table; nothing if it leads nowhere.
    pub(super) route: String,
    pub(super) query: Option<String>,
    pub(super) version: Version,
    pub(super) user_agent: Option<String>,
    pub(super) referer: Option<String>,
    pub(super) remote: Option<String>,
    has_credentials: bool,
    received: Arc<AtomicU64>,
    /// How many bytes of the answer's body were handed over.
    pub(super) sent: u64,
    /// The length of the answer's body, if it was announced.
    announced: Option<u64>,
    /// `None` when the client has left before the answer began.
    pub(super) status: Option<StatusCode>,
    ended: bool,
}

impl Exchange {
    fn begin(api: &Api, request: &mut Request) -> Self {
        let span = api.traces.as_ref().and_then(|traces| span::begin(traces, request));
        let id = RequestId::of(request.headers());
        let (user, matched) = (UserSlot::default(), MatchedSlot::default());
        request.extensions_mut().insert(id.clone());
        request.extensions_mut().insert(user.clone());
        request.extensions_mut().insert(matched.clone());
        Self {
            start: Instant::now(),
            id,
            user,
            matched,
            span,
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            route: prefix::route(&api.answers().prefix, request.uri().path()).unwrap_or_default().to_owned(),
            query: request.uri().query().map(str::to_owned),
            version: request.version(),
            user_agent: text_of(request.headers(), &USER_AGENT),
            referer: text_of(request.headers(), &REFERER),
            remote: request.extensions().get::<Peer>().map(|peer| peer.address.to_string()),
            has_credentials: request.headers().contains_key(AUTHORIZATION),
            received: Arc::default(),
            sent: 0,
            announced: None,
            status: None,
            ended: false,
        }
    }

    fn answered(&mut self, response: &Response) {
        self.status = Some(response.status());
        let header =
            response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let announced = header.or_else(|| response.body().size_hint().exact());
        self.announced = if self.method == Method::HEAD { Some(0) } else { announced };
    }

    /// Whether the client got the whole answer.
    pub(super) fn is_complete(&self) -> bool {
        self.ended
            || (self.status.is_some() && self.announced.is_some_and(|announced| self.sent >= announced))
    }

    /// How many bytes of the request's body have arrived.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// How long it has taken so far.
    pub(super) fn duration(&self) -> Duration {
        self.start.elapsed()
    }

    /// The id of the trace that the request belongs to, if its span is recorded.
    pub(super) fn trace_id(&self) -> Option<String> {
        self.span.as_ref().map(RequestSpan::trace_id)
    }

    fn authentication(&self) -> Option<Authentication> {
        match self.status {
            Some(StatusCode::UNAUTHORIZED) if self.has_credentials => Some(Authentication::Failed),
            Some(StatusCode::UNAUTHORIZED) => Some(Authentication::Missing),
            _ if self.user.is_authenticated() => Some(Authentication::Succeeded),
            _ => None,
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(matched) = self.matched.get() {
            matched.active.end(&Outcome {
                status: self.status,
                duration: self.duration(),
                received: self.received(),
                sent: self.sent,
                authentication: self.authentication(),
            });
        }
        access_log::write(self);
        if let Some(mut span) = self.span.take() {
            span::end(&mut span, self);
        }
    }
}

fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
