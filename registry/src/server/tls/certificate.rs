//! The certificate of this server: its chain and its private key, out of PEM.

use rustls::{
    crypto::CryptoProvider,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};

/// What is wrong with the files.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidCertificate {
    #[error("http.tls.certificate holds no certificate; it must begin with -----BEGIN CERTIFICATE-----")]
    Empty,
    #[error("http.tls.certificate is not PEM")]
    Certificate(#[source] pem::Error),
    #[error("http.tls.key is not a private key in PEM without a passphrase")]
    Key(#[source] pem::Error),
    #[error("http.tls.key does not belong to http.tls.certificate, or is of a kind that is not supported")]
    Mismatch(#[source] rustls::Error),
}

/// Reads the chain and the key, and sees that they belong together.
pub(super) fn parse(
    chain: &[u8],
    key: &[u8],
    provider: &CryptoProvider,
) -> Result<CertifiedKey, InvalidCertificate> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(InvalidCertificate::Certificate)?;
    if chain.is_empty() {
        return Err(InvalidCertificate::Empty);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(InvalidCertificate::Key)?;
    CertifiedKey::from_der(chain, key, provider).map_err(InvalidCertificate::Mismatch)
}
