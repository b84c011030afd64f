//! The certificates that are trusted to vouch for tokens, and the chains that tokens bring along.

use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime, pem::PemObject};
use webpki::{
    ALL_VERIFICATION_ALGS, EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter,
    anchor_from_trusted_cert,
};

use super::{
    der::{SEQUENCE, take},
    public_key::{PublicKey, fingerprint},
    trusted_keys::InvalidKeys,
};

/// The certificates of a bundle.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    certificates: Vec<CertificateDer<'static>>,
    anchors: Vec<TrustAnchor<'static>>,
}

impl Certificates {
    /// Reads a bundle in PEM.
    pub(super) fn read(bundle: &[u8]) -> Result<Self, InvalidKeys> {
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(bundle).collect::<Result<_, _>>().map_err(InvalidKeys::NotPem)?;
        let anchor = |certificate| anchor_from_trusted_cert(certificate).map(|anchor| anchor.to_owned());
        let anchors = certificates.iter().map(anchor).collect::<Result<_, _>>();
        Ok(Self { anchors: anchors.map_err(InvalidKeys::NoCertificate)?, certificates })
    }

    /// The keys of the certificates, each by all names that tokens may call it.
    pub(super) fn keys(&self) -> impl Iterator<Item = (Vec<String>, PublicKey)> {
        self.anchors.iter().filter_map(|anchor| {
            let info = &anchor.subject_public_key_info;
            let key = PublicKey::from_info(info)?;
            let names = key.thumbprints().into_iter().chain(fingerprint(info)).collect();
            Some((names, key))
        })
    }

    /// The key of the first certificate, if it is one of the bundle, or the others lead from it to one.
    pub(super) fn key_of(&self, chain: &[CertificateDer<'static>], now: SystemTime) -> Option<PublicKey> {
        let (first, others) = chain.split_first()?;
        if let Some(at) = self.certificates.iter().position(|certificate| certificate == first) {
            return PublicKey::from_info(&self.anchors[at].subject_public_key_info);
        }
        let now = UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).ok()?);
        let certificate = EndEntityCert::try_from(first).ok()?;
        certificate
            .verify_for_usage(ALL_VERIFICATION_ALGS, &self.anchors, others, now, AnyUsage, None, None)
            .ok()?;
        let info = certificate.subject_public_key_info();
        PublicKey::from_info(take(&mut info.as_ref(), SEQUENCE)?)
    }
}

/// Whatever a certificate is for: tokens have no purpose of their own, and Distribution asks for none.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}
