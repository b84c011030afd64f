//! A serving certificate that the operator did not issue. What the registry could not load is not taken over; what it can
//! load is judged as clients would.

use std::time::Duration;

use berth_crds::Reason;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::{Finding, tls::Certificate};
use crate::registry::{
    certificates::{self, CertificateError, Inspected, KeyPair},
    chain,
};

/// A certificate is reported this long before it expires.
const WARNING: Duration = Duration::from_hours(7 * 24);

/// Judges the certificate in Secret `name` for a registry that is reached at `host`.
pub(super) fn validate(
    name: &str,
    secret: Option<&Secret>,
    host: &str,
    now: Timestamp,
) -> (Certificate, Finding) {
    let Some(secret) = secret else {
        return (Certificate::AsIs, missing(name));
    };
    let pair = KeyPair { certificate: value(secret, "tls.crt"), key: value(secret, "tls.key") };
    if let Err(error) = certificates::check_pair(&pair) {
        return (Certificate::AsIs, unusable(name, &error));
    }
    let authority = Some(value(secret, "ca.crt")).filter(|authority| !authority.trim().is_empty());
    let certificate = &pair.certificate;
    let finding = match certificates::inspect(certificate) {
        Ok(inspected) => dates(name, &inspected, now)
            .or_else(|| names(name, certificate, &inspected, host))
            .or_else(|| purpose(name, &inspected))
            .or_else(|| trust(name, certificate, authority.as_deref(), &inspected, now))
            .unwrap_or_else(|| good(name, &inspected, now)),
        Err(error) => unusable(name, &error),
    };
    (Certificate::Provided { pair, authority }, finding)
}

/// A key of the Secret. PEM files may have remarks in any encoding, which nobody reads.
fn value(secret: &Secret, key: &str) -> String {
    let bytes = secret.data.as_ref().and_then(|data| data.get(key));
    bytes.map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned()).unwrap_or_default()
}

fn missing(name: &str) -> Finding {
    let message = format!(
        "Secret {name} of spec.tls.secretName does not exist: create it with `kubectl create secret tls {name} \
         --cert=FILE --key=FILE`, or remove the field for a certificate of the operator"
    );
    Finding::bad(Reason::SecretNotFound, message)
}

fn unusable(name: &str, error: &CertificateError) -> Finding {
    let reason = match error {
        CertificateError::KeyMismatch | CertificateError::NotFirst(_) => Reason::KeyMismatch,
        _ => Reason::InvalidSecret,
    };
    let (place, remedy) = match error {
        CertificateError::NoKey => (", key tls.key", "store a certificate and its key in PEM"),
        CertificateError::EncryptedKey => {
            (", key tls.key", "store what `openssl pkey -in FILE` prints, which asks for the passphrase")
        }
        CertificateError::UnsupportedKey => (", key tls.key", "issue a certificate for another key"),
        CertificateError::NoCertificate => (", key tls.crt", "store a certificate and its key in PEM"),
        CertificateError::NotFirst(_) => {
            (", key tls.crt", "store the serving certificate before those that vouch for it")
        }
        CertificateError::Unreadable(_) => {
            (", key tls.crt", "store an X.509 certificate of version 3 in PEM")
        }
        _ => ("", "store a certificate and its key in PEM"),
    };
    Finding::bad(reason, format!("Secret {name}{place}: {error}; {remedy}"))
}

fn dates(name: &str, inspected: &Inspected, now: Timestamp) -> Option<Finding> {
    let Inspected { not_before, not_after, .. } = inspected;
    let message = format!(
        "the certificate in Secret {name} is valid from {not_before} to {not_after}, not now: renew it"
    );
    (now < *not_before || now >= *not_after).then(|| Finding::bad(Reason::Expired, message))
}

fn names(name: &str, certificate: &str, inspected: &Inspected, host: &str) -> Option<Finding> {
    let dns_name = host.split_once(':').map_or(host, |(name, _)| name);
    if certificates::is_valid_for(certificate, dns_name) {
        return None;
    }
    let remedy = if inspected.is_authority {
        "it is a certificate authority's: store one that the authority signed for that name"
    } else {
        "add that to its subject alternative names"
    };
    let message = format!("the certificate in Secret {name} is not valid for {dns_name}: {remedy}");
    Some(Finding::bad(Reason::SanMismatch, message))
}

fn purpose(name: &str, inspected: &Inspected) -> Option<Finding> {
    let message = format!(
        "the certificate in Secret {name} is not for servers: issue one whose extended key usage is serverAuth"
    );
    (!inspected.is_for_servers).then(|| Finding::bad(Reason::InvalidSecret, message))
}

/// Whether clients get from the certificate to an authority that they trust. Without `ca.crt` that is one of theirs, so
/// only the dates on the way are known.
fn trust(
    name: &str,
    certificate: &str,
    authority: Option<&str>,
    inspected: &Inspected,
    now: Timestamp,
) -> Option<Finding> {
    let Some(authority) = authority else {
        return expired_on_the_way(name, certificate, now);
    };
    if chain::certificates(authority).is_empty() {
        let message = format!(
            "Secret {name}, key ca.crt: there is no PEM certificate in it; store the authority that clients have to \
             trust, or remove the key"
        );
        return Some(Finding::bad(Reason::InvalidSecret, message));
    }
    // One that is its own authority is trusted as such, although it is no server's by the rules of the web.
    if chain::is_pinned(certificate, authority) || inspected.is_authority {
        return None;
    }
    let error = chain::verify(certificate, authority, now).err()?;
    if let Some(expired) = expired_on_the_way(name, certificate, now) {
        return Some(expired);
    }
    let message = format!(
        "clients that trust ca.crt of Secret {name} do not trust its certificate ({error}): store the authority that \
         signed it in ca.crt, and those between them in tls.crt after it"
    );
    Some(Finding::bad(Reason::UntrustedCertificate, message))
}

fn expired_on_the_way(name: &str, certificate: &str, now: Timestamp) -> Option<Finding> {
    let others = certificates::inspect_all(certificate);
    let (position, expired) =
        others.iter().enumerate().skip(1).find(|(_, one)| now < one.not_before || now >= one.not_after)?;
    let message = format!(
        "certificate {} of tls.crt in Secret {name}, which vouches for the first, is valid from {} to {}, not now: \
         replace it",
        position + 1,
        expired.not_before,
        expired.not_after
    );
    Some(Finding::bad(Reason::Expired, message))
}

fn good(name: &str, inspected: &Inspected, now: Timestamp) -> Finding {
    let not_after = inspected.not_after;
    if now + WARNING >= not_after {
        let message = format!("the certificate in Secret {name} expires at {not_after}: renew it");
        return Finding::good(Reason::ExpiringSoon, message);
    }
    Finding::good(Reason::Provided, format!("the certificate in Secret {name} is valid until {not_after}"))
}

#[cfg(test)]
mod tests;
