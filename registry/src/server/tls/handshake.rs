//! The beginning of a connection on a TLS port: the handshake, or a word to those who came without TLS.

use std::{io, sync::Arc};

use rustls::ServerConfig;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::server::{transport::Transport, wrong_port::tell_to_use_https};

/// What came of a connection.
pub(in crate::server) enum Secured<T> {
    /// TLS, and whether HTTP/2 was agreed upon.
    Tls { stream: Box<TlsStream<T>>, http2: bool },
    /// Nothing to go on with: the client left, or spoke plain HTTP and was told what to do.
    Over,
}

/// Performs the handshake; a client that speaks plain HTTP is answered in its own words.
pub(in crate::server) async fn secure<T: Transport>(
    mut stream: T,
    config: Arc<ServerConfig>,
) -> io::Result<Secured<T>> {
    match stream.first_byte().await? {
        None => Ok(Secured::Over),
        // The name of a method.
        Some(first) if first.is_ascii_uppercase() => {
            tell_to_use_https(&mut stream).await?;
            Ok(Secured::Over)
        }
        Some(_) => {
            let stream = Box::new(TlsAcceptor::from(config).accept(stream).await?);
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            Ok(Secured::Tls { stream, http2 })
        }
    }
}
