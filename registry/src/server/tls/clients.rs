//! Certificates of clients: who has to show one, and which are good.
//!
//! They say who may connect. Who a user is, and what that user may do, is left to `auth`.

use std::{path::PathBuf, sync::Arc};

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{
        CertificateDer, UnixTime,
        pem::{self, PemObject},
    },
    server::{
        VerifierBuilderError, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use crate::config::{ClientCertificates, ClientDemand};

/// What is wrong with the authorities of clients.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidAuthorities {
    #[error(
        "{} (http.tls.clientcas) holds no certificate; it must begin with -----BEGIN CERTIFICATE-----",
        .0.display()
    )]
    Empty(PathBuf),
    #[error("{} (http.tls.clientcas) is not PEM", .path.display())]
    NotPem { path: PathBuf, source: pem::Error },
    #[error("{} (http.tls.clientcas) holds a certificate that cannot be an authority", .path.display())]
    NoAuthority { path: PathBuf, source: Error },
    #[error(
        "http.tls.clientauth wants to verify certificates: name the files of their authorities in http.tls.clientcas"
    )]
    Unverifiable(#[from] VerifierBuilderError),
}

/// What looks at the certificates of clients; `contents` is what the files of the authorities hold.
pub(super) fn verifier(
    clients: &ClientCertificates,
    contents: &[Vec<u8>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, InvalidAuthorities> {
    let authorities = Arc::new(authorities(&clients.authorities, contents)?);
    let verified = || WebPkiClientVerifier::builder_with_provider(authorities, Arc::clone(provider));
    let algorithms = provider.signature_verification_algorithms;
    Ok(match clients.demand {
        ClientDemand::Request => Arc::new(AnyCertificate { mandatory: false, algorithms }),
        ClientDemand::RequireAny => Arc::new(AnyCertificate { mandatory: true, algorithms }),
        ClientDemand::VerifyIfGiven => verified().allow_unauthenticated().build()?,
        ClientDemand::RequireAndVerify => verified().build()?,
    })
}

fn authorities(paths: &[PathBuf], contents: &[Vec<u8>]) -> Result<RootCertStore, InvalidAuthorities> {
    let mut authorities = RootCertStore::empty();
    for (path, content) in paths.iter().zip(contents) {
        let before = authorities.len();
        for certificate in CertificateDer::pem_slice_iter(content) {
            let certificate =
                certificate.map_err(|source| InvalidAuthorities::NotPem { path: path.clone(), source })?;
            authorities
                .add(certificate)
                .map_err(|source| InvalidAuthorities::NoAuthority { path: path.clone(), source })?;
        }
        if authorities.len() == before {
            return Err(InvalidAuthorities::Empty(path.clone()));
        }
    }
    Ok(authorities)
}

/// Takes every certificate, whoever has signed it; its holder must still have the private key.
#[derive(Debug)]
struct AnyCertificate {
    mandatory: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    /// None: a client would keep a certificate of another authority to itself.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
