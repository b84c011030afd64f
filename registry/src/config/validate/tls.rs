//! `http.tls`: the certificate, what is offered, and what is asked of clients.

use std::path::PathBuf;

use rustls::CipherSuite;

use crate::config::{ClientCertificates, ClientDemand, Tls, TlsVersion, error::Error, settings::Settings};

pub(super) fn tls(settings: &Settings, warnings: &mut Vec<String>) -> Result<Option<Tls>, Error> {
    let certificate = settings.text("certificate")?.map(PathBuf::from);
    let key = settings.text("key")?.map(PathBuf::from);
    let suites = cipher_suites(settings, warnings)?;
    let minimum = minimum(settings, warnings)?;
    let clients = clients(settings, warnings)?;
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(Tls {
            certificate,
            key,
            minimum: if suites.only_newest { TlsVersion::Tls13 } else { minimum },
            cipher_suites: suites.of_tls12,
            clients,
        })),
        (None, None) => Ok(None),
        (Some(_), None) => {
            Err(settings.missing("key", "http.tls.certificate needs the file of its private key"))
        }
        (None, Some(_)) => {
            Err(settings.missing("certificate", "http.tls.key needs the file of its certificate"))
        }
    }
}

fn minimum(settings: &Settings, warnings: &mut Vec<String>) -> Result<TlsVersion, Error> {
    let (version, raised) = settings.require("minimumtls", "tls1.2 or tls1.3", |text| match text {
        "tls1.0" | "tls1.1" => Some((TlsVersion::Tls12, true)),
        "tls1.2" => Some((TlsVersion::Tls12, false)),
        "tls1.3" => Some((TlsVersion::Tls13, false)),
        _ => None,
    })?;
    if let Some(origin) = settings.origin("minimumtls").filter(|_| raised) {
        warnings.push(format!("{origin}: `http.tls.minimumtls`: versions below 1.2 are broken; 1.2 is used"));
    }
    Ok(version)
}

/// The cipher suites that were chosen.
#[derive(Default)]
struct CipherSuites {
    of_tls12: Vec<CipherSuite>,
    /// Whether nothing but suites of TLS 1.3 was named: then older versions have nothing to offer.
    only_newest: bool,
}

/// How a name of a cipher suite is taken.
#[derive(Clone, Copy)]
enum Named {
    Tls12(CipherSuite),
    /// All suites of TLS 1.3 are always offered, as Go does it.
    Tls13,
    /// Go knows it; nobody should use it.
    Weak,
}

fn cipher_suites(settings: &Settings, warnings: &mut Vec<String>) -> Result<CipherSuites, Error> {
    const EXPECTED: &str = "a cipher suite of Go's crypto/tls, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
    let mut suites = CipherSuites::default();
    let mut newest = false;
    let items = settings.list("ciphersuites")?;
    for item in &items {
        match named(item.text).ok_or_else(|| item.unexpected(EXPECTED))? {
            Named::Tls12(suite) => suites.of_tls12.push(suite),
            Named::Tls13 => newest = true,
            Named::Weak => warnings.push(format!(
                "{}: `http.tls.ciphersuites`: {} has known weaknesses and is not offered",
                item.node.origin, item.text
            )),
        }
    }
    suites.only_newest = newest && suites.of_tls12.is_empty();
    if let Some(item) = items.first().filter(|_| suites.of_tls12.is_empty() && !newest) {
        const SAFE: &str = "a list with a suite that is safe, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
        return Err(item.unexpected(SAFE));
    }
    Ok(suites)
}

fn named(name: &str) -> Option<Named> {
    use CipherSuite as Suite;
    let suite = match name {
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" => Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" => Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" => Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" => Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" => Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" => {
            Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        }
        "TLS_AES_128_GCM_SHA256" | "TLS_AES_256_GCM_SHA384" | "TLS_CHACHA20_POLY1305_SHA256" => {
            return Some(Named::Tls13);
        }
        "TLS_RSA_WITH_3DES_EDE_CBC_SHA"
        | "TLS_RSA_WITH_AES_128_CBC_SHA"
        | "TLS_RSA_WITH_AES_256_CBC_SHA"
        | "TLS_RSA_WITH_AES_128_GCM_SHA256"
        | "TLS_RSA_WITH_AES_256_GCM_SHA384"
        | "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"
        | "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"
        | "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"
        | "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"
        | "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA" => return Some(Named::Weak),
        _ => return None,
    };
    Some(Named::Tls12(suite))
}

/// What is asked of clients; nothing when no authority is named, as in Distribution.
fn clients(settings: &Settings, warnings: &mut Vec<String>) -> Result<Option<ClientCertificates>, Error> {
    const DEMANDS: &str = "one of request-client-cert, require-any-client-cert, verify-client-cert-if-given, \
         require-and-verify-client-cert";
    let authorities: Vec<PathBuf> =
        settings.list("clientcas")?.into_iter().map(|item| item.text.into()).collect();
    let demand = settings.read("clientauth", DEMANDS, |text| match text {
        "request-client-cert" => Some(ClientDemand::Request),
        "require-any-client-cert" => Some(ClientDemand::RequireAny),
        "verify-client-cert-if-given" => Some(ClientDemand::VerifyIfGiven),
        "require-and-verify-client-cert" => Some(ClientDemand::RequireAndVerify),
        _ => None,
    })?;
    if authorities.is_empty() {
        if let Some(origin) = settings.origin("clientauth").filter(|_| demand.is_some()) {
            warnings.push(format!(
                "{origin}: `http.tls.clientauth` has no effect without http.tls.clientcas: \
                 no certificate is asked for"
            ));
        }
        return Ok(None);
    }
    Ok(Some(ClientCertificates { authorities, demand: demand.unwrap_or(ClientDemand::RequireAndVerify) }))
}
