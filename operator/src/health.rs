//! `/livez` and `/readyz` for the kubelet: the process is alive, and it has read what it needs once. That is the Lease
//! for an operator that stands by, and every Registry for the one that leads. `/metrics` for collectors.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tracing::debug;

use crate::metrics::{self, Metrics};

/// Whether the operator has read all that it was to read. Cloned between who reads and who answers.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    outstanding: Arc<AtomicUsize>,
}

/// Something that has to be read before the operator is ready.
#[derive(Debug)]
pub struct Outstanding(Readiness);

impl Readiness {
    /// One more thing has to be read first.
    pub fn expect(&self) -> Outstanding {
        self.outstanding.fetch_add(1, Ordering::Relaxed);
        Outstanding(self.clone())
    }

    fn is_ready(&self) -> bool {
        self.outstanding.load(Ordering::Relaxed) == 0
    }
}

impl Outstanding {
    /// It is read.
    pub fn done(self) {
        drop(self);
    }
}

impl Drop for Outstanding {
    /// Who gave up reading it does not need it any more.
    fn drop(&mut self) {
        self.0.outstanding.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Listens on `address`; where there is no IPv6, all addresses are those of IPv4.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(_) if address.ip() == Ipv6Addr::UNSPECIFIED => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        bound => bound,
    }
}

/// Answers health checks and collectors on `listener` until the task is dropped.
pub async fn serve(
    listener: TcpListener,
    readiness: Readiness,
    metrics: Arc<Metrics>,
) -> io::Result<Infallible> {
    loop {
        let (connection, _) = listener.accept().await?;
        tokio::spawn(answer(connection, readiness.clone(), Arc::clone(&metrics)));
    }
}

async fn answer(connection: TcpStream, readiness: Readiness, metrics: Arc<Metrics>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = match request.uri().path() {
            "/metrics" => page(metrics.render()),
            path => respond(path, &readiness),
        };
        async move { Ok::<_, Infallible>(response) }
    });
    // The timer bounds how long a client may take to send its request head.
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(connection), service)
        .await;
    if let Err(error) = served {
        debug!(%error, "health check connection");
    }
}

fn page(metrics: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(metrics));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(metrics::MEDIA_TYPE));
    response
}

fn respond(path: &str, readiness: &Readiness) -> Response<Full<Bytes>> {
    let (status, text) = match path {
        "/livez" => (StatusCode::OK, "ok\n"),
        "/readyz" if readiness.is_ready() => (StatusCode::OK, "ok\n"),
        "/readyz" => (StatusCode::SERVICE_UNAVAILABLE, "what is in the cluster has not been read yet\n"),
        _ => (StatusCode::NOT_FOUND, "ask for /livez, /readyz or /metrics\n"),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_of(path: &str, readiness: &Readiness) -> u16 {
        respond(path, readiness).status().as_u16()
    }

    #[test]
    fn it_is_alive_at_once_and_ready_when_everything_is_read() {
        let readiness = Readiness::default();
        let (first, second) = (readiness.expect(), readiness.expect());
        assert_eq!(status_of("/livez", &readiness), 200);
        first.done();
        assert_eq!(status_of("/readyz", &readiness), 503);
        second.done();
        assert_eq!(status_of("/readyz", &readiness), 200);
    }

    #[test]
    fn who_gives_up_reading_is_not_waited_for() {
        let readiness = Readiness::default();
        drop(readiness.expect());
        assert_eq!(status_of("/readyz", &readiness), 200);
    }

    #[test]
    fn other_paths_are_not_found() {
        assert_eq!(status_of("/", &Readiness::default()), 404);
    }
}
