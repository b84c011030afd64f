//! Asks one replica what it has loaded: `GET /debug/loaded` on the port for metrics, which needs no password and tells digests
//! only.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, Response, StatusCode, body::Bytes, body::Incoming, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::{net::TcpStream, time::timeout};

use crate::registry::build::METRICS_PORT;

/// How long a replica may take to answer. It answers from memory.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest answer that is read: some hundred files.
const LONGEST: usize = 64 * 1024;

/// Why a replica could not tell. The words stay the same while the cause does, so that a condition does not change with each
/// attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unasked {
    /// It has no address yet.
    #[error("has not started")]
    NotStarted,
    /// It refuses the connection, or is silent.
    #[error("does not answer on port {METRICS_PORT}")]
    NoAnswer,
    /// Something answers that is no registry of Berth, or an old one.
    #[error("answers on port {METRICS_PORT}, but does not tell which files it has loaded")]
    NotTold,
}

#[derive(Deserialize)]
struct Answer {
    files: BTreeMap<String, String>,
}

/// The files that the replica at this address has loaded, with their digests.
pub(super) async fn files(address: Option<&str>) -> Result<BTreeMap<String, String>, Unasked> {
    let address: IpAddr = address.and_then(|address| address.parse().ok()).ok_or(Unasked::NotStarted)?;
    let asked = ask(SocketAddr::new(address, METRICS_PORT));
    timeout(PATIENCE, asked).await.unwrap_or(Err(Unasked::NoAnswer))
}

async fn ask(address: SocketAddr) -> Result<BTreeMap<String, String>, Unasked> {
    let answer = send(address).await.ok_or(Unasked::NoAnswer)?;
    if answer.status() != StatusCode::OK {
        return Err(Unasked::NotTold);
    }
    let body = Limited::new(answer.into_body(), LONGEST).collect().await.map_err(|_| Unasked::NotTold)?;
    let answer: Answer = serde_json::from_slice(&body.to_bytes()).map_err(|_| Unasked::NotTold)?;
    Ok(answer.files)
}

/// A connection for one request: replicas are asked seldom, and their addresses do not last.
async fn send(address: SocketAddr) -> Option<Response<Incoming>> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    // It ends with the answer, or when that is not waited for any more.
    tokio::spawn(connection);
    let request = Request::get("/debug/loaded").header(HOST, address.to_string());
    sender.send_request(request.body(Empty::<Bytes>::new()).ok()?).await.ok()
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Asks a server that answers every request so.
    async fn ask_one_that_says(status: &str, body: &str) -> Result<BTreeMap<String, String>, Unasked> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        });
        ask(address).await
    }

    #[tokio::test]
    async fn a_replica_tells_its_files() {
        let files = ask_one_that_says("200 OK", r#"{"files": {"/users": "sha256:1"}}"#).await.unwrap();
        assert_eq!(files["/users"], "sha256:1");
    }

    #[tokio::test]
    async fn what_is_no_answer_is_told_as_such() {
        assert_eq!(ask_one_that_says("404 Not Found", "").await, Err(Unasked::NotTold));
        assert_eq!(ask_one_that_says("200 OK", "<html>").await, Err(Unasked::NotTold));
        let endless = format!(r#"{{"files": {{"/users": "{}"}}}}"#, "x".repeat(LONGEST));
        assert_eq!(ask_one_that_says("200 OK", &endless).await, Err(Unasked::NotTold));
    }

    #[tokio::test]
    async fn who_has_no_address_or_does_not_listen_is_not_asked_for_long() {
        assert_eq!(files(None).await, Err(Unasked::NotStarted));
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert_eq!(ask(free).await, Err(Unasked::NoAnswer));
    }
}
