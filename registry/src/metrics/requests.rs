//! What is counted of requests: by handler in the words of Distribution, and pulls and pushes in our own.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use hyper::{Method, StatusCode};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// Upper bounds of the times that requests take, in seconds.
const DURATIONS: [f64; 13] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0];

/// Under this code a request is counted whose client has left before the answer began, as proxies do.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// A group of endpoints: the value of the label `handler`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// `/v2/`.
    Base,
    /// The list of repositories.
    Catalog,
    /// The tags of a repository.
    Tags,
    /// One manifest.
    Manifest,
    /// One blob.
    Blob,
    /// The start of an upload.
    BlobUpload,
    /// An upload that has started.
    BlobUploadChunk,
    /// What refers to a manifest.
    Referrers,
    /// Extensions of the protocol, such as the garbage collection.
    Extension,
    /// Probes, and everything outside of the protocol.
    Other,
}

impl Handler {
    fn label(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Catalog => "catalog",
            Self::Tags => "tags",
            Self::Manifest => "manifest",
            Self::Blob => "blob",
            Self::BlobUpload => "blob_upload",
            Self::BlobUploadChunk => "blob_upload_chunk",
            Self::Referrers => "referrers",
            Self::Extension => "extension",
            Self::Other => "other",
        }
    }

    /// What is pulled or pushed here.
    fn content(self) -> Option<Content> {
        let kind = match self {
            Self::Manifest => "manifest",
            Self::Blob | Self::BlobUpload | Self::BlobUploadChunk => "blob",
            _ => return None,
        };
        Some(Content { kind })
    }
}

/// How many handlers there are.
const HANDLERS: usize = Handler::Other as usize + 1;

/// What became of a client's claim to be somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// The password was right.
    Succeeded,
    /// The credentials were refused.
    Failed,
    /// There were no credentials, and the client was asked for them.
    Missing,
}

impl Authentication {
    fn label(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Missing => "missing",
        }
    }
}

