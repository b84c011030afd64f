//! Which servers a client trusts: those whose certificate is signed by an authority
//! that was given, and those whose very certificate was given.
//!
//! The second kind is what `openssl req -x509` makes: a certificate that is its own authority. It is not valid as a
//! server's certificate by the rules of the web, and is used for registries all the same.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime, pem, pem::PemObject},
    server::ParsedCertificate,
};

/// Why it cannot be decided whom to trust.
#[derive(Debug, thiserror::Error)]
pub enum Untrusted {
    /// The file of authorities is missing, not readable, or not PEM.
    #[error("cannot read certificates from {}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// A certificate that was given is not PEM.
    #[error("cannot read the given certificates")]
    NotPem(#[source] pem::Error),
    /// The file of authorities has nothing in it.
    #[error("{} holds no certificate", .0.display())]
    Empty(PathBuf),
    /// The system has no authorities, and no file of them was named.
    #[error("this system has no certificate authorities: name a file of them")]
    NoAuthorities,
    /// The TLS library refused the authorities.
    #[error("TLS cannot be set up")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Certificates that are trusted besides those of the system, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorities {
    /// Those in a file.
    File(PathBuf),
    /// These.
    Text(String),
}

impl Authorities {
    fn read(&self) -> Result<Vec<CertificateDer<'static>>, Untrusted> {
        match self {
            Self::File(path) => read(path),
            Self::Text(text) => {
                let certificates = CertificateDer::pem_slice_iter(text.as_bytes());
                certificates.collect::<Result<_, _>>().map_err(Untrusted::NotPem)
            }
        }
    }
}

/// The TLS settings of a client that trusts the certificates of a file, or the authorities of the system.
pub(super) fn config(ca_file: Option<&Path>) -> Result<ClientConfig, Untrusted> {
    let given = match ca_file {
        Some(path) => read(path)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    trusting(given)
}

/// The TLS settings of a client that trusts the authorities of the system, and others besides.
pub(crate) fn config_with_system(others: Option<&Authorities>) -> Result<ClientConfig, Untrusted> {
    let mut given = others.map(Authorities::read).transpose()?.unwrap_or_default();
    given.extend(rustls_native_certs::load_native_certs().certs);
    trusting(given)
}

fn trusting(given: Vec<CertificateDer<'static>>) -> Result<ClientConfig, Untrusted> {
    if given.is_empty() {
        return Err(Untrusted::NoAuthorities);
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Untrusted::Tls(error.into()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trust::new(given)?));
    Ok(builder.with_no_client_auth())
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, Untrusted> {
    let unreadable = |source| Untrusted::Unreadable { path: path.to_owned(), source };
    let certificates = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(unreadable)?;
    if certificates.is_empty() {
        return Err(Untrusted::Empty(path.to_owned()));
    }
    Ok(certificates)
}

/// Verifies the certificates of servers.
#[derive(Debug)]
struct Trust {
    authorities: Arc<WebPkiServerVerifier>,
    given: Vec<CertificateDer<'static>>,
}

impl Trust {
    fn new(given: Vec<CertificateDer<'static>>) -> Result<Self, Untrusted> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(given.iter().cloned());
        let provider = Arc::new(ring::default_provider());
        let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| Untrusted::Tls(error.into()))?;
        Ok(Self { authorities, given })
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict =
            self.authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verdict {
            // That the certificate is an authority's has no variant of its own. By then, its dates were found good.
            Err(Error::InvalidCertificate(CertificateError::Other(_))) if self.given.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    /// A certificate as `openssl req -x509` makes it.
    fn self_signed(name: &str) -> CertificateDer<'static> {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn trusts(given: &CertificateDer<'static>, shown: &CertificateDer<'static>, name: &'static str) -> bool {
        let trust = Trust::new(vec![given.clone()]).unwrap();
        let name = ServerName::try_from(name).unwrap();
        trust.verify_server_cert(shown, &[], &name, &[], UnixTime::now()).is_ok()
    }

    #[test]
    fn a_given_certificate_is_trusted_for_its_name_alone() {
        let certificate = self_signed("hub.example.com");
        assert!(trusts(&certificate, &certificate, "hub.example.com"));
        assert!(!trusts(&certificate, &certificate, "other.example.com"));
    }

    #[test]
    fn another_certificate_of_the_same_name_is_not_trusted() {
        let (given, shown) = (self_signed("hub.example.com"), self_signed("hub.example.com"));
        assert!(!trusts(&given, &shown, "hub.example.com"));
    }
}
