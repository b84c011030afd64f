//! The beginning of a connection on a TLS port: the handshake, or a word to those who came without TLS.

use std::{io, sync::Arc};

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::server::transport::Transport;

const USE_HTTPS: &str = "This port speaks HTTPS: begin the address with https://...\n";

/// How much of a plain request is read after it was answered, in bytes.
const READ_ON: u64 = 1 << 20;

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
        // The name of a method. TLS begins with 0x16.
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

async fn tell_to_use_https(stream: &mut impl Transport) -> io::Result<()> {
    let mut method = [0; 5];
    stream.read_exact(&mut method).await?;
    let body = if &method == b"HEAD " { "" } else { USE_HTTPS };
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        USE_HTTPS.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // Unread bytes would make the system reset the connection before the client has read the answer.
    tokio::io::copy(&mut stream.take(READ_ON), &mut tokio::io::sink()).await?;
    Ok(())
}
