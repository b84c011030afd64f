//! An HTTP server that takes notifications, or refuses them as a test wants it.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{Notify, Semaphore},
    task::JoinSet,
    time::timeout,
};

/// A request that came in.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) events: Vec<Value>,
    /// What it was answered with.
    pub(crate) status: StatusCode,
}

#[derive(Debug)]
struct State {
    requests: Mutex<Vec<Received>>,
    answers: Mutex<VecDeque<StatusCode>>,
    /// No request is answered without a permit, which is given back.
    permits: Semaphore,
    arrived: Notify,
}

/// The server. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    port: u16,
    state: Arc<State>,
    _server: JoinSet<()>,
}

impl Receiver {
    /// Takes all that comes.
    pub(crate) async fn start() -> Self {
        Self::answering(&[]).await
    }

    /// Gives these answers first, and takes all that comes afterwards.
    pub(crate) async fn answering(statuses: &[u16]) -> Self {
        Self::on_port(0, statuses, 1).await
    }

    /// Answers nothing until it is [released](Self::release).
    pub(crate) async fn holding() -> Self {
        Self::on_port(0, &[], 0).await
    }

    /// Takes all that comes at a port of this machine.
    pub(crate) async fn at(port: u16) -> Self {
        Self::on_port(port, &[], 1).await
    }

    async fn on_port(port: u16, statuses: &[u16], permits: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = statuses.iter().map(|status| StatusCode::from_u16(*status).unwrap()).collect();
        let state = Arc::new(State {
            requests: Mutex::default(),
            answers: Mutex::new(answers),
            permits: Semaphore::new(permits),
            arrived: Notify::new(),
        });
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::clone(&state)));
        Self { port, state, _server: server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/events?from=test", self.port)
    }

    /// Answers what it has held back, and all that comes.
    pub(crate) fn release(&self) {
        self.state.permits.add_permits(1);
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.state.requests.lock().unwrap().clone()
    }

    /// Waits for a request, whether it is answered or not.
    pub(crate) async fn requested(&self) {
        self.wait(|requests| !requests.is_empty()).await;
    }

    /// The repositories of the first events that were taken, as soon as there are so many of them.
    pub(crate) async fn repositories(&self, count: usize) -> Vec<String> {
        let events = self.accepted(count).await;
        events.iter().map(|event| event["target"]["repository"].as_str().unwrap().to_owned()).collect()
    }

    /// The first events that were taken, as soon as there are so many of them.
    pub(crate) async fn accepted(&self, count: usize) -> Vec<Value> {
        self.wait(|requests| accepted(requests).len() >= count).await;
        accepted(&self.requests())
    }

    async fn wait(&self, done: impl Fn(&[Received]) -> bool) {
        let waited = timeout(Duration::from_mins(1), async {
            while !done(&self.requests()) {
                self.state.arrived.notified().await;
            }
        });
        assert!(waited.await.is_ok(), "only this has come: {:#?}", self.requests());
    }
}

fn accepted(requests: &[Received]) -> Vec<Value> {
    let accepted = requests.iter().filter(|request| request.status.is_success());
    accepted.flat_map(|request| request.events.clone()).collect()
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let state = Arc::clone(&state);
        let service = service_fn(move |request| answer(request, Arc::clone(&state)));
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        connections.spawn(async { drop(connection.await) });
    }
}

async fn answer(request: Request<Incoming>, state: Arc<State>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let envelope: Value = serde_json::from_slice(&body).unwrap();
    let status = state.answers.lock().unwrap().pop_front().unwrap_or(StatusCode::OK);
    state.requests.lock().unwrap().push(Received {
        method: parts.method,
        path: parts.uri.to_string(),
        headers: parts.headers,
        events: envelope["events"].as_array().unwrap().clone(),
        status,
    });
    state.arrived.notify_one();
    drop(state.permits.acquire().await.unwrap());
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    Ok(response)
}
