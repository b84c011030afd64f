//! A registry of the tests, which says what it was told to say and notes what it was asked.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use berth_storage::ByteStream;
use bytes::Bytes;
use futures::TryStreamExt as _;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::{Frame, Incoming},
    header::AUTHORIZATION,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::{Credentials, Settings, Upstream};

pub(super) type Reply = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// A request that came.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// Method, path and query.
    pub(super) line: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Seen {
    pub(super) fn authorization(&self) -> Option<&str> {
        self.header(AUTHORIZATION.as_str())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A server on this machine.
pub(super) struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Answers each request with what `answer` says, as long as the test goes on.
    pub(super) async fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, answer) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::new(answer));
        let noted = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
                let service = service_fn(move |request| {
                    let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
                    async move {
                        let request = read(request).await;
                        let reply = answer(&request);
                        noted.lock().unwrap().push(request);
                        Ok::<_, Infallible>(reply)
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, seen }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client of it, for nobody in particular.
    pub(super) fn anonymous(&self) -> Upstream {
        Upstream::new(Settings::new(self.url().parse().unwrap())).unwrap()
    }

    /// A client of it, for ann.
    pub(super) fn for_ann(&self) -> Upstream {
        let credentials = Credentials::Password { user: "ann".to_owned(), password: "geheim".to_owned() };
        Upstream::new(Settings { credentials, ..Settings::new(self.url().parse().unwrap()) }).unwrap()
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

async fn read(request: Request<Incoming>) -> Seen {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    Seen { line: format!("{} {}", head.method, head.uri), headers: head.headers, body }
}

/// A reply with a body.
pub(super) fn reply(status: u16, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Reply {
    let body = Full::new(body.into()).map_err(|never| match never {});
    with_head(status, headers, UnsyncBoxBody::new(body))
}

/// A reply whose body comes as it comes.
pub(super) fn stream(status: u16, headers: &[(&'static str, &str)], body: ByteStream) -> Reply {
    with_head(status, headers, UnsyncBoxBody::new(StreamBody::new(body.map_ok(Frame::data))))
}

fn with_head(
    status: u16,
    headers: &[(&'static str, &str)],
    body: UnsyncBoxBody<Bytes, std::io::Error>,
) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        reply.headers_mut().append(*name, value.parse().unwrap());
    }
    reply
}
