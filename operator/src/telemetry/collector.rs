//! The way to a collector of traces, by the TLS settings and the HTTP client that the API server is spoken to with.

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::Connect},
    rt::TokioExecutor,
};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::{runtime::Handle, time::timeout};

/// How long one batch may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// The longest answer that is read, in bytes.
const LENGTH_LIMIT: usize = 1 << 20;

/// Sends batches of spans.
#[derive(Debug)]
pub(super) struct Collector<C> {
    client: Client<C, Full<Bytes>>,
    /// Batches come from a thread without a runtime.
    runtime: Handle,
}

impl<C: Connect + Clone> Collector<C> {
    /// Has to be called on the runtime that will do the work.
    pub(super) fn new(connector: C) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build(connector), runtime: Handle::current() }
    }
}

#[async_trait]
impl<C> HttpClient for Collector<C>
where
    C: Connect + Clone + std::fmt::Debug + Send + Sync + 'static,
{
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let exchange = exchange(self.client.clone(), request);
        self.runtime.spawn(async move { timeout(TIME_LIMIT, exchange).await }).await??
    }
}

async fn exchange<C>(
    client: Client<C, Full<Bytes>>,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let (head, body) = client.request(request.map(Full::new)).await?.into_parts();
    Ok(Response::from_parts(head, Limited::new(body, LENGTH_LIMIT).collect().await?.to_bytes()))
}
