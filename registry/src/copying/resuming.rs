//! A blob that goes on where it broke off, while the destination waits for the rest.

use std::{io, sync::Arc};

use berth_oci::{Digest, RepositoryName};
use berth_storage::ByteStream;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::sleep;

use super::{Place, attempts::pause, progress::Counters};

/// A blob that is being read.
struct Reading {
    source: Place,
    name: RepositoryName,
    digest: Digest,
    size: u64,
    counters: Arc<Counters>,
    stream: Option<ByteStream>,
    at: u64,
    /// How often it broke off since the last byte.
    breaks: usize,
}

/// The blob, of which `stream` is the beginning. It has `size` bytes, or ends with an error.
pub(super) fn resuming(
    source: Place,
    name: RepositoryName,
    (digest, size): (Digest, u64),
    stream: ByteStream,
    counters: Arc<Counters>,
) -> ByteStream {
    let reading = Reading { source, name, digest, size, counters, stream: Some(stream), at: 0, breaks: 0 };
    stream::try_unfold(reading, |mut reading| async move {
        Ok(reading.next().await?.map(|piece| (piece, reading)))
    })
    .boxed()
}

impl Reading {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let broken = match self.piece().await {
                Ok(Some(piece)) => {
                    self.at += piece.len() as u64;
                    self.breaks = 0;
                    self.counters.bytes.add(piece.len() as u64);
                    return Ok(Some(piece));
                }
                Ok(None) if self.at >= self.size => return Ok(None),
                Ok(None) => io::Error::from(io::ErrorKind::UnexpectedEof),
                Err(error) => error,
            };
            self.stream = None;
            sleep(pause(self.breaks).ok_or(broken)?).await;
            self.breaks += 1;
        }
    }

    async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        if self.stream.is_none() {
            let rest = self.source.blob(&self.name, &self.digest, self.at).await.map_err(io::Error::other)?;
            self.stream = Some(rest.ok_or(io::ErrorKind::NotFound)?);
        }
        match &mut self.stream {
            Some(stream) => stream.try_next().await,
            None => Ok(None),
        }
    }
}
