//! The way of one operator to the API server: it passes requests on, takes note of them and of the answers, and spoils those
//! that it is told to.

use super::connection;
use super::faults::{Fault, Faults};
use anyhow::Result;
use futures::StreamExt;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::{Client, client::Body};
use std::convert::Infallible;
use std::future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

/// A request by method and path, and the status of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// Its path, without a query.
    pub path: String,
    /// What the API server said to it, once it has.
    pub status: Option<u16>,
}

impl Request {
    /// Whether it asks the API server to change something.
    pub fn is_write(&self) -> bool {
        self.method != "GET"
    }
}

/// What the operator gets.
type Answer = Response<UnsyncBoxBody<Bytes, kube::Error>>;

/// Listens on the loopback device until the test process ends.
#[derive(Debug)]
pub struct Gateway {
    /// Where it listens.
    pub address: SocketAddr,
    way: Arc<Way>,
}

/// Whether and how requests get through, and those that did.
#[derive(Debug, Default)]
struct Way {
    cut: AtomicBool,
    faults: Mutex<Option<Arc<Faults>>>,
    passed: Mutex<Vec<Request>>,
}

impl Gateway {
    /// A way to the API server of a kubeconfig file, with its credentials, or with a token instead of them.
    pub fn open(kubeconfig: &Path, token: Option<&str>) -> Result<Self> {
        let runtime = tokio::runtime::Runtime::new()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let mut connection = runtime.block_on(connection(kubeconfig))?;
        if let Some(token) = token {
            connection.auth_info = kube::config::AuthInfo { token: Some(token.into()), ..Default::default() };
        }
        let gateway = Self { address: listener.local_addr()?, way: Arc::default() };
        let way = Arc::clone(&gateway.way);
        std::thread::spawn(move || runtime.block_on(serve(listener, connection, way)));
        Ok(gateway)
    }

    /// Lets requests through, or lets them wait for an answer that never comes, as a network does that is cut.
    pub fn cut(&self, cut: bool) {
        self.way.cut.store(cut, Ordering::SeqCst);
    }

    /// Spoils requests from now on, or no longer.
    pub fn spoil(&self, faults: Option<Arc<Faults>>) {
        *self.way.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// The requests so far about the Lease of this name.
    pub fn about_lease(&self, name: &str) -> Vec<Request> {
        let part = format!("/leases/{name}");
        self.passed().into_iter().filter(|request| request.path.ends_with(&part)).collect()
    }

    /// The writes so far of anything but Leases.
    pub fn writes(&self) -> Vec<Request> {
        let counts = |request: &Request| request.is_write() && !request.path.contains("/leases");
        self.passed().into_iter().filter(counts).collect()
    }

    /// All requests so far.
    pub fn passed(&self) -> Vec<Request> {
        self.way.passed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Way {
    fn fault(&self, request: &http::Request<Incoming>) -> Option<Fault> {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone();
        faults?.choose(request)
    }

    /// Notes a request, and returns its number.
    fn note(&self, request: &http::Request<Incoming>) -> usize {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        passed.push(Request { method, path, status: None });
        passed.len() - 1
    }

    fn note_status(&self, number: usize, status: StatusCode) {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)[number].status = Some(status.as_u16());
    }
}

async fn serve(listener: TcpListener, connection: kube::Config, way: Arc<Way>) -> Result<()> {
    let client = Client::try_from(connection)?;
    loop {
        let (connection, _) = listener.accept().await?;
        let (client, way) = (client.clone(), Arc::clone(&way));
        let service = service_fn(move |request| {
            let (client, way) = (client.clone(), Arc::clone(&way));
            async move { Ok::<_, Infallible>(answer(&client, &way, request).await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), service));
    }
}

async fn answer(client: &Client, way: &Way, request: http::Request<Incoming>) -> Answer {
    if way.cut.load(Ordering::SeqCst) {
        future::pending::<()>().await;
    }
    match way.fault(&request) {
        None => pass_on(client, way, request).await,
        Some(Fault::Latency(time)) => {
            tokio::time::sleep(time).await;
            pass_on(client, way, request).await
        }
        Some(Fault::LostAnswer) => {
            let _lost = pass_on(client, way, request).await;
            failure(StatusCode::GATEWAY_TIMEOUT, "Timeout")
        }
        Some(Fault::CutWatch(time)) => pass_on(client, way, request).await.map(|body| cut_after(body, time)),
        Some(Fault::Conflict) => failure(StatusCode::CONFLICT, "Conflict"),
        Some(Fault::TooManyRequests) => failure(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
        Some(Fault::ServerError) => failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
        Some(Fault::Gone) => gone(),
    }
}

async fn pass_on(client: &Client, way: &Way, request: http::Request<Incoming>) -> Answer {
    let number = way.note(&request);
    let (mut head, body) = request.into_parts();
    head.headers.remove(header::HOST);
    head.headers.remove(header::AUTHORIZATION);
    // A body that breaks off is the operator's end, and a server that does not answer is told as such.
    let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    let answer = client.send(http::Request::from_parts(head, Body::from(body))).await;
    let answer = match answer {
        Ok(answer) => answer.map(BodyExt::boxed_unsync),
        Err(_) => failure(StatusCode::BAD_GATEWAY, "ServiceUnavailable"),
    };
    way.note_status(number, answer.status());
    answer
}

/// An answer as the API server words its own.
fn failure(status: StatusCode, reason: &str) -> Answer {
    let mut answer = json(status_object(status, reason));
    *answer.status_mut() = status;
    answer
}

/// A watch that begins well and says in its first event that it cannot go on.
fn gone() -> Answer {
    let event = format!(r#"{{"type":"ERROR","object":{}}}"#, status_object(StatusCode::GONE, "Expired"));
    json(event + "\n")
}

fn json(text: String) -> Answer {
    let mut answer = Response::new(Body::from(text.into_bytes()).boxed_unsync());
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn status_object(status: StatusCode, reason: &str) -> String {
    serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "this was made up by a test", "reason": reason, "code": status.as_u16(),
    })
    .to_string()
}

/// A body that ends after some time, whatever is still to come.
fn cut_after(body: UnsyncBoxBody<Bytes, kube::Error>, time: Duration) -> UnsyncBoxBody<Bytes, kube::Error> {
    let end = Box::pin(tokio::time::sleep(time));
    let data = body.into_data_stream().map(|piece| piece.map(Frame::data));
    StreamBody::new(StreamExt::take_until(data, end)).boxed_unsync()
}
