//! Certificates for tests: authorities, what they sign, and clients that use them.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use berth_registry::config::{self, Tls, TlsVersion};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    client::ResolvesClientCert,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    sign::CertifiedKey,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::fixture::{Running, Setup};

/// Signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Pair {
    fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }

    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap()
    }

    /// This certificate with the key of another, as somebody has it who found the certificate alone.
    pub(crate) fn with_key_of(&self, other: &Self) -> CertifiedKey {
        let key = ring::sign::any_supported_type(&other.private_key()).unwrap();
        CertifiedKey::new(vec![self.certificate()], key)
    }
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for this machine, good for a server and for a client.
    pub(crate) fn sign(&self) -> Pair {
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// A client that trusts what this authority signs.
    pub(crate) fn client(&self) -> Client {
        Client {
            authority: self.pem(),
            provider: ring::default_provider(),
            identity: None,
            resolver: None,
            protocols: &[],
        }
    }
}

/// Writes the files of a server's certificate.
pub(crate) fn write(folder: &Path, pair: &Pair) {
    std::fs::write(folder.join("tls.crt"), &pair.certificate).unwrap();
    std::fs::write(folder.join("tls.key"), &pair.key).unwrap();
}

/// The settings for the files that `write` writes.
pub(crate) fn settings(folder: &Path) -> Tls {
    Tls {
        certificate: folder.join("tls.crt"),
        key: folder.join("tls.key"),
        minimum: TlsVersion::Tls12,
        cipher_suites: Vec::new(),
        clients: None,
    }
}

/// A server whose certificate the authority has signed. Its files are in the folder.
pub(crate) fn secured(folder: &Path, authority: &Authority) -> Setup {
    write(folder, &authority.sign());
    let mut setup = Setup::new();
    setup.config.http.tls = Some(settings(folder));
    setup
}

/// Asks a server to verify clients by this authority.
pub(crate) fn demand(setup: &mut Setup, demand: config::ClientDemand, authorities: Vec<PathBuf>) {
    let tls = setup.config.http.tls.as_mut().unwrap();
    tls.clients = Some(config::ClientCertificates { authorities, demand });
}

/// How a client speaks TLS.
pub(crate) struct Client {
    pub(crate) authority: String,
    pub(crate) provider: rustls::crypto::CryptoProvider,
    pub(crate) identity: Option<Pair>,
    /// What takes the place of an identity.
    pub(crate) resolver: Option<Arc<dyn ResolvesClientCert>>,
    /// What it offers by ALPN.
    pub(crate) protocols: &'static [&'static str],
}

impl Client {
    pub(crate) async fn connect(&self, server: &Running) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from("localhost").unwrap();
        self.connector().connect(name, server.connect().await).await
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::new(self.config()))
    }

    fn config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(self.provider.clone()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match (&self.resolver, &self.identity) {
            (Some(resolver), _) => builder.with_client_cert_resolver(Arc::clone(resolver)),
            (None, None) => builder.with_no_client_auth(),
            (None, Some(pair)) => {
                builder.with_client_auth_cert(vec![pair.certificate()], pair.private_key()).unwrap()
            }
        };
        config.alpn_protocols = self.protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}
