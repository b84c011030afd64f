//! Certificates: issues those of the operator's own authority, and reads those that exist.
//!
//! When a certificate is issued or replaced is decided in [`super::issue`].

use std::{collections::BTreeSet, fmt, net::IpAddr, sync::Arc, time::Duration};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose,
};
use rustls::{
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::ParsedCertificate,
    sign::{CertifiedKey, SigningKey},
};
use time::OffsetDateTime;
use x509_parser::{extensions::GeneralName, parse_x509_certificate, prelude::X509Certificate};

use super::chain;
use crate::digest::sha256_hex;

/// How long a certificate authority is valid: ten years.
pub const AUTHORITY_LIFETIME: Duration = days(3650);

/// How long a serving certificate is valid.
pub const SERVING_LIFETIME: Duration = days(90);

/// A new certificate is valid from a little earlier on, because clocks differ.
const CLOCK_SKEW: Duration = Duration::from_hours(1);

/// A certificate, with those that vouch for it if there are any, and its private key, both PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The certificate first.
    pub certificate: String,
    /// PKCS #8, or what the user gave.
    pub key: String,
}

/// What a certificate says.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// The DNS names and IP addresses that it is valid for.
    pub names: BTreeSet<String>,
    /// SHA-256 of the certificate (DER), in lowercase hexadecimal digits.
    pub sha256: String,
    /// Whether it may vouch for others.
    pub is_authority: bool,
    /// Whether a server may use it: nothing is said about its use, or this.
    pub is_for_servers: bool,
}

/// Why a certificate cannot be issued or used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// It could not be made.
    #[error("a certificate could not be issued")]
    Issue(#[from] rcgen::Error),
    /// It is not a PEM certificate.
    #[error("there is no PEM certificate in it")]
    NoCertificate,
    /// It is PEM, but no certificate that a server can use.
    #[error("its first certificate cannot be used by a server: {0}")]
    Unreadable(rustls::Error),
    /// It is not a PEM private key.
    #[error("there is no PEM private key in it")]
    NoKey,
    /// It takes a passphrase to read the key.
    #[error("the private key is encrypted, and a server has no passphrase for it")]
    EncryptedKey,
    /// The key is of an algorithm or a size that cannot be served.
    #[error(
        "a private key of this kind cannot be served with: take ECDSA P-256 or P-384, Ed25519, or RSA of 2048 to 4096 bits"
    )]
    UnsupportedKey,
    /// The key belongs to another certificate of the chain.
    #[error("the private key belongs to certificate {0} in it, which has to be the first")]
    NotFirst(usize),
    /// The key belongs to another certificate.
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
    /// A date is out of range.
    #[error("a date of the certificate is out of range")]
    Date,
}

/// A new certificate authority for the Registry `name`. An earlier key is used again when there is one, so that what
/// it signed stays trusted.
pub fn issue_authority(name: &str, key: Option<&str>, now: Timestamp) -> Result<KeyPair, CertificateError> {
    let key = match key {
        Some(key) => rcgen::KeyPair::from_pem(key)?,
        None => rcgen::KeyPair::generate()?,
    };
    self_signed(format!("Berth registry {name}"), &key, now)
}

/// The same authority with a later end: its key and its name stay, so what it signed stays trusted.
pub fn prolong_authority(authority: &KeyPair, now: Timestamp) -> Result<KeyPair, CertificateError> {
    let key = rcgen::KeyPair::from_pem(&authority.key)?;
    self_signed(common_name(&authority.certificate)?, &key, now)
}

