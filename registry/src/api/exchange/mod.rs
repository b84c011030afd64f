//! A request with its answer, from the first byte to the last: what the access log and the metrics tell of it.
//!
//! An exchange ends when the last byte of the answer was handed over or the client has left, which is when the body of
//! the answer is dropped.

mod body;
mod span;

use std::{
    borrow::Cow,
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
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version,
        header::{AUTHORIZATION, CONTENT_LENGTH, REFERER, USER_AGENT},
    },
    middleware::Next,
    response::Response,
};

use self::body::{Answering, Counted};
use super::{Answers, Api, access_log, authenticate::UserSlot, edge::RequestId, handler, prefix};
use crate::{
    metrics::{Active, Authentication, Handler, Outcome},
    server::{Peer, PeerAddress},
    telemetry::RequestSpan,
};

/// Counts a request as being worked on, once the router has found its endpoint.
pub(super) async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    if let Some(slot) = request.extensions().get::<MatchedSlot>() {
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        slot.fill(&api, handler::of(route), request.method(), || route.map(|route| route.to_owned().into()));
    }
    next.run(request).await
}

/// What is known since the endpoint was found.
#[derive(Debug)]
struct Matched {
    active: Active,
    /// The line of the route table; `None` when none fits.
    route: Option<Cow<'static, str>>,
}

/// Where an exchange finds what the router has found; an extension of the request.
#[derive(Clone, Debug, Default)]
struct MatchedSlot(Arc<OnceLock<Matched>>);

impl MatchedSlot {
    fn get(&self) -> Option<&Matched> {
        self.0.get()
    }

    fn fill(
        &self,
        api: &Api,
        handler: Handler,
        method: &Method,
        route: impl FnOnce() -> Option<Cow<'static, str>>,
    ) {
        self.0.get_or_init(|| Matched {
            active: api.metrics.requests().begin(handler, method),
            route: route(),
        });
    }
}

/// What is known of a request and its answer. Texts are made of it when somebody asks for them.
#[derive(Debug)]
pub(super) struct Exchange {
    start: Instant,
    /// How answers look from outside, as it was when the request came.
    pub(super) answers: Arc<Answers>,
    pub(super) id: RequestId,
    pub(super) user: UserSlot,
    matched: MatchedSlot,
    span: Option<RequestSpan>,
    pub(super) method: Method,
    uri: Uri,
    pub(super) version: Version,
    user_agent: Option<HeaderValue>,
    referer: Option<HeaderValue>,
    pub(super) remote: Option<PeerAddress>,
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
    /// Begins with the head of a request.
    pub(super) fn begin(api: &Api, request: &Request) -> Self {
        let headers = request.headers();
        Self {
            start: Instant::now(),
            answers: api.answers(),
            id: RequestId::of(headers),
            user: UserSlot::default(),
            matched: MatchedSlot::default(),
            span: api.traces.as_ref().and_then(|traces| span::begin(traces, request)),
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            user_agent: headers.get(USER_AGENT).cloned(),
            referer: headers.get(REFERER).cloned(),
            remote: request.extensions().get::<Peer>().map(|peer| peer.address),
            has_credentials: headers.contains_key(AUTHORIZATION),
            received: Arc::default(),
            sent: 0,
            announced: None,
            status: None,
            ended: false,
        }
    }

    /// Counts the request as being worked on, by an endpoint that was found without the router.
    pub(super) fn found(&self, api: &Api, handler: Handler, route: &'static str) {
        self.matched.fill(api, handler, &self.method, || Some(route.into()));
    }

    /// Leaves with a request what the router and the handlers behind it tell the exchange by, and counts its body.
    pub(super) fn accompany(&self, request: Request) -> Request {
        let received = Arc::clone(&self.received);
        let mut request = request.map(|body| Body::new(Counted::new(body, received)));
        request.extensions_mut().insert(self.id.clone());
        request.extensions_mut().insert(self.user.clone());
        request.extensions_mut().insert(self.matched.clone());
        request
    }

    /// Follows the answer to its end.
    pub(super) fn follow(mut self, response: Response) -> Response {
        self.answered(&response);
        response.map(|body| Body::new(Answering::new(body, self)))
    }

    fn answered(&mut self, response: &Response) {
        self.status = Some(response.status());
        let header =
            response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let announced = header.or_else(|| response.body().size_hint().exact());
        self.announced = if self.method == Method::HEAD { Some(0) } else { announced };
    }

    /// The path as the client has sent it.
    pub(super) fn path(&self) -> &str {
        self.uri.path()
    }

    /// The path as it stands in the route table; nothing if it leads nowhere.
    pub(super) fn route(&self) -> &str {
        prefix::route(&self.answers.prefix, self.path()).unwrap_or_default()
    }

    /// The query as the client has sent it.
    pub(super) fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    /// What the client calls itself.
    pub(super) fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_ref()?.to_str().ok()
    }

    /// The page that has led the client here.
    pub(super) fn referer(&self) -> Option<&str> {
        self.referer.as_ref()?.to_str().ok()
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
