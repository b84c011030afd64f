//! Clients at the wrong port: plain HTTP where TLS is spoken, and the other way round. Each gets an answer that it, or
//! whoever reads its output, can understand.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{peer::PeerAddress, transport::Transport};

/// What TLS begins with: a record of the handshake.
pub(super) const TLS_HANDSHAKE: u8 = 0x16;

const USE_HTTPS: &str = "This port speaks HTTPS: begin the address with https://...\n";
const USE_HTTP: &str = "This port speaks plain HTTP: begin the address with http://...\n";

/// How much of a request is read after it was answered, in bytes.
const READ_ON: u64 = 1 << 20;

/// Answers a client that speaks plain HTTP to a port with TLS.
pub(super) async fn tell_to_use_https(stream: &mut impl Transport) -> io::Result<()> {
    let mut method = [0; 5];
    stream.read_exact(&mut method).await?;
    let body = if &method == b"HEAD " { "" } else { USE_HTTPS };
    refuse(stream, USE_HTTPS.len(), body).await
}

/// Answers a client that speaks TLS to a port without. The clients of Go know by `HTTP/` at the beginning what they
/// have met, and say so, or go on without TLS where they are allowed to.
pub(super) async fn tell_to_use_http(stream: &mut impl Transport) -> io::Result<()> {
    refuse(stream, USE_HTTP.len(), USE_HTTP).await
}

async fn refuse(stream: &mut impl Transport, length: usize, body: &str) -> io::Result<()> {
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // Unread bytes would make the system reset the connection before the client has read the answer.
    tokio::io::copy(&mut stream.take(READ_ON), &mut tokio::io::sink()).await?;
    Ok(())
}

/// Tells the log of clients that speak TLS to a plain port: of the first one, since such clients try again and again.
#[derive(Debug, Default)]
pub(super) struct Mistaken(AtomicBool);

impl Mistaken {
    pub(super) fn report(&self, address: PeerAddress) {
        if self.0.swap(true, Ordering::Relaxed) {
            tracing::debug!(remote = %address, "a client speaks TLS to the plain port");
        } else {
            tracing::warn!(
                remote = %address,
                "a client speaks TLS to the plain port: let it use http://, or set http.tls.certificate and \
                 http.tls.key; later ones are logged at the level debug"
            );
        }
    }
}