fn self_signed(
    common_name: String,
    key: &rcgen::KeyPair,
    now: Timestamp,
) -> Result<KeyPair, CertificateError> {
    let mut parameters = parameters(common_name, Vec::new(), now, AUTHORITY_LIFETIME)?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = parameters.self_signed(key)?;
    Ok(KeyPair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// A new serving certificate for `names`, which are DNS names and IP addresses, signed by `authority`.
pub fn issue_serving(
    authority: &KeyPair,
    name: &str,
    names: &[String],
    now: Timestamp,
) -> Result<KeyPair, CertificateError> {
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, rcgen::KeyPair::from_pem(&authority.key)?)?;
    let key = rcgen::KeyPair::generate()?;
    let mut parameters = parameters(name.to_owned(), names.to_vec(), now, SERVING_LIFETIME)?;
    parameters.use_authority_key_identifier_extension = true;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = parameters.signed_by(&key, &issuer)?;
    Ok(KeyPair { certificate: certificate.pem(), key: key.serialize_pem() })
}

fn parameters(
    common_name: String,
    names: Vec<String>,
    now: Timestamp,
    lifetime: Duration,
) -> Result<CertificateParams, CertificateError> {
    let mut parameters = CertificateParams::new(names)?;
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    parameters.not_before = date(now - CLOCK_SKEW)?;
    parameters.not_after = date(now + lifetime)?;
    Ok(parameters)
}

/// A time in the type of certificates.
pub(super) fn date(at: Timestamp) -> Result<OffsetDateTime, CertificateError> {
    OffsetDateTime::from_unix_timestamp(at.as_second()).map_err(|_| CertificateError::Date)
}

/// Reads the first certificate of a PEM text.
pub fn inspect(certificate: &str) -> Result<Inspected, CertificateError> {
    let der = CertificateDer::from_pem_slice(certificate.as_bytes())
        .map_err(|_| CertificateError::NoCertificate)?;
    inspect_one(&der)
}

/// Reads every certificate of a PEM text, for as far as it can be read.
pub fn inspect_all(certificates: &str) -> Vec<Inspected> {
    chain::certificates(certificates).iter().map_while(|der| inspect_one(der).ok()).collect()
}

fn inspect_one(der: &CertificateDer<'_>) -> Result<Inspected, CertificateError> {
    let (_, parsed) = parse_x509_certificate(der).map_err(|_| CertificateError::NoCertificate)?;
    let timestamp = |seconds| Timestamp::from_second(seconds).map_err(|_| CertificateError::Date);
    Ok(Inspected {
        not_before: timestamp(parsed.validity().not_before.timestamp())?,
        not_after: timestamp(parsed.validity().not_after.timestamp())?,
        names: names_of(&parsed),
        sha256: sha256_hex(der),
        is_authority: parsed.is_ca(),
        is_for_servers: is_for_servers(&parsed),
    })
}

fn is_for_servers(certificate: &X509Certificate<'_>) -> bool {
    match certificate.extended_key_usage() {
        Ok(Some(usage)) => usage.value.server_auth || usage.value.any,
        _ => true,
    }
}

/// Whether the first certificate of a PEM text is valid for longer than `margin` from `now` on.
pub fn lasts(certificate: &str, margin: Duration, now: Timestamp) -> bool {
    inspect(certificate).is_ok_and(|certificate| now + margin < certificate.not_after)
}

fn common_name(certificate: &str) -> Result<String, CertificateError> {
    let der = CertificateDer::from_pem_slice(certificate.as_bytes())
        .map_err(|_| CertificateError::NoCertificate)?;
    let (_, parsed) = parse_x509_certificate(&der).map_err(|_| CertificateError::NoCertificate)?;
    let name = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    Ok(name.unwrap_or_default().to_owned())
}

fn names_of(certificate: &X509Certificate<'_>) -> BTreeSet<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return BTreeSet::new();
    };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => ip_address(bytes).map(|address| address.to_string()),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

fn ip_address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// Checks that a server can use the pair: both can be read, and the key is the first certificate's. The registry loads
/// them by the same steps.
pub fn check_pair(pair: &KeyPair) -> Result<(), CertificateError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pair.certificate.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| CertificateError::NoCertificate)?;
    let first = chain.first().ok_or(CertificateError::NoCertificate)?;
    ParsedCertificate::try_from(first).map_err(CertificateError::Unreadable)?;
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).map_err(|_| no_key(&pair.key))?;
    let key = any_supported_type(&key).map_err(|_| CertificateError::UnsupportedKey)?;
    match belongs_to(&key, &chain) {
        Some(0) => Ok(()),
        Some(others) => Err(CertificateError::NotFirst(others + 1)),
        None => Err(CertificateError::KeyMismatch),
    }
}

