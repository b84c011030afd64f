//! The listener: certificates, plain HTTP on the wrong port, and an orderly end.

use std::{path::Path, sync::Arc};

use berth_registry::{
    api::{self, Api},
    auth::Auth,
    config::{self, Http, Options},
    repository::{Registry, Rules},
    server::Server,
};
use berth_storage::Memory;
use futures::{SinkExt, channel::mpsc};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A server on a free port of this machine.
struct Running {
    port: u16,
    signals: mpsc::UnboundedSender<()>,
    certificate: Option<Arc<berth_registry::server::Certificate>>,
    end: JoinHandle<()>,
}

impl Running {
    async fn start(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let options = Options { addr: Some("127.0.0.1:0".to_owned()), ..Options::default() };
        let config = config::load(None, variables, &options).unwrap().config;
        let service = api::router(api(&config.http));
        let server = Server::bind(&config.http).await.unwrap();
        let (signals, received) = mpsc::unbounded();
        let port = server.address().unwrap().port();
        let certificate = server.certificate();
        let end = tokio::spawn(async move { server.run(service, received).await.unwrap() });
        Self { port, signals, certificate, end }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    async fn connect_tls(&self, trusted: &Path) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(trusted).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, self.connect().await).await
    }
}

fn api(http: &Http) -> Api {
    let rules = Rules::default();
    let limit = rules.max_manifest_size;
    Api::new(Registry::new(Arc::new(Memory::new()), rules), Auth::default(), limit, http)
}

/// Reads one answer; the connection stays open.
async fn answer(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n{}") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "{}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).unwrap()
}

const PING: &[u8] = b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn write_certificate(folder: &Path) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("tls.crt"), cert.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), signing_key.serialize_pem()).unwrap();
}

async fn start_with_tls(folder: &Path) -> Running {
    write_certificate(folder);
    Running::start(&[
        ("REGISTRY_HTTP_TLS_CERTIFICATE", folder.join("tls.crt").to_str().unwrap()),
        ("REGISTRY_HTTP_TLS_KEY", folder.join("tls.key").to_str().unwrap()),
    ])
    .await
}

#[tokio::test]
async fn a_new_certificate_is_used_and_old_connections_live_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = start_with_tls(folder.path()).await;
    let first = folder.path().join("first.crt");
    std::fs::copy(folder.path().join("tls.crt"), &first).unwrap();
    let mut old = server.connect_tls(&first).await.unwrap();
    old.write_all(PING).await.unwrap();
    assert!(answer(&mut old).await.starts_with("HTTP/1.1 200"));

    write_certificate(folder.path());
    server.certificate.as_ref().unwrap().files().refresh();

    let mut new = server.connect_tls(&folder.path().join("tls.crt")).await.unwrap();
    new.write_all(PING).await.unwrap();
    assert!(answer(&mut new).await.starts_with("HTTP/1.1 200"));
    assert!(server.connect_tls(&first).await.is_err());
    old.write_all(PING).await.unwrap();
    assert!(answer(&mut old).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_at_the_start() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_certificate(folder.path());
    write_certificate(other.path());
    let tls = config::Tls {
        certificate: folder.path().join("tls.crt"),
        key: other.path().join("tls.key"),
        minimum: config::TlsVersion::Tls12,
        cipher_suites: Vec::new(),
        clients: None,
    };
    let error = berth_registry::server::Certificate::open(&tls).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("does not belong to"), "{cause}");
}

#[tokio::test]
async fn plain_http_on_the_tls_port_is_told_to_use_https() {
    let folder = tempfile::tempdir().unwrap();
    let server = start_with_tls(folder.path()).await;
    let mut stream = server.connect().await;
    stream.write_all(PING).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.contains("https://"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{} {head}", body.len());
}

#[tokio::test]
async fn headers_are_written_as_scripts_look_for_them() {
    let server = Running::start(&[]).await;
    let mut stream = server.connect().await;
    stream.write_all(PING).await.unwrap();
    assert!(answer(&mut stream).await.contains("\r\nDocker-Distribution-Api-Version: registry/2.0\r\n"));
}

#[tokio::test]
async fn a_signal_lets_requests_in_flight_finish_and_takes_no_new_ones() {
    let mut server = Running::start(&[]).await;
    let mut stream = server.connect().await;
    let digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let head = format!(
        "POST /v2/app/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\
         Expect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");

    server.signals.send(()).await.unwrap();
    while TcpStream::connect(("127.0.0.1", server.port)).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(b"hello").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    server.end.await.unwrap();
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let mut server = Running::start(&[]).await;
    let mut stream = server.connect().await;
    let head = "POST /v2/app/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\
                Expect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    server.signals.send(()).await.unwrap();
    server.signals.send(()).await.unwrap();
    server.end.await.unwrap();
}
