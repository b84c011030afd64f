//! What clients make of a chain of certificates.

use std::time::Duration;

use jiff::Timestamp;
use rustls::{
    Error, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::ring,
    pki_types::{CertificateDer, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};

/// Verifies that a client which trusts `authorities` accepts `chain` at the time `now`, whatever the server's name is.
/// Both are PEM; the server's certificate comes first.
pub fn verify(chain: &str, authorities: &str, now: Timestamp) -> Result<(), Error> {
    let chain = certificates(chain);
    let (leaf, intermediates) = chain.split_first().ok_or(Error::NoCertificatesPresented)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(authorities));
    verify_server_cert_signed_by_trust_anchor(
        &ParsedCertificate::try_from(leaf)?,
        &roots,
        intermediates,
        unix_time(now),
        ring::default_provider().signature_verification_algorithms.all,
    )
}

/// Whether the first certificate of `chain` is itself among those that clients trust, as with `openssl req -x509`.
pub fn is_pinned(chain: &str, authorities: &str) -> bool {
    certificates(chain).first().is_some_and(|leaf| certificates(authorities).contains(leaf))
}

/// The certificates of a PEM text, for as far as it can be read.
pub fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map_while(Result::ok).collect()
}

fn unix_time(at: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(at.as_second().try_into().unwrap_or_default()))
}