/// Which certificate of a chain the key belongs to.
fn belongs_to(key: &Arc<dyn SigningKey>, chain: &[CertificateDer<'static>]) -> Option<usize> {
    let is_its_own = |certificate: &CertificateDer<'static>| {
        CertifiedKey::new(vec![certificate.clone()], Arc::clone(key)).keys_match().is_ok()
    };
    chain.iter().position(is_its_own)
}

fn no_key(text: &str) -> CertificateError {
    // PKCS #8 says so in the first line, and older formats in a header.
    if text.contains("ENCRYPTED") { CertificateError::EncryptedKey } else { CertificateError::NoKey }
}

/// Whether a client that asks for `name` would accept the first certificate of a PEM text.
pub fn is_valid_for(certificate: &str, name: &str) -> bool {
    let Ok(der) = CertificateDer::from_pem_slice(certificate.as_bytes()) else {
        return false;
    };
    let (Ok(parsed), Ok(name)) = (ParsedCertificate::try_from(&der), ServerName::try_from(name)) else {
        return false;
    };
    rustls::client::verify_server_name(&parsed, &name).is_ok()
}

/// So many days.
pub const fn days(count: u64) -> Duration {
    Duration::from_hours(count * 24)
}

/// Without the key.
impl fmt::Debug for KeyPair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeyPair").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-01T00:00:00Z".parse().unwrap()
    }

    fn pairs() -> (KeyPair, KeyPair) {
        let authority = issue_authority("hub", None, now()).unwrap();
        let names = ["hub.default.svc", "*.example.com", "10.96.0.7", "::1"].map(str::to_owned);
        let serving = issue_serving(&authority, "hub", &names, now()).unwrap();
        (authority, serving)
    }

    #[test]
    fn a_serving_certificate_is_valid_for_its_names_and_addresses() {
        let (_, serving) = pairs();
        for name in ["hub.default.svc", "images.example.com", "10.96.0.7", "::1"] {
            assert!(is_valid_for(&serving.certificate, name), "{name}");
        }
        assert!(!is_valid_for(&serving.certificate, "hub.other.svc"));
        let names = inspect(&serving.certificate).unwrap().names;
        assert_eq!(
            names.into_iter().collect::<Vec<_>>(),
            ["*.example.com", "10.96.0.7", "::1", "hub.default.svc"]
        );
    }

    #[test]
    fn a_serving_certificate_lasts_ninety_days_and_its_authority_ten_years() {
        let (authority, serving) = pairs();
        assert_eq!(inspect(&serving.certificate).unwrap().not_after, now() + SERVING_LIFETIME);
        assert_eq!(inspect(&authority.certificate).unwrap().not_after, now() + AUTHORITY_LIFETIME);
        assert!(inspect(&serving.certificate).unwrap().not_before < now());
    }

    #[test]
    fn a_key_is_matched_with_its_certificate() {
        let (authority, serving) = pairs();
        assert!(check_pair(&serving).is_ok());
        let mixed = KeyPair { key: authority.key, ..serving };
        assert!(matches!(check_pair(&mixed), Err(CertificateError::KeyMismatch)));
    }

    #[test]
    fn what_is_no_pem_is_told_apart() {
        let (_, serving) = pairs();
        let no_key = KeyPair { key: "secret".to_owned(), ..serving.clone() };
        assert!(matches!(check_pair(&no_key), Err(CertificateError::NoKey)));
        let no_certificate = KeyPair { certificate: String::new(), ..serving };
        assert!(matches!(check_pair(&no_certificate), Err(CertificateError::NoCertificate)));
    }

    #[test]
    fn a_prolonged_authority_keeps_its_key_so_that_old_certificates_stay_trusted() {
        let (authority, serving) = pairs();
        let prolonged = prolong_authority(&authority, now() + days(3000)).unwrap();
        assert_eq!(prolonged.key, authority.key);
        assert_ne!(prolonged.certificate, authority.certificate);
        for authority in [&prolonged, &authority] {
            chain::verify(&serving.certificate, &authority.certificate, now()).unwrap();
        }
    }

    #[test]
    fn a_private_key_is_not_printed() {
        let (authority, _) = pairs();
        assert!(!format!("{authority:?}").contains("PRIVATE"));
    }
}
