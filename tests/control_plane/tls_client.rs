//! A TLS client and a server with a serving certificate, in memory: whom a client trusts decides whether they meet.

use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    version::TLS13,
};

use crate::fixture::Namespace;

/// Whether a client that trusts `authorities`, PEM, accepts what Secret `hub-tls` has for `name`.
pub(crate) fn accepts(namespace: &Namespace, name: &str, authorities: &str) -> Result<()> {
    let certificate = namespace.secret_text("hub-tls", "tls.crt")?;
    let key = namespace.secret_text("hub-tls", "tls.key")?;
    let mut server = ServerConnection::new(Arc::new(server(&certificate, &key)?))?;
    let name = ServerName::try_from(name.to_owned())?;
    let mut client = ClientConnection::new(Arc::new(client(authorities)?), name)?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire)?;
        server.read_tls(&mut wire.as_slice())?;
        server.process_new_packets().context("the server")?;
        let mut wire = Vec::new();
        server.write_tls(&mut wire)?;
        client.read_tls(&mut wire.as_slice())?;
        client.process_new_packets().context("the client")?;
    }
    Ok(())
}

fn server(certificate: &str, key: &str) -> Result<ServerConfig> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])?;
    Ok(builder.with_no_client_auth().with_single_cert(chain, key)?)
}

fn client(authorities: &str) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(authorities.as_bytes()) {
        roots.add(authority?)?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
