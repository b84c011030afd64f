//! TLS: everything that `http.tls` says, read from its files, read again when they change, used by each new handshake.

mod certificate;
mod clients;
mod handshake;

use std::{error::Error as StdError, path::PathBuf, sync::Arc};

use rustls::{
    CipherSuite, ServerConfig,
    crypto::{CryptoProvider, ring},
    sign::SingleCertAndKey,
    version::{TLS12, TLS13},
};

pub(super) use handshake::{Secured, secure};

use crate::{
    config::{Tls, TlsVersion},
    reloading::{LoadError, Reloading},
};

/// The settings of TLS, which follow their files.
pub type TlsFiles = Reloading<ServerConfig>;

/// Reads the files for the first time.
pub(super) fn open(tls: &Tls, http2: bool) -> Result<TlsFiles, LoadError> {
    let tls = tls.clone();
    let paths = paths(&tls);
    Reloading::open("the certificate (http.tls)", paths, move |contents| config(&tls, http2, contents))
}

/// The certificate, its key, and the authorities of clients, in the order in which `config` gets what is in them.
fn paths(tls: &Tls) -> Vec<PathBuf> {
    let authorities = tls.clients.iter().flat_map(|clients| &clients.authorities);
    [&tls.certificate, &tls.key].into_iter().chain(authorities).cloned().collect()
}

fn config(
    tls: &Tls,
    http2: bool,
    contents: &[Vec<u8>],
) -> Result<ServerConfig, Box<dyn StdError + Send + Sync>> {
    let provider = Arc::new(provider(&tls.cipher_suites));
    let key = certificate::parse(&contents[0], &contents[1], &provider)?;
    let versions: &[_] = match tls.minimum {
        TlsVersion::Tls12 => &[&TLS12, &TLS13],
        TlsVersion::Tls13 => &[&TLS13],
    };
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions)?;
    let builder = match &tls.clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            builder.with_client_cert_verifier(clients::verifier(clients, &contents[2..], &provider)?)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    let http2 = http2.then(|| b"h2".to_vec());
    config.alpn_protocols = http2.into_iter().chain([b"http/1.1".to_vec()]).collect();
    Ok(config)
}

/// The suites of TLS 1.2 that were named, or all if there is none, and always those of TLS 1.3, among which there is
/// nothing to choose.
fn provider(named: &[CipherSuite]) -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider
        .cipher_suites
        .retain(|suite| named.is_empty() || suite.tls13().is_some() || named.contains(&suite.suite()));
    provider
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suites(named: &[CipherSuite]) -> Vec<CipherSuite> {
        provider(named).cipher_suites.iter().map(rustls::SupportedCipherSuite::suite).collect()
    }

    #[test]
    fn the_named_suites_are_offered_beside_those_of_tls_1_3() {
        let named = CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
        let suites = suites(&[named]);
        assert!(suites.contains(&named) && suites.contains(&CipherSuite::TLS13_AES_256_GCM_SHA384));
        assert!(!suites.contains(&CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384));
    }

    #[test]
    fn all_suites_are_offered_when_none_is_named() {
        assert_eq!(suites(&[]).len(), ring::default_provider().cipher_suites.len());
    }
}
