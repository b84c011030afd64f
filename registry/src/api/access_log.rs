//! One line of the log a request, written when the last byte of the answer was handed over or the client has left.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    http::{
        Method, StatusCode,
        header::{CONTENT_LENGTH, USER_AGENT},
    },
    middleware::Next,
    response::Response,
};
use hyper::body::{Frame, SizeHint};

use super::{Api, authenticate::UserSlot, edge::RequestId, fold_name::name_in, prefix};
use crate::{server::Peer, telemetry::ACCESS};

/// Counts what goes in and out of a request, and has it logged in the end.
pub(super) async fn record(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let mut line = Line::begin(&api.answers.prefix, &mut request);
    let received = Arc::clone(&line.received);
    let request = request.map(|body| Body::new(Counted { body, count: received }));
    let response = next.run(request).await;
    line.answered(&response);
    response.map(|body| Body::new(Logged { body, line }))
}

/// What is known of a request. It is logged when it is dropped, whoever drops it: the body of the answer at its end,
/// or the runtime because the client has closed the connection.
#[derive(Debug)]
struct Line {
    start: Instant,
    id: RequestId,
    user: UserSlot,
    method: Method,
    path: String,
    /// The path as it stands in the route table; nothing if it leads nowhere.
    route: String,
    user_agent: Option<String>,
    remote: Option<String>,
    received: Arc<AtomicU64>,
    sent: u64,
    /// The length of the answer's body, if it was announced.
    announced: Option<u64>,
    status: Option<StatusCode>,
    ended: bool,
}

impl Line {
    fn begin(prefix: &str, request: &mut Request) -> Self {
        let id = RequestId::of(request.headers());
        let user = UserSlot::default();
        request.extensions_mut().insert(id.clone());
        request.extensions_mut().insert(user.clone());
        let user_agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        Self {
            start: Instant::now(),
            id,
            user,
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            route: prefix::route(prefix, request.uri().path()).unwrap_or_default().to_owned(),
            user_agent: user_agent.map(str::to_owned),
            remote: request.extensions().get::<Peer>().map(|peer| peer.address.to_string()),
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
    fn is_complete(&self) -> bool {
        self.ended
            || (self.status.is_some() && self.announced.is_some_and(|announced| self.sent >= announced))
    }

    /// Probes come every few seconds and say nothing as long as all is well.
    fn is_probe(&self) -> bool {
        matches!(self.route.as_str(), "/livez" | "/readyz") && self.status == Some(StatusCode::OK)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.is_probe() {
            return;
        }
        tracing::info!(
            target: ACCESS,
            method = self.method.as_str(),
            path = self.path,
            repository = name_in(&self.route),
            status = self.status.map(|status| status.as_u16()),
            bytes_in = self.received.load(Ordering::Relaxed),
            bytes_out = self.sent,
            complete = self.is_complete(),
            duration_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX),
            user = self.user.name(),
            request_id = self.id.as_str(),
            user_agent = self.user_agent,
            remote = self.remote,
            "{} {} {}",
            self.method,
            self.path,
            self.status.as_ref().map_or("given up by the client", StatusCode::as_str),
        );
    }
}

/// A body of a request that counts what is read from it.
struct Counted {
    body: Body,
    count: Arc<AtomicU64>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        self.count.fetch_add(length(&frame), Ordering::Relaxed);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body of an answer that has its request logged when it is dropped.
struct Logged {
    body: Body,
    line: Line,
}

impl HttpBody for Logged {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        self.line.sent += length(&frame);
        self.line.ended |= matches!(frame, Poll::Ready(None));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn length<E>(frame: &Poll<Option<Result<Frame<Bytes>, E>>>) -> u64 {
    match frame {
        Poll::Ready(Some(Ok(frame))) => frame.data_ref().map_or(0, |data| data.len() as u64),
        _ => 0,
    }
}