/// A request that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The status of the answer; `None` when the client has left before.
    pub status: Option<StatusCode>,
    /// From the head of the request to the end of the answer.
    pub duration: Duration,
    /// The bytes of the request's body that arrived.
    pub received: u64,
    /// The bytes of the answer's body that were handed over.
    pub sent: u64,
    /// Who the client is; `None` when nobody was asked.
    pub authentication: Option<Authentication>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByHandler {
    handler: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByMethod {
    handler: &'static str,
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCode {
    handler: &'static str,
    method: &'static str,
    code: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Content {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    result: &'static str,
}

/// What is counted of all requests. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Requests(Arc<Counts>);

/// What is counted of the requests by one method to one handler that succeed in one way. To find it among all that is counted
/// takes as long as to count.
#[derive(Debug)]
struct Pulls {
    duration: Histogram,
    request_size: Histogram,
    response_size: Histogram,
    total: Counter,
    /// How much content clients have got, and the bytes of it.
    content: Option<(Counter, Counter)>,
}

/// How many ways there are in which a pull succeeds: `GET` of the whole, `GET` of a part, `HEAD`.
const PULLS: usize = 3;

#[derive(Debug)]
struct Counts {
    /// What is counted of pulls that succeed, at hand: by handler and way.
    at_hand: [[OnceLock<Pulls>; PULLS]; HANDLERS],
    /// The requests in flight, at hand by handler.
    in_flight_at_hand: [OnceLock<Gauge>; HANDLERS],
    in_flight: Family<ByHandler, Gauge>,
    duration: Family<ByMethod, Histogram>,
    request_size: Family<ByHandler, Histogram>,
    response_size: Family<ByHandler, Histogram>,
    total: Family<ByCode, Counter>,
    pulls: Family<Content, Counter>,
    pulled_bytes: Family<Content, Counter>,
    pushes: Family<Content, Counter>,
    pushed_bytes: Family<Content, Counter>,
    uploads: Gauge,
    authentications: Family<ByResult, Counter>,
}

impl Default for Counts {
    fn default() -> Self {
        let sizes = || Histogram::new(exponential_buckets(1024.0, 2.0, 22));
        Self {
            at_hand: Default::default(),
            in_flight_at_hand: Default::default(),
            in_flight: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(DURATIONS)),
            request_size: Family::new_with_constructor(sizes),
            response_size: Family::new_with_constructor(sizes),
            total: Family::default(),
            pulls: Family::default(),
            pulled_bytes: Family::default(),
            pushes: Family::default(),
            pushed_bytes: Family::default(),
            uploads: Gauge::default(),
            authentications: Family::default(),
        }
    }
}

impl Requests {
    /// Counts a request as being worked on, until the returned value ends.
    pub fn begin(&self, handler: Handler, method: &Method) -> Active {
        let in_flight = self.0.in_flight(handler).clone();
        let uploads = is_upload(handler, method).then(|| self.0.uploads.clone());
        in_flight.inc();
        if let Some(uploads) = &uploads {
            uploads.inc();
        }
        Active { requests: self.clone(), handler, method: method.clone(), in_flight, uploads }
    }

    /// Names everything for a collector.
    pub(super) fn register(&self, registry: &mut Registry) {
        self.0.register_http(registry.sub_registry_with_prefix("registry_http"));
        self.0.register_ours(registry.sub_registry_with_prefix("berth_registry"));
    }
}

impl Pulls {
    fn count(&self, outcome: &Outcome) {
        self.duration.observe(outcome.duration.as_secs_f64());
        self.request_size.observe(approximate(outcome.received));
        self.response_size.observe(approximate(outcome.sent));
        self.total.inc();
        if let Some((pulls, bytes)) = &self.content {
            pulls.inc();
            bytes.inc_by(outcome.sent);
        }
    }
}

impl Counts {
    fn in_flight(&self, handler: Handler) -> &Gauge {
        let found = || self.in_flight.get_or_create_owned(&ByHandler { handler: handler.label() });
        self.in_flight_at_hand[handler as usize].get_or_init(found)
    }

    fn count(&self, handler: Handler, method: &Method, outcome: &Outcome) {
        match self.pulls(handler, method, outcome.status) {
            Some(pulls) => pulls.count(outcome),
            None => self.count_any(handler, method, outcome),
        }
        if let Some(authentication) = outcome.authentication {
            self.authentications.get_or_create(&ByResult { result: authentication.label() }).inc();
        }
    }

    /// What is at hand for such a request.
    fn pulls(&self, handler: Handler, method: &Method, status: Option<StatusCode>) -> Option<&Pulls> {
        let status = status?;
        let way = match (method, status) {
            (&Method::GET, StatusCode::OK) => 0,
            (&Method::GET, StatusCode::PARTIAL_CONTENT) => 1,
            (&Method::HEAD, StatusCode::OK) => 2,
            _ => return None,
        };
        let content = handler.content().filter(|_| method == Method::GET);
        let found = || self.find(handler.label(), method_label(method), status.as_u16(), content);
        Some(self.at_hand[handler as usize][way].get_or_init(found))
    }

    fn find(
        &self,
        handler: &'static str,
        method: &'static str,
        code: u16,
        content: Option<Content>,
    ) -> Pulls {
        let counted = |content| {
            (self.pulls.get_or_create_owned(&content), self.pulled_bytes.get_or_create_owned(&content))
        };
        Pulls {
            duration: self.duration.get_or_create_owned(&ByMethod { handler, method }),
            request_size: self.request_size.get_or_create_owned(&ByHandler { handler }),
            response_size: self.response_size.get_or_create_owned(&ByHandler { handler }),
            total: self.total.get_or_create_owned(&ByCode { handler, method, code }),
            content: content.map(counted),
        }
    }

    fn count_any(&self, handler: Handler, method: &Method, outcome: &Outcome) {
        if let Some(content) = handler.content() {
            self.count_content(content, method, outcome);
        }
        let (handler, method) = (handler.label(), method_label(method));
        let code = outcome.status.map_or(CLIENT_CLOSED_REQUEST, |status| status.as_u16());
        let by_handler = ByHandler { handler };
        self.duration.get_or_create(&ByMethod { handler, method }).observe(outcome.duration.as_secs_f64());
        self.request_size.get_or_create(&by_handler).observe(approximate(outcome.received));
        self.response_size.get_or_create(&by_handler).observe(approximate(outcome.sent));
        self.total.get_or_create(&ByCode { handler, method, code }).inc();
    }

    fn count_content(&self, content: Content, method: &Method, outcome: &Outcome) {
        let status = outcome.status;
        match *method {
            Method::GET if status.is_some_and(is_pull) => {
                self.pulls.get_or_create(&content).inc();
                self.pulled_bytes.get_or_create(&content).inc_by(outcome.sent);
            }
            Method::POST | Method::PATCH | Method::PUT => {
                self.pushed_bytes.get_or_create(&content).inc_by(outcome.received);
                // A mounted blob is one, too: the repository has it now.
                if status == Some(StatusCode::CREATED) {
                    self.pushes.get_or_create(&content).inc();
                }
            }
            _ => {}
        }
    }

    fn register_http(&self, http: &mut Registry) {
        http.register("in_flight_requests", "The in-flight HTTP requests", self.in_flight.clone());
        let help = "The HTTP request latencies in seconds, up to the last byte of the answer";
        http.register_with_unit("request_duration", help, Unit::Seconds, self.duration.clone());
        let help = "The sizes of the bodies of HTTP requests in bytes";
        http.register_with_unit("request_size", help, Unit::Bytes, self.request_size.clone());
        let help = "The sizes of the bodies of HTTP responses in bytes";
        http.register_with_unit("response_size", help, Unit::Bytes, self.response_size.clone());
        http.register("requests", "Total number of HTTP requests made", self.total.clone());
    }

    fn register_ours(&self, ours: &mut Registry) {
        let (pulls, pushes) = (self.pulls.clone(), self.pushes.clone());
        let help = "Manifests and blobs, or parts of blobs, that clients have got or were redirected to";
        ours.register("pulls", help, pulls);
        let help = "Bytes of content sent to clients; those that the storage has sent itself are not known";
        ours.register_with_unit("pulled", help, Unit::Bytes, self.pulled_bytes.clone());
        ours.register("pushes", "Manifests and blobs that repositories have got from clients", pushes);
        let bytes = self.pushed_bytes.clone();
        ours.register_with_unit("pushed", "Bytes of content received from clients", Unit::Bytes, bytes);
        ours.register("uploads_in_progress", "Requests that are sending a blob now", self.uploads.clone());
        let help = "Requests by what became of their credentials, where credentials are needed";
        ours.register("authentications", help, self.authentications.clone());
    }
}

/// A request that is being worked on.
#[derive(Debug)]
pub struct Active {
    requests: Requests,
    handler: Handler,
    method: Method,
    in_flight: Gauge,
    uploads: Option<Gauge>,
}

impl Active {
    /// Counts what became of the request.
    pub fn end(&self, outcome: &Outcome) {
        self.requests.0.count(self.handler, &self.method, outcome);
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.in_flight.dec();
        if let Some(uploads) = &self.uploads {
            uploads.dec();
        }
    }
}

/// Whether the request's body may be a part of a blob.
fn is_upload(handler: Handler, method: &Method) -> bool {
    matches!(handler, Handler::BlobUpload | Handler::BlobUploadChunk)
        && matches!(*method, Method::POST | Method::PATCH | Method::PUT)
}

/// Whether the client has got content by this answer, or is getting it from the storage.
fn is_pull(status: StatusCode) -> bool {
    matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::TEMPORARY_REDIRECT)
}

/// Methods in Distribution's spelling. Clients may invent any number of others.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "get",
        Method::HEAD => "head",
        Method::POST => "post",
        Method::PUT => "put",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        Method::OPTIONS => "options",
        _ => "unknown",
    }
}

