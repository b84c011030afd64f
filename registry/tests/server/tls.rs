//! The server's own certificate, and how TLS is spoken.

use std::error::Error as _;

use berth_registry::server::Server;
use rustls::{CipherSuite, ProtocolVersion};
use tempfile::tempdir;

use crate::{
    certificates::{Authority, secured, settings, write},
    fixture::Setup,
    raw::{PING, Raw},
};

#[tokio::test]
async fn a_new_certificate_is_used_and_old_connections_live_on() {
    let (folder, first, second) = (tempdir().unwrap(), Authority::new(), Authority::new());
    let server = secured(folder.path(), &first).start().await;
    let mut old = Raw::new(first.client().connect(&server).await.unwrap());
    assert_eq!(old.ask(PING).await.status, 200);

    write(folder.path(), &second.sign());
    server.tls_files.as_ref().unwrap().refresh();

    let mut new = Raw::new(second.client().connect(&server).await.unwrap());
    assert_eq!(new.ask(PING).await.status, 200);
    assert!(first.client().connect(&server).await.is_err());
    assert_eq!(old.ask(PING).await.status, 200);
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_at_the_start() {
    let (folder, authority) = (tempdir().unwrap(), Authority::new());
    write(folder.path(), &authority.sign());
    std::fs::write(folder.path().join("tls.key"), authority.sign().key).unwrap();
    let mut setup = Setup::new();
    setup.config.http.tls = Some(settings(folder.path()));
    let error = Server::bind(&setup.config.http).await.unwrap_err();
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains("does not belong to"), "{cause}");
}

#[tokio::test]
async fn only_the_named_suites_are_spoken() {
    let (folder, authority) = (tempdir().unwrap(), Authority::new());
    let (named, other) = (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    );
    let mut setup = secured(folder.path(), &authority);
    setup.config.http.tls.as_mut().unwrap().cipher_suites = vec![named];
    let server = setup.start().await;
    let client_of = |suite| {
        let mut client = authority.client();
        client.provider.cipher_suites.retain(|offered| offered.suite() == suite);
        client
    };
    let stream = client_of(named).connect(&server).await.unwrap();
    assert_eq!(stream.get_ref().1.negotiated_cipher_suite().unwrap().suite(), named);
    assert!(client_of(other).connect(&server).await.is_err());
    let newest = authority.client().connect(&server).await.unwrap();
    assert_eq!(newest.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
}
