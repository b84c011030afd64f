//! The way to a collector of traces, by this server's own HTTP client.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hyper::{Request, Response, Uri};
use opentelemetry_http::{HttpClient, HttpError};
use tokio::{runtime::Handle, sync::Mutex};

use crate::http_client::Client;

/// Sends batches of spans, one after the other.
#[derive(Debug)]
pub(super) struct Collector {
    client: Arc<Mutex<Client>>,
    /// Batches come from a thread without a runtime.
    runtime: Handle,
}

impl Collector {
    /// Has to be called on the runtime that will do the work.
    pub(super) fn new(client: Client) -> Self {
        Self { client: Arc::new(Mutex::new(client)), runtime: Handle::current() }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // The client knows its server, and takes the path alone.
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
        let client = Arc::clone(&self.client);
        let answer = self.runtime.spawn(async move { client.lock().await.send(request).await }).await??;
        Ok(Response::builder().status(answer.status).body(answer.body)?)
    }
}
