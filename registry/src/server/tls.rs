//! The certificate: read from two files, read again when they change, used by each new handshake.

use std::{error::Error as StdError, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    config::{Tls, TlsVersion},
    reloading::{LoadError, Reloading},
};

/// What is wrong with the files.
#[derive(Debug, thiserror::Error)]
enum InvalidCertificate {
    #[error("http.tls.certificate holds no certificate; it must begin with -----BEGIN CERTIFICATE-----")]
    Empty,
    #[error("http.tls.certificate is not PEM")]
    Certificate(#[source] rustls::pki_types::pem::Error),
    #[error("http.tls.key is not a private key in PEM without a passphrase")]
    Key(#[source] rustls::pki_types::pem::Error),
    #[error("http.tls.key does not belong to http.tls.certificate, or is of a kind that is not supported")]
    Mismatch(#[source] rustls::Error),
}

/// A certificate that follows its files.
#[derive(Debug)]
pub struct Certificate {
    files: Arc<Reloading<CertifiedKey>>,
    minimum: TlsVersion,
}

impl Certificate {
    /// Reads the files.
    pub fn open(tls: &Tls) -> Result<Self, LoadError> {
        let paths = vec![tls.certificate.clone(), tls.key.clone()];
        let files = Reloading::open("the certificate (http.tls)", paths, parse)?;
        Ok(Self { files: Arc::new(files), minimum: tls.minimum })
    }

    /// The files, to be followed.
    pub fn files(&self) -> Arc<Reloading<CertifiedKey>> {
        Arc::clone(&self.files)
    }

    /// What performs handshakes with whatever certificate is current.
    pub(super) fn acceptor(&self) -> Result<TlsAcceptor, rustls::Error> {
        let versions: &[_] = match self.minimum {
            TlsVersion::Tls12 => &[&TLS12, &TLS13],
            TlsVersion::Tls13 => &[&TLS13],
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Current(self.files())));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Hands the current certificate to each handshake.
#[derive(Debug)]
struct Current(Arc<Reloading<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current())
    }
}

fn parse(contents: &[Vec<u8>]) -> Result<CertifiedKey, Box<dyn StdError + Send + Sync>> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&contents[0])
        .collect::<Result<_, _>>()
        .map_err(InvalidCertificate::Certificate)?;
    if chain.is_empty() {
        return Err(InvalidCertificate::Empty.into());
    }
    let key = PrivateKeyDer::from_pem_slice(&contents[1]).map_err(InvalidCertificate::Key)?;
    let key = CertifiedKey::from_der(chain, key, &ring::default_provider());
    Ok(key.map_err(InvalidCertificate::Mismatch)?)
}
