//! The registry on a Unix socket, with and without TLS.

use std::error::Error as _;

use berth_registry::{config::Listen, server::Server};
use rustls::pki_types::ServerName;
use tempfile::tempdir;
use tokio::net::UnixStream;

use crate::{
    certificates::{Authority, secured},
    fixture::Setup,
    raw::{PING, Raw},
};

#[tokio::test]
async fn a_registry_is_served_on_a_unix_socket_which_is_gone_afterwards() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("registry.sock");
    let mut setup = Setup::new();
    setup.config.http.listen = Listen::Unix(path.clone());
    let server = setup.start().await;
    assert_eq!(server.address.to_string(), path.display().to_string());
    let mut raw = Raw::new(UnixStream::connect(&path).await.unwrap());
    assert_eq!(raw.ask(PING).await.status, 200);

    server.signals.unbounded_send(()).unwrap();
    server.end.await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn tls_is_spoken_on_a_unix_socket_too() {
    let (folder, authority) = (tempdir().unwrap(), Authority::new());
    let path = folder.path().join("registry.sock");
    let mut setup = secured(folder.path(), &authority);
    setup.config.http.listen = Listen::Unix(path.clone());
    let _server = setup.start().await;
    let name = ServerName::try_from("localhost").unwrap();
    let stream = UnixStream::connect(&path).await.unwrap();
    let mut raw = Raw::new(authority.client().connector().connect(name, stream).await.unwrap());
    assert_eq!(raw.ask(PING).await.status, 200);
}

#[tokio::test]
async fn a_socket_in_use_is_told_with_what_to_do() {
    let folder = tempdir().unwrap();
    let mut setup = Setup::new();
    setup.config.http.listen = Listen::Unix(folder.path().join("registry.sock"));
    let _first = Server::bind(&setup.config.http).await.unwrap();
    let error = Server::bind(&setup.config.http).await.unwrap_err();
    assert!(error.to_string().contains("set http.addr to a path"), "{error}");
    assert!(error.source().is_some());
}
