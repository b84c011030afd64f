//! A collector of traces that keeps what it is sent.

use std::{
    convert::Infallible,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use http_body_util::BodyExt;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::{collector::trace::v1::ExportTraceServiceRequest, trace::v1::Span};
use prost::Message;
use tokio::net::TcpListener;

/// Listens on the loopback device until the test process ends.
pub(crate) struct Collector {
    pub(crate) endpoint: String,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    pub(crate) fn open() -> Result<Self> {
        let runtime = tokio::runtime::Runtime::new()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let collector =
            Self { endpoint: format!("http://{}", listener.local_addr()?), spans: Arc::default() };
        let spans = Arc::clone(&collector.spans);
        std::thread::spawn(move || runtime.block_on(serve(listener, spans)));
        Ok(collector)
    }

    /// The spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(listener: TcpListener, spans: Arc<Mutex<Vec<Span>>>) -> Result<()> {
    loop {
        let (connection, _) = listener.accept().await?;
        let spans = Arc::clone(&spans);
        let service = service_fn(move |request| keep(Arc::clone(&spans), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), service));
    }
}

async fn keep(
    spans: Arc<Mutex<Vec<Span>>>,
    request: Request<Incoming>,
) -> Result<Response<String>, Infallible> {
    let mut answer = Response::new(String::new());
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
    match body.map(ExportTraceServiceRequest::decode) {
        Ok(Ok(batch)) => {
            let scopes = batch.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
            let sent = scopes.flat_map(|scope| scope.spans);
            spans.lock().unwrap_or_else(PoisonError::into_inner).extend(sent);
        }
        _ => *answer.status_mut() = http::StatusCode::BAD_REQUEST,
    }
    Ok(answer)
}