/// The number of bytes for a histogram, exact up to 8 PiB.
#[expect(clippy::cast_precision_loss, reason = "a histogram has room for approximate numbers only")]
fn approximate(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: StatusCode, received: u64, sent: u64) -> Outcome {
        let status = Some(status);
        Outcome { status, duration: Duration::from_millis(7), received, sent, authentication: None }
    }

    #[test]
    fn a_request_is_in_flight_until_it_is_dropped() {
        let requests = Requests::default();
        let active = requests.begin(Handler::BlobUploadChunk, &Method::PATCH);
        let gauge = requests.0.in_flight.get_or_create_owned(&ByHandler { handler: "blob_upload_chunk" });
        assert_eq!((gauge.get(), requests.0.uploads.get()), (1, 1));
        drop(active);
        assert_eq!((gauge.get(), requests.0.uploads.get()), (0, 0));
    }

    #[test]
    fn a_pull_counts_what_was_sent_here_and_a_push_what_arrived() {
        let requests = Requests::default();
        requests.begin(Handler::Blob, &Method::GET).end(&ended(StatusCode::OK, 0, 100));
        requests.begin(Handler::Blob, &Method::GET).end(&ended(StatusCode::TEMPORARY_REDIRECT, 0, 0));
        requests.begin(Handler::Blob, &Method::HEAD).end(&ended(StatusCode::OK, 0, 0));
        requests.begin(Handler::Blob, &Method::GET).end(&ended(StatusCode::NOT_FOUND, 0, 50));
        requests.begin(Handler::BlobUploadChunk, &Method::PATCH).end(&ended(StatusCode::ACCEPTED, 30, 0));
        requests.begin(Handler::BlobUploadChunk, &Method::PUT).end(&ended(StatusCode::CREATED, 12, 0));
        let blob = Content { kind: "blob" };
        let value = |family: &Family<Content, Counter>| family.get_or_create(&blob).get();
        assert_eq!((value(&requests.0.pulls), value(&requests.0.pulled_bytes)), (2, 100));
        assert_eq!((value(&requests.0.pushes), value(&requests.0.pushed_bytes)), (1, 42));
    }

    #[test]
    fn methods_that_clients_invent_share_one_label() {
        assert_eq!(method_label(&Method::from_bytes(b"BREW").unwrap()), "unknown");
    }

    #[test]
    fn a_client_that_leaves_before_the_answer_is_counted_as_proxies_do() {
        let requests = Requests::default();
        let outcome = Outcome { status: None, ..ended(StatusCode::OK, 0, 0) };
        requests.begin(Handler::Manifest, &Method::GET).end(&outcome);
        let code = ByCode { handler: "manifest", method: "get", code: 499 };
        assert_eq!(requests.0.total.get_or_create(&code).get(), 1);
    }
}
