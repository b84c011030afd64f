//! The way of one operator to the API server: it passes every request on, and takes note of it.

use std::{
    convert::Infallible,
    future,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Result;
use http::header;
use http_body_util::BodyExt;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use kube::{Client, client::Body};
use tokio::net::TcpListener;

use crate::{fixture, requests};

/// Listens on the loopback device until the test process ends.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    way: Arc<Way>,
}

/// Whether requests get through, and those that did.
#[derive(Default)]
struct Way {
    cut: AtomicBool,
    passed: Mutex<Vec<requests::Request>>,
}

impl Gateway {
    /// A way to the API server of a kubeconfig file, with its credentials.
    pub(crate) fn open(kubeconfig: &Path) -> Result<Self> {
        let runtime = tokio::runtime::Runtime::new()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let gateway = Self { address: listener.local_addr()?, way: Arc::default() };
        let (kubeconfig, way) = (kubeconfig.to_owned(), Arc::clone(&gateway.way));
        std::thread::spawn(move || runtime.block_on(serve(listener, &kubeconfig, way)));
        Ok(gateway)
    }

    /// Lets requests through, or lets them wait for an answer that never comes, as a network does that is cut.
    pub(crate) fn cut(&self, cut: bool) {
        self.way.cut.store(cut, Ordering::SeqCst);
    }

    /// The requests so far about the Lease of this name.
    pub(crate) fn about_lease(&self, name: &str) -> Vec<requests::Request> {
        let part = format!("/leases/{name}");
        self.passed().into_iter().filter(|request| request.path.ends_with(&part)).collect()
    }

    /// The writes so far of anything but Leases.
    pub(crate) fn writes(&self) -> Vec<requests::Request> {
        let counts = |request: &requests::Request| request.is_write() && !request.path.contains("/leases");
        self.passed().into_iter().filter(counts).collect()
    }

    fn passed(&self) -> Vec<requests::Request> {
        self.way.passed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(listener: TcpListener, kubeconfig: &Path, way: Arc<Way>) -> Result<()> {
    let client = Client::try_from(fixture::connection(kubeconfig).await?)?;
    loop {
        let (connection, _) = listener.accept().await?;
        let (client, way) = (client.clone(), Arc::clone(&way));
        let service = service_fn(move |request| pass_on(client.clone(), Arc::clone(&way), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), service));
    }
}

async fn pass_on(
    client: Client,
    way: Arc<Way>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    if way.cut.load(Ordering::SeqCst) {
        future::pending::<()>().await;
    }
    let (mut head, body) = request.into_parts();
    let noted = requests::Request { method: head.method.to_string(), path: head.uri.path().to_owned() };
    way.passed.lock().unwrap_or_else(PoisonError::into_inner).push(noted);
    head.headers.remove(header::HOST);
    // A body that breaks off is the operator's end, and a server that does not answer is told as such.
    let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    let answer = client.send(Request::from_parts(head, Body::from(body))).await;
    Ok(answer.unwrap_or_else(|_| {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = http::StatusCode::BAD_GATEWAY;
        answer
    }))
}
