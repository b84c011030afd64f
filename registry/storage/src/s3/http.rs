//! How requests travel to the S3 server: a pool of connections with limits on their number and on silence.
//!
//! An answer that is not the content of an object is small. It is read to its end here, so that one which breaks off
//! counts as none, and the request may be sent again.
//!
//! What is asked, how it is signed and when it is asked again is left to `object_store` and to `request`.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Incoming;
use hyper::header::{HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::progress::Watched;
use super::settings::{Requests, Trust};
use super::tls;
use crate::while_it_moves;

/// How long it may take until a connection is there.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long a connection without a request is kept.
const IDLE_LIMIT: Duration = Duration::from_mins(1);

/// However long the server asks to wait, a client of ours is not let wait longer for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// After which times a write that was forbidden is tried again. `MinIO` forbids one for a moment while a deletion removes
/// the folder that it is for.
const PAUSES_OF_THE_FORBIDDEN: [Duration; 3] =
    [Duration::from_millis(20), Duration::from_millis(100), Duration::from_millis(500)];

/// The server does not know such a request, so that asking again is in vain.
#[derive(Debug, thiserror::Error)]
#[error("the S3 server does not implement this request (501)")]
pub(super) struct NotImplemented;

#[derive(Debug, thiserror::Error)]
#[error("the S3 server is silent")]
struct Silent;

/// Asking again would make it worse.
#[derive(Debug, thiserror::Error)]
#[error("too many requests wait for the S3 server")]
struct Crowded;

/// Connections to the server.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    client: legacy::Client<HttpsConnector<HttpConnector>, Watched>,
    permits: Arc<Semaphore>,
    time_limit: Duration,
    user_agent: HeaderValue,
}

impl Connections {
    pub(super) fn new(trust: &Trust, requests: &Requests) -> io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(CONNECT_LIMIT));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::config(trust)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_LIMIT)
            .pool_max_idle_per_host(requests.concurrency)
            .build(connector);
        let user_agent = requests.user_agent.as_deref().unwrap_or("berth-registry");
        Ok(Self {
            client,
            permits: Arc::new(Semaphore::new(requests.concurrency)),
            time_limit: requests.time_limit,
            user_agent: HeaderValue::from_str(user_agent).map_err(io::Error::other)?,
        })
    }

    async fn answer(&self, request: HttpRequest) -> Result<Response<Incoming>, HttpError> {
        // A client that reads slowly must not keep others from asking: only the wait for the answer is counted.
        let permit = timeout(self.time_limit, self.permits.acquire()).await;
        let permit = permit.map_err(|_| HttpError::new(HttpErrorKind::Unknown, Crowded))?;
        let _permit = permit.map_err(|closed| interrupted(closed.into()))?;
        let (head, body) = request.into_parts();
        let (body, moved) = Watched::new(body);
        let answer = self.client.request(Request::from_parts(head, body));
        match while_it_moves(self.time_limit, &moved, answer).await {
            Some(answer) => answer.map_err(failed),
            None => Err(silent()),
        }
    }

    /// The answer to a request that may be forbidden for a moment.
    async fn allowed(&self, request: HttpRequest) -> Result<Response<Incoming>, HttpError> {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        for pause in PAUSES_OF_THE_FORBIDDEN {
            let answer = self.answer(request.clone()).await?;
            if is_read || answer.status() != StatusCode::FORBIDDEN {
                return Ok(answer);
            }
            sleep(pause).await;
        }
        self.answer(request).await
    }

    /// The body, in which every silence is limited.
    fn body(&self, body: Incoming) -> HttpResponseBody {
        let limit = self.time_limit;
        let frames = futures::stream::unfold(Some(body), move |body| async move {
            let mut body = body?;
            match timeout(limit, body.frame()).await {
                Ok(Some(Ok(frame))) => Some((Ok(frame), Some(body))),
                Ok(Some(Err(error))) => Some((Err(interrupted(error.into())), None)),
                Ok(None) => None,
                Err(_) => Some((Err(silent()), None)),
            }
        });
        HttpResponseBody::new(StreamBody::new(frames.fuse()))
    }
}

#[async_trait]
impl HttpService for Connections {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        request.headers_mut().insert(USER_AGENT, self.user_agent.clone());
        let may_be_large = is_for_content(&request);
        let answer = self.allowed(request).await?;
        if answer.status() == StatusCode::NOT_IMPLEMENTED {
            return Err(HttpError::new(HttpErrorKind::Decode, NotImplemented));
        }
        if let Some(pause) = pause(&answer) {
            sleep(pause).await;
        }
        let (head, body) = answer.into_parts();
        let body = self.body(body);
        let is_content = may_be_large && head.status.is_success();
        let body = if is_content { body } else { body.bytes().await?.into() };
        Ok(HttpResponse::from_parts(head, body))
    }
}

impl object_store::client::HttpConnector for Connections {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

/// Whether the content of an object is asked for. Lists are asked for with a query.
fn is_for_content(request: &HttpRequest) -> bool {
    request.method() == Method::GET && request.uri().query().is_none()
}

/// How long a server that is asked too much wants to be left alone. Whoever asks again waits for its own time as well.
fn pause(answer: &Response<Incoming>) -> Option<Duration> {
    let is_throttled =
        matches!(answer.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
    let seconds = answer.headers().get(RETRY_AFTER).filter(|_| is_throttled)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

fn silent() -> HttpError {
    HttpError::new(HttpErrorKind::Timeout, Silent)
}

fn interrupted(source: Box<dyn StdError + Send + Sync>) -> HttpError {
    HttpError::new_boxed(HttpErrorKind::Interrupted, source)
}

/// What a failure means for whoever may ask again.
fn failed(error: legacy::Error) -> HttpError {
    if error.is_connect() {
        return HttpError::new(HttpErrorKind::Connect, error);
    }
    let cause = error.source().and_then(|source| source.downcast_ref::<hyper::Error>());
    // The connection was closed by the server before it had read the request.
    let is_unsent = cause.is_some_and(|cause| cause.is_canceled() || cause.is_closed());
    let kind = if is_unsent { HttpErrorKind::Request } else { HttpErrorKind::Interrupted };
    HttpError::new(kind, error)
}
