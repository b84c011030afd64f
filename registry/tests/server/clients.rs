//! Certificates of clients, in all the ways in which a server may ask for them.

use std::{error::Error as _, path::Path, sync::Arc};

use berth_registry::{config::ClientDemand, server::Server};
use rustls::{SignatureScheme, SupportedCipherSuite, client::ResolvesClientCert, sign::CertifiedKey};
use tempfile::tempdir;

use crate::{
    certificates::{Authority, Client, Pair, demand, secured},
    fixture::{Running, Setup},
    raw::{PING, Raw},
};

/// A server that demands something of its clients, and the authorities involved.
struct Demanding {
    server: Running,
    authority: Authority,
    clients: Authority,
    folder: tempfile::TempDir,
}

impl Demanding {
    async fn start(what: ClientDemand) -> Self {
        let (folder, authority, clients) = (tempdir().unwrap(), Authority::new(), Authority::new());
        let file = folder.path().join("clients.crt");
        std::fs::write(&file, clients.pem()).unwrap();
        let mut setup = secured(folder.path(), &authority);
        demand(&mut setup, what, vec![file]);
        Self { server: setup.start().await, authority, clients, folder }
    }

    fn client(&self, identity: Option<Pair>) -> Client {
        Client { identity, ..self.authority.client() }
    }

    /// Whether a client with this certificate gets an answer, by TLS 1.3 and by TLS 1.2.
    async fn lets_in(&self, identity: impl Fn() -> Option<Pair>) -> bool {
        let newest = self.answers(&self.client(identity())).await;
        let mut older = self.client(identity());
        older.provider.cipher_suites.retain(|suite| matches!(suite, SupportedCipherSuite::Tls12(_)));
        assert_eq!(newest, self.answers(&older).await, "both versions of TLS agree");
        newest
    }

    /// In TLS 1.3 a client learns only by the first answer that its certificate was refused.
    async fn answers(&self, client: &Client) -> bool {
        let Ok(stream) = client.connect(&self.server).await else { return false };
        let mut raw = Raw::new(stream);
        if tokio::io::AsyncWriteExt::write_all(&mut raw.stream, PING.as_bytes()).await.is_err() {
            return false;
        }
        raw.next_answer().await.is_some_and(|answer| answer.status == 200)
    }

    /// Whom the server lets in: clients without a certificate, with one of another authority, with a good one.
    async fn verdicts(&self) -> [bool; 3] {
        let stranger = Authority::new();
        [
            self.lets_in(|| None).await,
            self.lets_in(|| Some(stranger.sign())).await,
            self.lets_in(|| Some(self.clients.sign())).await,
        ]
    }
}

#[tokio::test]
async fn a_certificate_that_is_only_asked_for_may_be_any_or_none() {
    assert_eq!(Demanding::start(ClientDemand::Request).await.verdicts().await, [true, true, true]);
}

#[tokio::test]
async fn any_certificate_may_be_needed() {
    assert_eq!(Demanding::start(ClientDemand::RequireAny).await.verdicts().await, [false, true, true]);
}

#[tokio::test]
async fn a_certificate_may_be_verified_only_if_there_is_one() {
    assert_eq!(Demanding::start(ClientDemand::VerifyIfGiven).await.verdicts().await, [true, false, true]);
}

#[tokio::test]
async fn a_good_certificate_may_be_needed() {
    assert_eq!(Demanding::start(ClientDemand::RequireAndVerify).await.verdicts().await, [false, false, true]);
}

/// Shows a certificate and signs with the key of another.
#[derive(Debug)]
struct Thief(Arc<CertifiedKey>);

impl ResolvesClientCert for Thief {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn whoever_shows_any_certificate_must_have_its_key() {
    let demanding = Demanding::start(ClientDemand::RequireAny).await;
    let (shown, own) = (demanding.clients.sign(), demanding.clients.sign());
    let mut client = demanding.client(None);
    client.resolver = Some(Arc::new(Thief(Arc::new(shown.with_key_of(&own)))));
    assert!(!demanding.answers(&client).await);
    client.resolver = Some(Arc::new(Thief(Arc::new(shown.with_key_of(&shown)))));
    assert!(demanding.answers(&client).await);
}

#[tokio::test]
async fn a_new_authority_is_used_and_the_old_one_no_longer() {
    let demanding = Demanding::start(ClientDemand::RequireAndVerify).await;
    let second = Authority::new();
    std::fs::write(demanding.folder.path().join("clients.crt"), second.pem()).unwrap();
    demanding.server.tls_files.as_ref().unwrap().refresh();
    assert!(demanding.lets_in(|| Some(second.sign())).await);
    assert!(!demanding.lets_in(|| Some(demanding.clients.sign())).await);
}

async fn refusal(folder: &Path, authorities: &str) -> String {
    let file = folder.join("clients.crt");
    std::fs::write(&file, authorities).unwrap();
    let mut setup: Setup = secured(folder, &Authority::new());
    demand(&mut setup, ClientDemand::RequireAndVerify, vec![file]);
    Server::bind(&setup.config.http).await.unwrap_err().source().unwrap().to_string()
}

#[tokio::test]
async fn a_file_without_authorities_is_named_with_its_key() {
    let folder = tempdir().unwrap();
    let told = refusal(folder.path(), "# nothing here\n").await;
    assert!(told.contains("clients.crt (http.tls.clientcas) holds no certificate"), "{told}");
    let broken = "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n";
    let told = refusal(folder.path(), broken).await;
    assert!(told.contains("clients.crt (http.tls.clientcas) is not PEM"), "{told}");
    let other = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    let told = refusal(folder.path(), other).await;
    assert!(told.contains("clients.crt (http.tls.clientcas) holds a certificate that cannot"), "{told}");
}
