//! What can be checked: the storage, a file, an address over HTTP or TCP. A failure is told in a sentence for people.

use std::{error::Error as StdError, path::PathBuf, time::Duration};

use bytes::Bytes;
use hyper::{HeaderMap, Method, Request, StatusCode, Uri};
use tokio::{net::TcpStream, time::timeout};

use crate::{
    config::{self, Address, FileCheck, HttpCheck, Pace, TcpCheck},
    http_client::Client,
    repository::Registry,
};

/// A check, its name in answers and log lines, and its pace.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) name: String,
    pub(super) pace: Pace,
    pub(super) probe: Probe,
}

/// How a check is made.
#[derive(Debug)]
pub(super) enum Probe {
    /// The storage has to answer.
    Storage(Registry),
    /// The file must not exist.
    File(PathBuf),
    /// The address has to answer a HEAD request with this status.
    Http { uri: Uri, headers: HeaderMap, status: StatusCode, timeout: Duration },
    /// The address has to take a connection.
    Tcp { address: Address, timeout: Duration },
}

/// All checks of a configuration, under the names that Distribution gives them.
pub(super) fn of(health: &config::Health, registry: &Registry, driver: &str) -> Vec<Check> {
    let storage = health.storage.map(|pace| Check {
        name: format!("storagedriver_{driver}"),
        pace,
        probe: Probe::Storage(registry.clone()),
    });
    let files = health.files.iter().map(file);
    let http = health.http.iter().map(http);
    let tcp = health.tcp.iter().map(tcp);
    storage.into_iter().chain(files).chain(http).chain(tcp).collect()
}

fn file(check: &FileCheck) -> Check {
    Check {
        name: check.path.display().to_string(),
        pace: Pace { interval: check.interval, threshold: 1 },
        probe: Probe::File(check.path.clone()),
    }
}

fn http(check: &HttpCheck) -> Check {
    Check {
        name: without_secrets(&check.uri),
        pace: check.pace,
        probe: Probe::Http {
            uri: check.uri.clone(),
            headers: check.headers.iter().cloned().collect(),
            status: check.status,
            timeout: check.timeout,
        },
    }
}

fn tcp(check: &TcpCheck) -> Check {
    let probe = Probe::Tcp { address: check.address.clone(), timeout: check.timeout };
    Check { name: check.address.to_string(), pace: check.pace, probe }
}

/// The URI without what may be secret in it: a user with a password, and the query.
fn without_secrets(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("http");
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{}", uri.path())
}

impl Probe {
    /// Makes the check once; the error says what is wrong.
    pub(super) async fn make(&self) -> Result<(), String> {
        match self {
            Self::Storage(registry) => registry.check().await.map_err(|error| told(&error)),
            Self::File(path) => match tokio::fs::metadata(path).await {
                Ok(_) => Err("file exists".to_owned()),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(format!("the file cannot be looked at: {error}")),
            },
            Self::Http { uri, headers, status, timeout } => ask(uri, headers, *status, *timeout).await,
            Self::Tcp { address, timeout } => connect(address, *timeout).await,
        }
    }
}

async fn ask(uri: &Uri, headers: &HeaderMap, expected: StatusCode, limit: Duration) -> Result<(), String> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request =
        Request::builder().method(Method::HEAD).uri(path).body(Bytes::new()).map_err(|error| told(&error))?;
    *request.headers_mut() = headers.clone();
    // A connection of its own each time: what is checked is that there can be one.
    let mut client = Client::new(uri, None).map_err(|error| told(&error))?.with_time_limit(limit);
    let answer = client.send(request).await.map_err(|error| told(&error))?;
    if answer.status == expected {
        Ok(())
    } else {
        Err(format!("the answer is {}, and not {}", answer.status.as_u16(), expected.as_u16()))
    }
}

async fn connect(address: &Address, limit: Duration) -> Result<(), String> {
    let host = address.host.as_deref().unwrap_or("localhost");
    match timeout(limit, TcpStream::connect((host, address.port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("connection failed: {error}")),
        Err(_) => Err(format!("no connection within {limit:?}")),
    }
}

/// An error with its causes.
fn told(error: &(dyn StdError + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    const LIMIT: Duration = Duration::from_secs(10);

    async fn listener() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    /// A server that answers one request like this, and returns what it was asked.
    async fn answer(listener: TcpListener, answer: &'static str) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(request).unwrap()
    }

    fn http(port: u16, status: StatusCode) -> Probe {
        let uri = format!("http://127.0.0.1:{port}/ready?full=1").parse().unwrap();
        let headers = HeaderMap::from_iter([("x-check".parse().unwrap(), "berth".parse().unwrap())]);
        Probe::Http { uri, headers, status, timeout: LIMIT }
    }

    #[tokio::test]
    async fn an_address_is_asked_over_http_with_the_configured_headers() {
        let (listener, port) = listener().await;
        let server = tokio::spawn(answer(listener, "HTTP/1.1 204 No Content\r\n\r\n"));
        assert_eq!(http(port, StatusCode::NO_CONTENT).make().await, Ok(()));
        let asked = server.await.unwrap();
        assert!(
            asked.starts_with("HEAD /ready?full=1 HTTP/1.1\r\n") && asked.contains("x-check: berth"),
            "{asked}"
        );
    }

    #[tokio::test]
    async fn another_status_is_a_failure() {
        let (listener, port) = listener().await;
        let server =
            tokio::spawn(answer(listener, "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"));
        let told = http(port, StatusCode::OK).make().await.unwrap_err();
        assert_eq!(told, "the answer is 500, and not 200");
        server.await.unwrap();
    }

    #[tokio::test]
    async fn an_address_that_takes_no_connection_is_a_failure() {
        let (listener, port) = listener().await;
        let probe =
            Probe::Tcp { address: Address { host: Some("127.0.0.1".to_owned()), port }, timeout: LIMIT };
        assert_eq!(probe.make().await, Ok(()));
        drop(listener);
        assert!(probe.make().await.unwrap_err().starts_with("connection failed: "));
        assert!(http(port, StatusCode::OK).make().await.unwrap_err().contains("cannot connect to"));
    }

    #[test]
    fn a_name_holds_neither_a_password_nor_a_query() {
        let uri = "https://ann:secret@db.example.com:8443/ready?token=x".parse().unwrap();
        assert_eq!(without_secrets(&uri), "https://db.example.com:8443/ready");
    }
}
